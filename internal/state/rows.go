package state

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
)

// The buckets of the file. Keys are the target, a zero byte, and what the
// bucket holds of it.
const (
	infoBucket   = "hmad"   // schema → the number below
	checksBucket = "checks" // check → facts
	runsBucket   = "runs"   // check, a zero byte, the run's number (8 bytes, big endian) → storedResult
	valuesBucket = "values" // key → a value of the target's memory
	fleetsBucket = "fleets" // fleet, a zero byte, member → the member's record, as it was given
)

// schema is the version of the file's layout.
const schema = 1

// key is where a row lies in the file.
type key struct{ bucket, name string }

var schemaKey = key{infoBucket, "schema"}

func checkKey(id check.ID) key { return key{checksBucket, id.Target + "\x00" + id.Check} }

func runKey(id check.ID, number uint64) key {
	return key{runsBucket, string(binary.BigEndian.AppendUint64([]byte(id.Target+"\x00"+id.Check+"\x00"), number))}
}

func valueKey(target, name string) key { return key{valuesBucket, target + "\x00" + name} }

func memberKey(id fleetID, member string) key {
	return key{fleetsBucket, id.target + "\x00" + id.name + "\x00" + member}
}

// String gives what may be said of a row. A key may name a mailbox where it is
// not that of a check or of a target's value.
func (k key) String() string {
	switch k.bucket {
	case checksBucket, runsBucket, valuesBucket:
		return fmt.Sprintf("%s %q", k.bucket, k.name)
	default:
		return fmt.Sprintf("a row of %q", k.bucket)
	}
}

// member reads the fleet and its member from a key of the fleets bucket.
func (k key) member() (id fleetID, member string) {
	id.target, member, _ = strings.Cut(k.name, "\x00")
	id.name, member, _ = strings.Cut(member, "\x00")
	return id, member
}

// id reads the check from a key of the checks bucket.
func (k key) id() check.ID {
	target, name, _ := strings.Cut(k.name, "\x00")
	return check.ID{Check: name, Target: target}
}

// run reads the check and the run's number from a key of the runs bucket.
func (k key) run() (check.ID, uint64) {
	n := len(k.name) - 8
	if n < 1 {
		return check.ID{}, 0
	}
	return key{checksBucket, k.name[:n-1]}.id(), binary.BigEndian.Uint64([]byte(k.name[n:]))
}

// facts are what a check's runs in the file do not tell, because it may be
// older than they.
type facts struct {
	Last        uint64               `json:"last"` // number of the run that they were true after
	Since       time.Time            `json:"since"`
	FoundSince  map[string]time.Time `json:"found_since,omitempty"`
	LastSuccess time.Time            `json:"last_success,omitzero"`
}

func (e *entry) facts() facts {
	return facts{e.last, e.status.Since, e.status.FoundSince, e.status.LastSuccess}
}

// runs calls f for each run that the file has of this check: its history and
// the run behind the present verdict.
func (e *entry) runs(f func(number uint64, r *check.Result)) {
	inHistory := false
	for i, n := range e.numbers {
		f(n, &e.status.History[i])
		inHistory = inHistory || n == e.decided
	}
	if e.status.Decided != nil && !inHistory {
		f(e.decided, e.status.Decided)
	}
}

// rows gives everything that the file must hold beside its schema and the
// fleets. The caller holds the lock; the contents never change and are encoded
// outside of it.
func (s *Store) rows() map[key]any {
	rows := map[key]any{}
	for id, e := range s.entries {
		if e.last == 0 {
			continue
		}
		rows[checkKey(id)] = e.facts()
		e.runs(func(n uint64, r *check.Result) { rows[runKey(id, n)] = r })
	}
	for target, values := range s.values {
		for name, v := range values {
			rows[valueKey(target, name)] = json.RawMessage(v)
		}
	}
	return rows
}
