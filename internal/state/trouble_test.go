package state

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

var osOpen opener = os.OpenFile

// copied copies a file as kill -9 would leave it.
func copied(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	to := statePath(t)
	require.NoError(t, os.WriteFile(to, content, 0o600))
	return to
}

// pass lets the writer's next batch go by, in a synctest bubble.
func pass() {
	time.Sleep(flushEvery)
	synctest.Wait()
}

// bubble opens a Store on path in virtual time and closes it at the end.
func bubble(t *testing.T, path string, open opener, f func(t *testing.T, s *Store, said *logs)) {
	synctest.Test(t, func(t *testing.T) {
		said := &logs{}
		o := options()
		o.Now, o.Logf = time.Now, said.add
		set := settings{every: flushEvery, open: open}
		s := openWith(path, o, set)
		defer s.Close()
		f(t, s, said)
	})
}

// killed returns what is found on the disk after kill -9 of the process with the
// Store at path.
func killed(t *testing.T, path string) *Store {
	t.Helper()
	s := opened(t, copied(t, path), options())
	require.NoError(t, s.Close())
	return s
}

func TestFirstChangeIsWrittenAtOnceAndTheNextInFiveSeconds(t *testing.T) {
	path := statePath(t)
	bubble(t, path, osOpen, func(t *testing.T, s *Store, _ *logs) {
		for quiet := range 3 {
			s.Record(run(activesync, 10*quiet))
			synctest.Wait()
			require.Equal(t, time.Now(), s.Health().LastWrite)
			require.Equal(t, after(10*quiet), statusOf(t, killed(t, path), activesync).Last.Start)
			s.Record(run(activesync, 10*quiet+1))
			time.Sleep(flushEvery - time.Nanosecond)
			require.Equal(t, time.Now().Add(time.Nanosecond-flushEvery), s.Health().LastWrite, "batches keep their distance")
			time.Sleep(time.Nanosecond)
			synctest.Wait()
			require.Equal(t, time.Now(), s.Health().LastWrite)
			require.Equal(t, after(10*quiet+1), statusOf(t, killed(t, path), activesync).Last.Start)
			wrote := time.Now()
			time.Sleep(time.Minute)
			require.Equal(t, wrote, s.Health().LastWrite, "nothing new, nothing written")
		}
	})
}

// TestKillCostsFiveSecondsAtMost kills at random moments, also before the next
// batch is due for the first time.
func TestKillCostsFiveSecondsAtMost(t *testing.T) {
	path := statePath(t)
	random := rand.New(rand.NewPCG(1, 3))
	for life := range 20 {
		bubble(t, path, osOpen, func(t *testing.T, s *Store, _ *logs) {
			fleet := s.Fleet("contoso")("mailboxes")
			var put []time.Time
			for range random.IntN(20) {
				time.Sleep(time.Duration(random.IntN(2000)) * time.Millisecond)
				fleet.Put(fmt.Sprint(life, " ", len(put)), nil)
				put = append(put, time.Now())
				synctest.Wait()
				left := fleetMap(killed(t, path).Fleet("contoso")("mailboxes"))
				for n, at := range put {
					if _, ok := left[fmt.Sprint(life, " ", n)]; !ok {
						require.Positive(t, n, "the first change is there at once")
						require.Less(t, time.Since(at), flushEvery)
					}
				}
			}
			path = copied(t, path) // the process is killed
		})
	}
}

