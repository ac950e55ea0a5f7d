package plan

import (
	"encoding/hex"
	"strings"
)

// Location is the GUID of a mailbox in Exchange Online; zero: not known.
type Location [16]byte

// String returns the GUID as Exchange writes it; empty where there is none.
func (l Location) String() string {
	if l == (Location{}) {
		return ""
	}
	h := hex.EncodeToString(l[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// ParseLocation reads a GUID of 36 characters. The GUID of zeros is none.
func ParseLocation(s string) (l Location, ok bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return l, false
	}
	n, err := hex.Decode(l[:], []byte(strings.ReplaceAll(s, "-", "")))
	return l, err == nil && n == len(l) && l != (Location{})
}
