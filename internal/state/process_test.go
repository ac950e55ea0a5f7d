package state

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
)

// stateFile is the environment variable that makes a test play its part in a
// process of its own, on that file.
const stateFile = "HMAD_STATE_FILE"

// inChild returns the command that runs the present test again as a child.
func inChild(t *testing.T, path string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), stateFile+"="+path)
	return cmd
}

// TestFullDisk runs in a process that may not make files larger than a little:
// for the Store the same as a full disk, and needing neither root nor a mount.
func TestFullDisk(t *testing.T) {
	if os.Getenv(stateFile) == "" {
		path := statePath(t)
		said, err := inChild(t, path).CombinedOutput()
		require.NoError(t, err, "%s", said)
		require.Contains(t, string(said), "--- PASS: TestFullDisk")
		require.Empty(t, asideFiles(t, path))
		synctest.Test(t, func(t *testing.T) {
			require.Equal(t, after(102), statusOf(t, killed(t, path), activesync).Last.Start)
		})
		return
	}
	path := os.Getenv(stateFile)
	limit := func(bytes uint64) { checktest.LimitFiles(t, bytes) }
	large := func(n int) check.Result {
		r := run(activesync, n)
		r.Report.Notes = checktest.Seen(strings.Repeat("x", 50000))
		return r
	}
	limit(8192) // no room even for an empty file
	bubble(t, path, osOpen, func(t *testing.T, s *Store, said *logs) {
		require.Contains(t, s.Health().Problem, "file too large")
		limit(256 << 10)
		s.Record(run(activesync, 1))
		pass()
		require.True(t, s.Health().OK, "%v", s.Health())

		s.Memory("contoso").Put("soon", "written at once, and what follows in five seconds")
		synctest.Wait()
		for n := range 20 {
			s.Record(large(2 + n))
		}
		pass()
		require.Contains(t, s.Health().Problem, "file too large")
		require.Equal(t, uint64(1), s.Health().WriteErrors)
		s.Record(run(activesync, 101))
		pass()
		require.Equal(t, uint64(2), s.Health().WriteErrors, "tried again")
		require.Len(t, statusOf(t, s, activesync).History, lastRuns)
		kept, a := read(t, contentOf(t, path))
		require.Len(t, kept, 2, "the file holds what it held")
		require.Equal(t, a.size, a.end, "and nothing half written")
		require.Zero(t, a.damaged)

		limit(1 << 40)
		s.Record(run(activesync, 102))
		pass()
		require.True(t, s.Health().OK, "%v", s.Health())
		require.Empty(t, s.Health().SetAside)
		require.Len(t, said.all(), 4, "each trouble and its end once: %v", said.all())
	})
	before := contentOf(t, path)
	limit(roomWanted - 1)
	bubble(t, path, osOpen, func(t *testing.T, s *Store, said *logs) {
		require.Contains(t, s.Health().Problem, "file too large", "from the start, before there is anything to write")
		require.Equal(t, after(102), statusOf(t, s, activesync).Last.Start)
		pass()
		require.Len(t, said.all(), 1, "%v", said.all())
		require.Equal(t, before, contentOf(t, path))
		limit(1 << 40)
		pass()
		require.True(t, s.Health().OK, "%v", s.Health())
	})
}

func contentOf(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	return content
}

// TestKilledWhileWriting kills a process that records and writes all the time,
// with SIGKILL and at random moments.
func TestKilledWhileWriting(t *testing.T) {
	if path := os.Getenv(stateFile); path != "" {
		recordForEver(path)
	}
	path := statePath(t)
	random := rand.New(rand.NewPCG(1, 2))
	for kill := range 10 {
		written := killedRecorder(t, path, 3+random.IntN(40))
		synctest.Test(t, func(t *testing.T) {
			s := opened(t, path, options())
			require.True(t, s.Health().OK, "kill %d: %v", kill, s.Health())
			require.Empty(t, s.Health().SetAside, "kill %d", kill)
			require.Zero(t, s.Health().Damaged, "kill %d", kill)
			for _, st := range s.Statuses() {
				require.False(t, st.Last.Start.Before(written), "kill %d: what a batch had written is there", kill)
			}
			require.Len(t, s.Statuses(), len(recorded))
			kept := fleetMap(s.Fleet("contoso")("mailboxes"))
			for n := range recordedMembers {
				at, err := time.Parse(time.RFC3339Nano, kept[fmt.Sprint(n)])
				require.NoError(t, err, "kill %d", kill)
				require.False(t, at.Before(written), "kill %d: what a batch had written is there", kill)
				delete(kept, fmt.Sprint(n))
			}
			require.LessOrEqual(t, len(kept), 1, "kill %d: what a batch had deleted is not", kill)
			require.NoError(t, s.Close())
		})
	}
}

// recorded are the checks of the killed process.
var recorded = []check.ID{activesync, autodiscover, {Check: "activesync", Target: "fabrikam"}}

// recordedMembers is the number of records that it keeps putting.
const recordedMembers = 50

// recordForEver records runs that start now, tells which a batch has surely
// written, and never returns. Between two batches that it knows of lies at least
// one that began after the first of them ended: that one has written whatever was
// recorded before the first ended.
func recordForEver(path string) {
	s := openWith(path, Options{Defs: defs}, settings{every: 10 * time.Millisecond, open: osOpen})
	fleet, passing := s.Fleet("contoso")("mailboxes"), ""
	for key := range fleetMap(fleet) { // that of the process before, which could not delete it any more
		if strings.HasPrefix(key, "passing") {
			fleet.Delete(key)
		}
	}
	pace := time.NewTicker(time.Millisecond)
	var rounds []round
	var ended time.Time // of the latest batch that is known of
	for range pace.C {
		if end := s.Health().LastWrite; end.After(ended) {
			for len(rounds) > 1 && rounds[1].recorded.Before(ended) {
				rounds = rounds[1:]
			}
			if len(rounds) > 0 && rounds[0].recorded.Before(ended) {
				fmt.Println("written", rounds[0].start.Format(time.RFC3339Nano))
			}
			ended = end
		}
		start := time.Now()
		for _, id := range recorded {
			r := check.Result{Check: id.Check, Target: id.Target, Start: start}
			r.Report.Notes = checktest.Seen(strings.Repeat("WWW-Authenticate: Bearer ", 100))
			s.Record(r)
		}
		now := []byte(start.Format(time.RFC3339Nano))
		for n := range recordedMembers {
			fleet.Put(fmt.Sprint(n), now)
		}
		fleet.Delete(passing)
		passing = "passing at " + string(now)
		fleet.Put(passing, now)
		rounds = append(rounds, round{start, time.Now()})
	}
}

// round is one time that all is recorded.
type round struct{ start, recorded time.Time }

// killedRecorder runs the child until it has told of so many batches, and
// returns the start of the latest round that is in the file for sure.
func killedRecorder(t *testing.T, path string, batches int) (written time.Time) {
	t.Helper()
	cmd := inChild(t, path)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	for n := 0; n < batches && lines.Scan(); {
		if at, ok := strings.CutPrefix(lines.Text(), "written "); ok {
			written, err = time.Parse(time.RFC3339Nano, at)
			require.NoError(t, err)
			n++
		}
	}
	require.NoError(t, cmd.Process.Kill())
	require.ErrorContains(t, cmd.Wait(), "killed")
	require.False(t, written.IsZero(), "the child wrote nothing")
	return written
}
