package plan

import "github.com/google/uuid"

// Location is the GUID of a mailbox in Exchange Online; zero: not known.
type Location uuid.UUID

// String returns the GUID as Exchange writes it; empty where there is none.
func (l Location) String() string {
	if l == (Location{}) {
		return ""
	}
	return uuid.UUID(l).String()
}

// ParseLocation reads a GUID of 36 characters. The GUID of zeros is none.
func ParseLocation(s string) (Location, bool) {
	if len(s) != 36 { // Parse takes other forms too
		return Location{}, false
	}
	id, err := uuid.Parse(s)
	return Location(id), err == nil && id != uuid.Nil
}