func TestLockedFileIsLeftAloneUntilItIsFree(t *testing.T) {
	path := statePath(t)
	first := opened(t, path, options())
	first.Record(run(activesync, 1, blocked))
	first.Record(run(autodiscover, 1))
	first.Memory("contoso").Put("theirs", 1)
	first.Memory("contoso").Put("both", 1)
	bubble(t, path, osOpen, func(t *testing.T, s *Store, said *logs) {
		require.Equal(t, Health{Path: path, Problem: "locked by another process"}, s.Health())
		s.Record(run(activesync, 2))
		s.Record(run(activesync, 3, blocked))
		s.Planned(activesync, after(4), time.Hour)
		s.Memory("contoso").Put("both", 2)
		pass()
		pass()
		require.False(t, s.Health().OK)
		require.NoError(t, first.Close())
		pass()
		require.True(t, s.Health().OK, "%v", s.Health())
		require.Equal(t, []string{
			"state is kept in memory only: locked by another process",
			"state reaches its file again",
		}, said.all())

		got := statusOf(t, s, activesync)
		require.Len(t, got.History, 3, "what the file knew lies behind what happened meanwhile")
		require.Equal(t, after(3), got.Last.Start)
		require.Equal(t, after(3), got.Since)
		require.Equal(t, after(2), got.LastSuccess)
		require.Equal(t, after(3), got.FoundSince["blocked"])
		require.Equal(t, after(4), got.Next)
		var n int
		require.True(t, s.Memory("contoso").Get("theirs", &n))
		require.True(t, s.Memory("contoso").Get("both", &n))
		require.Equal(t, 2, n)
		require.Empty(t, asideFiles(t, path))
	})
	synctest.Test(t, func(t *testing.T) {
		again := opened(t, path, options())
		require.Len(t, statusOf(t, again, activesync).History, 3)
		require.Equal(t, after(1), statusOf(t, again, autodiscover).Last.Start)
		require.NoError(t, again.Close())
	})
}

func TestChecksRemovedWhileLockedAreNotTakenOver(t *testing.T) {
	path := statePath(t)
	first := opened(t, path, options())
	first.Record(run(activesync, 1))
	first.Memory("contoso").Put("theirs", 1)
	bubble(t, path, osOpen, func(t *testing.T, s *Store, _ *logs) {
		s.Keep(nil)
		require.NoError(t, first.Close())
		pass()
		require.True(t, s.Health().OK)
		require.Empty(t, s.Statuses())
		require.Empty(t, rowsOf(t, s))
	})
}

// refusing returns an opener that fails for writing while there is an errno.
func refusing(errno *atomic.Uint32) opener {
	return func(name string, flag int, perm os.FileMode) (*os.File, error) {
		if e := errno.Load(); e != 0 && flag&os.O_RDWR != 0 {
			return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.Errno(e)}
		}
		return os.OpenFile(name, flag, perm)
	}
}

func TestReadOnlyFileIsReadAndLeftAlone(t *testing.T) {
	for name, errno := range map[string]syscall.Errno{"no permission": syscall.EACCES, "read-only file system": syscall.EROFS} {
		t.Run(name, func(t *testing.T) {
			var refused atomic.Uint32
			refused.Store(uint32(errno))
			path := statePath(t)
			s := opened(t, path, options())
			s.Record(run(activesync, 1))
			require.NoError(t, s.Close())
			before, err := os.ReadFile(path)
			require.NoError(t, err)

			bubble(t, path, refusing(&refused), func(t *testing.T, s *Store, _ *logs) {
				require.Contains(t, s.Health().Problem, errno.Error())
				require.Equal(t, after(1), statusOf(t, s, activesync).Last.Start)
				s.Record(run(activesync, 2))
				pass()
				pass()
				require.False(t, s.Health().OK)
				require.Len(t, statusOf(t, s, activesync).History, 2)
				content, err := os.ReadFile(path)
				require.NoError(t, err)
				require.Equal(t, before, content)

				refused.Store(0)
				pass()
				require.True(t, s.Health().OK)
			})
			s = opened(t, path, options())
			require.Len(t, statusOf(t, s, activesync).History, 2)
			require.NoError(t, s.Close())
		})
	}
}

