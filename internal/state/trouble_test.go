package state

import (
	"fmt"
	"io/fs"
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

func TestWrittenBehindInFiveSeconds(t *testing.T) {
	path := statePath(t)
	bubble(t, path, osOpen, func(t *testing.T, s *Store, _ *logs) {
		s.Record(run(activesync, 1))
		require.Zero(t, s.Health().LastWrite, "nobody waits for the disk")
		pass()
		require.Equal(t, time.Now(), s.Health().LastWrite)
		killed := Open(copied(t, path), options())
		require.Equal(t, after(1), statusOf(t, killed, activesync).Last.Start)
		require.NoError(t, killed.Close())
		wrote := time.Now()
		pass()
		require.Equal(t, wrote, s.Health().LastWrite, "nothing new, nothing written")
	})
}

func TestLockedFileIsLeftAloneUntilItIsFree(t *testing.T) {
	path := statePath(t)
	first := Open(path, options())
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
	again := Open(path, options())
	require.Len(t, statusOf(t, again, activesync).History, 3)
	require.Equal(t, after(1), statusOf(t, again, autodiscover).Last.Start)
	require.NoError(t, again.Close())
}

func TestChecksRemovedWhileLockedAreNotTakenOver(t *testing.T) {
	path := statePath(t)
	first := Open(path, options())
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

// refusing gives an opener that fails for writing while there is an errno.
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
			s := Open(path, options())
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
			s = Open(path, options())
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
		"no such directory":     {filepath.Join(dir, "no", "state.db"), "no such file or directory", osOpen},
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
	path := statePath(t)
	f, err := newFile(path, osOpen)
	require.NoError(t, err)
	require.NoError(t, f.put([]row{{schemaKey, fmt.Append(nil, schema+1)}, {checkKey(activesync), []byte(`{}`)}}))
	f.close()
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	s := Open(path, options())
	require.Equal(t, Health{Path: path, Problem: errNewer.Error()}, s.Health())
	require.Empty(t, s.Statuses())
	s.Record(run(activesync, 1))
	require.Error(t, s.Close())
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, before, content)
}

func TestDiskThatDoesNotAnswer(t *testing.T) {
	path := statePath(t)
	s := Open(path, options())
	s.Record(run(activesync, 1))
	require.NoError(t, s.Close())
	synctest.Test(t, func(t *testing.T) {
		answer := make(chan struct{})
		o := options()
		s := openWith(path, o, settings{every: flushEvery, open: func(name string, flag int, perm os.FileMode) (*os.File, error) {
			<-answer
			return os.OpenFile(name, flag, perm)
		}})
		require.Equal(t, "the disk does not answer", s.Health().Problem)
		s.Record(run(activesync, 2))
		require.Len(t, statusOf(t, s, activesync).History, 1)
		require.ErrorContains(t, s.Close(), "does not answer")
		close(answer)
		synctest.Wait()
		require.Len(t, statusOf(t, s, activesync).History, 2)
		require.NoError(t, s.Close())
	})
}

func TestRemovedFileIsMadeAgain(t *testing.T) {
	path := statePath(t)
	bubble(t, path, osOpen, func(t *testing.T, s *Store, _ *logs) {
		s.Record(run(activesync, 1))
		pass()
		require.NoError(t, os.Remove(path))
		s.Record(run(activesync, 2))
		pass()
		require.True(t, s.Health().OK)
		require.Len(t, rowsOf(t, s), 3)
	})
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
	path := statePath(t)
	now := noon
	o := options()
	o.Now = func() time.Time { return now }
	for range 6 {
		now = now.Add(time.Hour)
		require.NoError(t, os.WriteFile(path, []byte("garbage"), 0o600))
		s := Open(path, o)
		require.True(t, s.Health().OK)
		require.FileExists(t, s.Health().SetAside)
		require.NoError(t, s.Close())
	}
	names := asideFiles(t, path)
	require.Len(t, names, keepAside)
	require.Equal(t, path+".corrupt-20261122T160000Z", names[0], "the newest")
}

func TestWaitingRowsAreBounded(t *testing.T) {
	path := statePath(t)
	bubble(t, path, osOpen, func(t *testing.T, s *Store, _ *logs) {
		for n := range 30 {
			s.Record(run(activesync, n))
		}
		pass()
		for n := range maxDirty {
			s.Record(run(activesync, n))
		}
		s.mu.Lock()
		waiting := len(s.dirty)
		s.mu.Unlock()
		require.LessOrEqual(t, waiting, maxDirty)
		pass()
		require.True(t, s.Health().OK)
	})
	s := Open(path, options())
	require.Len(t, statusOf(t, s, activesync).History, lastRuns)
	require.Equal(t, after(maxDirty-1), statusOf(t, s, activesync).Last.Start)
	require.Len(t, rowsOf(t, s), 1+lastRuns, "the file has no run too many")
	require.NoError(t, s.Close())
}

func TestFailedBatchIsWrittenLater(t *testing.T) {
	s := Open("", options())
	s.dirty = map[key]any{}
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
	require.Len(t, again.rows, len(first.rows))
	require.Equal(t, "2", fmt.Sprintf("%s", again.rows[valueKey("contoso", "seen")]), "the newer value stands")
	require.Equal(t, first.members, again.members)
	require.Equal(t, []row{{key: memberKey(fleetID{"contoso", "mailboxes"}, "a@contoso.com")}},
		s.memberRows(fleetID{"contoso", "mailboxes"}, []string{"a@contoso.com"}), "to be deleted")
}
