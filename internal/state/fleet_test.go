package state

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
)

// fleetMap returns a fleet's records.
func fleetMap(f check.Fleet) map[string]string {
	all := map[string]string{}
	f.Each(func(member string, record []byte) { all[member] = string(record) })
	return all
}

func TestFleetSurvivesRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := opened(t, statePath(t), options())
		fleet := s.Fleet("contoso")("mailboxes")
		require.Empty(t, fleetMap(fleet))
		fleet.Delete("nobody")
		want := map[string]string{"a@contoso.com": "first", "": "no name", "\x00\x00": "zeroes", "\xff\n": "no text",
			strings.Repeat("k", maxMember): strings.Repeat("r", maxRecord), "empty": ""}
		for member, record := range want {
			fleet.Put(member, []byte(record))
		}
		fleet.Put("b@contoso.com", []byte("gone at once"))
		fleet.Delete("b@contoso.com")
		s.Fleet("contoso")("others").Put("a@contoso.com", []byte("another fleet's"))
		s.Fleet("fabrikam")("mailboxes").Put("a@contoso.com", []byte("another target's"))
		require.Equal(t, want, fleetMap(fleet))

		s = reopened(t, s)
		require.Equal(t, want, fleetMap(s.Fleet("contoso")("mailboxes")))
		require.Equal(t, map[string]string{"a@contoso.com": "another fleet's"}, fleetMap(s.Fleet("contoso")("others")))
		require.Equal(t, map[string]string{"a@contoso.com": "another target's"}, fleetMap(s.Fleet("fabrikam")("mailboxes")))

		s.Fleet("contoso")("mailboxes").Put("a@contoso.com", []byte("second"))
		s.Fleet("contoso")("mailboxes").Delete("")
		want["a@contoso.com"] = "second"
		delete(want, "")
		s = reopened(t, s)
		require.Equal(t, want, fleetMap(s.Fleet("contoso")("mailboxes")))
		for member := range want {
			s.Fleet("contoso")("mailboxes").Delete(member)
		}
		require.Empty(t, fleetMap(reopened(t, s).Fleet("contoso")("mailboxes")))
	})
}

func TestFleetKeepsACopy(t *testing.T) {
	fleet := Open("", options()).Fleet("contoso")("mailboxes")
	record := []byte("as put")
	fleet.Put("a@contoso.com", record)
	copy(record, "later ")
	require.Equal(t, map[string]string{"a@contoso.com": "as put"}, fleetMap(fleet))
}

func TestFleetRefusesWhatIsTooLarge(t *testing.T) {
	var said logs
	o := options()
	o.Logf = said.add
	fleet := Open("", o).Fleet("contoso")("mailboxes")
	fleet.Put("a@contoso.com", []byte("stays"))
	fleet.Put("a@contoso.com", make([]byte, maxRecord+1))
	fleet.Put("a@contoso.com"+strings.Repeat("x", maxMember), nil)
	require.Equal(t, map[string]string{"a@contoso.com": "stays"}, fleetMap(fleet))
	require.Equal(t, []string{
		"record of fleet mailboxes of target contoso not kept: 4097 bytes with a key of 13, over the limit of 4096 and 1024",
		"record of fleet mailboxes of target contoso not kept: 0 bytes with a key of 1037, over the limit of 4096 and 1024",
	}, said.all(), "mailboxes are not for logs")
}

func TestFleetGoesWithItsTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := statePath(t)
		s := opened(t, path, options())
		for n := range 3000 {
			s.Fleet("contoso")("mailboxes").Put(fmt.Sprint(n), []byte("x"))
		}
		s.Fleet("fabrikam")("mailboxes").Put("a@contoso.com", []byte("stays"))
		s = reopened(t, s)
		s.Keep([]check.ID{{Check: "activesync", Target: "fabrikam"}})
		s.Fleet("contoso")("mailboxes").Put("late@contoso.com", []byte("x"))
		require.Empty(t, fleetMap(s.Fleet("contoso")("mailboxes")))
		s = reopened(t, s)
		require.Equal(t, []key{{fleetTable, "fabrikam", "mailboxes", "a@contoso.com"}}, rowsOf(t, s))

		s.Keep([]check.ID{activesync})
		require.Empty(t, fleetMap(s.Fleet("contoso")("mailboxes")), "a target that comes back begins anew")
		s.Fleet("contoso")("mailboxes").Put("a@contoso.com", []byte("anew"))
		s = reopened(t, s)
		require.Equal(t, map[string]string{"a@contoso.com": "anew"}, fleetMap(s.Fleet("contoso")("mailboxes")))
		require.Empty(t, fleetMap(s.Fleet("fabrikam")("mailboxes")))
	})
}

func TestManyRecordsAreWrittenInFiveSeconds(t *testing.T) {
	const members = maxPending / 50 // more than may wait
	path := statePath(t)
	bubble(t, path, osOpen, func(t *testing.T, s *Store, _ *logs) {
		fleet := s.Fleet("contoso")("mailboxes")
		for n := range members {
			fleet.Put(fmt.Sprint(n), []byte("first"))
		}
		pass()
		require.Len(t, rowsOf(t, s), members)
		for n := range members {
			fleet.Put(fmt.Sprint(n), []byte("second"))
		}
		pass()
		killed := opened(t, copied(t, path), options())
		defer killed.Close()
		require.Equal(t, fleetMap(fleet), fleetMap(killed.Fleet("contoso")("mailboxes")))
		wrote := s.Health().LastWrite
		fleet.Put("1", []byte("second"))
		pass()
		require.Equal(t, wrote, s.Health().LastWrite, "nothing new, nothing written")
	})
}

func TestFleetOfALockedFileLiesBehindMemory(t *testing.T) {
	path := statePath(t)
	first := opened(t, path, options())
	for _, member := range []string{"theirs@contoso.com", "both@contoso.com"} {
		first.Fleet("contoso")("mailboxes").Put(member, []byte("old"))
	}
	bubble(t, path, osOpen, func(t *testing.T, s *Store, _ *logs) {
		fleet := s.Fleet("contoso")("mailboxes")
		fleet.Put("both@contoso.com", []byte("new"))
		fleet.Put("ours@contoso.com", []byte("new"))
		require.NoError(t, first.Close())
		pass()
		want := map[string]string{"theirs@contoso.com": "old", "both@contoso.com": "new", "ours@contoso.com": "new"}
		require.Equal(t, want, fleetMap(fleet))
		killed := opened(t, copied(t, path), options())
		defer killed.Close()
		require.Equal(t, want, fleetMap(killed.Fleet("contoso")("mailboxes")))
	})
}

// TestFleetWhileOthersChangeIt is for the race detector too.
func TestFleetWhileOthersChangeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openWith(statePath(t), options(), settings{every: 1, open: osOpen})
		fleet := s.Fleet("contoso")("mailboxes")
		var group sync.WaitGroup
		for worker := range 4 {
			group.Go(func() {
				for n := range 500 {
					member := fmt.Sprint(worker, "/", n%20)
					fleet.Put(member, fmt.Append(nil, n))
					if n%3 == 0 {
						fleet.Delete(member)
					}
					fleet.Each(func(member string, record []byte) {
						if len(record) == 0 {
							fleet.Delete(member) // a reader may write
						}
					})
				}
			})
		}
		group.Wait()
		want := fleetMap(fleet)
		require.NotEmpty(t, want)
		require.Equal(t, want, fleetMap(reopened(t, s).Fleet("contoso")("mailboxes")))
	})
}