func TestPlacesThatTakeNoFile(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	require.NoError(t, os.WriteFile(plain, []byte("x"), 0o600))
	var refused atomic.Uint32
	refused.Store(uint32(syscall.EACCES))
	for name, tc := range map[string]struct {
		path, problem string
		open          opener
	}{
		"a directory":           {dir, "not a regular file", osOpen},
		"a device":              {os.DevNull, "not a regular file", osOpen},
		"below a file":          {filepath.Join(plain, "state.db"), "not a directory", osOpen},
		"a read-only directory": {filepath.Join(dir, "state.db"), "permission denied", refusing(&refused)},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, tc.path, tc.open, func(t *testing.T, s *Store, said *logs) {
				for n := range 3 {
					require.Empty(t, s.Health().SetAside)
					require.Contains(t, s.Health().Problem, tc.problem)
					s.Record(run(activesync, n))
					pass()
				}
				require.Len(t, statusOf(t, s, activesync).History, 3)
				require.Len(t, said.all(), 1, "said once: %v", said.all())
				require.ErrorContains(t, s.Close(), tc.problem)
			})
		})
	}
}

func TestNewerFileIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := statePath(t)
		before := appendLine(appendMark(nil, fmt.Sprint(header, schema+1)), key{runTable, "contoso", "activesync", "1"}, []byte(`{}`))
		require.NoError(t, os.WriteFile(path, before, 0o600))
		s := opened(t, path, options())
		require.Equal(t, Health{Path: path, Problem: errNewer.Error()}, s.Health())
		require.Empty(t, s.Statuses())
		s.Record(run(activesync, 1))
		require.Error(t, s.Close())
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, before, content)
	})
}

func TestDiskThatDoesNotAnswer(t *testing.T) {
	path := statePath(t)
	s := opened(t, path, options())
	s.Record(run(activesync, 1))
	require.NoError(t, s.Close())
	synctest.Test(t, func(t *testing.T) {
		answer := make(chan struct{})
		o := options()
		s := openWith(path, o, settings{every: flushEvery, open: func(name string, flag int, perm os.FileMode) (*os.File, error) {
			<-answer
			return os.OpenFile(name, flag, perm)
		}})
		require.Equal(t, "the disk does not respond", s.Health().Problem)
		s.Record(run(activesync, 2))
		require.Len(t, statusOf(t, s, activesync).History, 1)
		require.ErrorContains(t, s.Close(), "does not respond")
		close(answer)
		synctest.Wait()
		require.Len(t, statusOf(t, s, activesync).History, 2)
		require.NoError(t, s.Close())
	})
}

func TestWhatIsRemovedIsMadeAgain(t *testing.T) {
	for name, remove := range map[string]func(path string) error{
		"the file":               os.Remove,
		"the lock":               func(path string) error { return os.Remove(path + ".lock") },
		"the folder":             func(path string) error { return os.RemoveAll(filepath.Dir(path)) },
		"the folders above":      func(path string) error { return os.RemoveAll(filepath.Dir(filepath.Dir(path))) },
		"nothing, and no change": func(string) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "above", "folder", "state.db")
			bubble(t, path, osOpen, func(t *testing.T, s *Store, said *logs) {
				s.Record(run(activesync, 1))
				pass()
				require.NoError(t, remove(path))
				pass()
				pass()
				require.True(t, s.Health().OK)
				require.Len(t, rowsOf(t, s), 1, "without a change too")
				require.FileExists(t, path+".lock")
				s.Record(run(activesync, 2))
				pass()
				require.Len(t, rowsOf(t, s), 2)
				require.Empty(t, said.all())
				info, err := os.Stat(filepath.Dir(path))
				require.NoError(t, err)
				require.Equal(t, fs.FileMode(0o700), info.Mode().Perm())
			})
		})
	}
}

func TestDamagedFileThatCannotBeSetAside(t *testing.T) {
	path := statePath(t)
	require.NoError(t, os.WriteFile(path, []byte("garbage"), 0o600))
	synctest.Test(t, func(t *testing.T) {
		o := options()
		aside := path + ".corrupt-" + noon.Format("20060102T150405Z")
		require.NoError(t, os.MkdirAll(filepath.Join(aside, "in the way"), 0o700))
		s := openWith(path, o, settings{every: flushEvery, open: osOpen})
		require.Contains(t, s.Health().Problem, "cannot be set aside")
		s.Record(run(activesync, 1))
		pass()
		require.False(t, s.Health().OK)
		require.NoError(t, os.RemoveAll(aside))
		pass()
		require.True(t, s.Health().OK, "%v", s.Health())
		require.Equal(t, aside, s.Health().SetAside)
		require.NoError(t, s.Close())
	})
}

func TestFewDamagedFilesAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := statePath(t)
		now := noon
		o := options()
		o.Now = func() time.Time { return now }
		for range 6 {
			now = now.Add(time.Hour)
			require.NoError(t, os.WriteFile(path, []byte("garbage"), 0o600))
			s := opened(t, path, o)
			require.True(t, s.Health().OK)
			require.FileExists(t, s.Health().SetAside)
			require.NoError(t, s.Close())
		}
		names := asideFiles(t, path)
		require.Len(t, names, keepAside)
		require.Equal(t, path+".corrupt-20261122T160000Z", names[0], "the newest")
	})
}

func TestWhatWaitsForADiskIsBounded(t *testing.T) {
	path := statePath(t)
	bubble(t, path, osOpen, func(t *testing.T, s *Store, _ *logs) {
		waiting := func() (bytes int, whole bool) {
			s.mu.Lock()
			defer s.mu.Unlock()
			return len(s.pending), s.whole
		}
		n := 0
		for all := false; !all; n++ {
			require.Less(t, n, 100_000, "beyond some megabytes the next batch is everything")
			s.Record(typical(activesync, n))
			var bytes int
			bytes, all = waiting()
			require.LessOrEqual(t, bytes, maxPending)
		}
		pass()
		require.True(t, s.Health().OK)
		bytes, _ := waiting()
		require.Zero(t, bytes)
		require.Len(t, rowsOf(t, s), lastRuns, "the file has no run too many")
		require.Equal(t, after(n-1), statusOf(t, killed(t, path), activesync).Last.Start)
	})
}

func TestFileIsReplacedWhenItHasGrown(t *testing.T) {
	path := statePath(t)
	bubble(t, path, osOpen, func(t *testing.T, s *Store, _ *logs) {
		largest, n := int64(0), 0
		for ; n < 10000; n++ {
			s.Record(typical(activesync, n))
			if n%100 == 0 {
				pass()
				info, err := os.Stat(path)
				require.NoError(t, err)
				largest = max(largest, info.Size())
			}
		}
		pass()
		require.Greater(t, largest, int64(minGrowth))
		require.Less(t, largest, int64(minGrowth*3/2), "the file stays small")
		left := killed(t, path)
		require.Equal(t, after(n-1), statusOf(t, left, activesync).Last.Start)
		require.Len(t, statusOf(t, left, activesync).History, lastRuns)
	})
}

func TestFailedBatchIsWrittenLater(t *testing.T) {
	s := Open("", options())
	s.changes()
	s.Record(run(activesync, 1))
	s.Memory("contoso").Put("seen", 1)
	s.Fleet("contoso")("mailboxes").Put("a@contoso.com", []byte("1"))
	first := s.changes()
	require.False(t, first.whole)
	s.Memory("contoso").Put("seen", 2)
	s.Fleet("contoso")("mailboxes").Delete("a@contoso.com")
	s.restore(first)
	again := s.changes()
	require.False(t, again.whole)
	changes, a := read(t, again.lines)
	require.Zero(t, a.damaged)
	require.Len(t, changes, 5)
	require.Equal(t, []string{
		`value contoso seen  2`,
		`fleet contoso mailboxes a@contoso.com `,
	}, changes[3:], "what is newer comes later")
	require.True(t, s.changes().none())
}
