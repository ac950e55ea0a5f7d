package state

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
)

// remembered gives all that a Store says, one string for each thing.
func remembered(t testing.TB, s *Store) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	add := func(id check.ID, r *check.Result) {
		value, err := encode(r)
		require.NoError(t, err)
		all[fmt.Sprint(id, string(value))] = true
	}
	for _, st := range s.Statuses() {
		for _, r := range append(st.History, st.Last) {
			add(st.ID, &r)
		}
		if st.Decided != nil {
			add(st.ID, st.Decided)
		}
	}
	for n := range 20 {
		var v string
		if s.Memory("contoso").Get(fmt.Sprint("key", n), &v) {
			all[v] = true
		}
	}
	s.Fleet("contoso")("mailboxes").Each(func(member string, record []byte) { all[member+string(record)] = true })
	return all
}

// fleetSize is the number of records in goodFile.
const fleetSize = 50

// goodFile gives the bytes of a file with several pages of each kind, and all
// that it remembers.
func goodFile(t testing.TB) (content []byte, all map[string]bool) {
	t.Helper()
	path := statePath(t)
	s := Open(path, options())
	for n := range 40 {
		for _, id := range []check.ID{activesync, autodiscover} {
			r := run(id, n)
			if n%2 == 0 {
				r = run(id, n, blocked, expiring)
			}
			r.Report.Notes = check.Notes(strings.Repeat("WWW-Authenticate: Bearer ", 8))
			s.Record(r)
		}
		s.Memory("contoso").Put(fmt.Sprint("key", n%20), fmt.Sprint("value", n))
	}
	for n := range fleetSize {
		s.Fleet("contoso")("mailboxes").Put(fmt.Sprintf("user%02d@contoso.com", n), []byte(strings.Repeat("r", 60)))
	}
	all = remembered(t, s)
	require.NoError(t, s.Close())
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	return content, all
}

// openDamaged opens a damaged file twice, the second time after one more run,
// and holds what must be true of any damage.
func openDamaged(t *testing.T, path string, known map[string]bool) {
	t.Helper()
	var said logs
	o := options()
	o.Logf = said.add
	s := Open(path, o)
	for what := range remembered(t, s) {
		require.True(t, known[what], "made up: %s", what)
	}
	require.True(t, s.Health().OK, "%v", s.Health())
	last := run(activesync, 1000)
	s.Record(last)
	require.NoError(t, closedAtLast(s), "%v", said.all())
	require.NotContains(t, strings.Join(said.all(), "\n"), "@", "mailboxes are not for logs")
	s = Open(path, options())
	require.True(t, s.Health().OK, "%v", s.Health())
	require.Empty(t, s.Health().SetAside, "the second open finds a sound file")
	require.Equal(t, last.Start, statusOf(t, s, activesync).Last.Start)
	require.NoError(t, s.Close())
}

// closedAtLast closes a Store with more patience than a daemon has: thousands
// of files are written here, on a disk that others use too.
func closedAtLast(s *Store) (err error) {
	for range 20 {
		if err = s.Close(); err == nil || !strings.Contains(err.Error(), "does not answer") {
			return err
		}
	}
	return err
}

func TestThousandDamagedFiles(t *testing.T) {
	good, known := goodFile(t)
	path := statePath(t)
	aside := 0
	for seed := range uint64(1000) {
		random := rand.New(rand.NewPCG(seed, 0))
		bad := append([]byte(nil), good...)
		for range 1 + random.IntN(300) {
			bad[random.IntN(len(bad))] = byte(random.Uint32())
		}
		require.NoError(t, os.WriteFile(path, bad, 0o600))
		openDamaged(t, path, known)
		if names := asideFiles(t, path); len(names) > 0 {
			aside++
			require.NoError(t, os.Remove(names[0]))
		}
		require.False(t, t.Failed(), "seed %d", seed)
	}
	assert.Greater(t, aside, 500, "most damage must be noticed")
}

// TestDamageWhileRunning changes the file under the open Store, mostly its
// free list, and goes on recording.
func TestDamageWhileRunning(t *testing.T) {
	good, _ := goodFile(t)
	panicked := 0
	for seed := range uint64(100) {
		path := statePath(t)
		require.NoError(t, os.WriteFile(path, good, 0o600))
		bubble(t, path, osOpen, func(t *testing.T, s *Store, said *logs) {
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			require.NoError(t, err)
			random := rand.New(rand.NewPCG(seed, 1))
			for id := int64(2); id < int64(len(good)/os.Getpagesize()); id++ {
				junk := make([]byte, 200)
				for i := range junk {
					junk[i] = byte(random.Uint32())
				}
				_, err = f.WriteAt(junk, id*int64(os.Getpagesize())+int64(random.IntN(20)))
				require.NoError(t, err)
			}
			require.NoError(t, f.Close())
			s.Record(run(activesync, 1000))
			pass()
			if s.Health().SetAside != "" {
				panicked++
				require.Equal(t, uint64(1), s.Health().WriteErrors)
				require.NotEmpty(t, said.all())
			}
			s.Record(run(activesync, 1001))
			pass()
			require.True(t, s.Health().OK, "%v", said.all())
		})
		s := Open(path, options())
		require.True(t, s.Health().OK)
		require.Equal(t, after(1001), statusOf(t, s, activesync).Last.Start)
		require.Equal(t, 20+11, len(statusOf(t, s, activesync).History), "the new file has everything")
		require.NoError(t, s.Close())
	}
	require.Greater(t, panicked, 50, "bbolt must have met the damage")
}

// TestFileCutWhileRunning takes the file away from under bbolt's memory map:
// reading it faults, which no recover catches by itself.
func TestFileCutWhileRunning(t *testing.T) {
	good, _ := goodFile(t)
	path := statePath(t)
	require.NoError(t, os.WriteFile(path, good, 0o600))
	bubble(t, path, osOpen, func(t *testing.T, s *Store, said *logs) {
		require.NoError(t, os.Truncate(path, 2*int64(os.Getpagesize())))
		s.Record(run(activesync, 1000))
		pass()
		require.True(t, s.Health().OK, "%v", said.all())
		require.NotEmpty(t, s.Health().SetAside)
		require.Len(t, said.all(), 1, "%v", said.all())
		require.Len(t, rowsOf(t, s), 2+31+30+20+fleetSize, "the new file has everything")
	})
}

func TestUnusableFiles(t *testing.T) {
	good, known := goodFile(t)
	pages := func(n int) []byte { return append([]byte(nil), good[:n*os.Getpagesize()]...) }
	for name, tc := range map[string]struct {
		content  []byte
		setAside bool
	}{
		"empty":                 {nil, false},
		"one byte":              {[]byte{0}, true},
		"garbage":               {[]byte(strings.Repeat("not a database\n", 5000)), true},
		"zeroes":                {make([]byte, len(good)), true},
		"cut inside the metas":  {pages(1)[:100], true},
		"cut after the metas":   {pages(2), true},
		"cut inside the tree":   {pages(5), true},
		"cut inside a page":     {pages(6)[:5*os.Getpagesize()+10], true},
		"another's bbolt file":  {foreignFile(t), true},
		"a loop of pages":       {loopingFile(t, good), true},
		"a free page in use":    {freedFile(t, good), true},
		"a bucket renamed":      {renamedFile(t, good), true},
		"no free list":          {patchedList(t, good, 8, 0xff), true},
		"a free list too long":  {patchedList(t, good, 10, 0xff), true},
		"keys out of order":     {swappedKeys(t, good), true},
		"nothing wrong with it": {good, false},
	} {
		t.Run(name, func(t *testing.T) {
			path := statePath(t)
			require.NoError(t, os.WriteFile(path, tc.content, 0o600))
			openDamaged(t, path, known)
			require.Equal(t, tc.setAside, len(asideFiles(t, path)) == 1)
		})
	}
}

// page gives the page of a file's content.
func page(content []byte, id uint64) []byte {
	size := uint64(os.Getpagesize())
	return content[id*size : (id+1)*size]
}

// pageOf gives the number of the first page in use with these flags and at
// least count elements.
func pageOf(t testing.TB, content []byte, flags uint16, count int) uint64 {
	t.Helper()
	free := freePages(t, content)
	for id := uint64(2); id < uint64(len(content)/os.Getpagesize()); id++ {
		p := page(content, id)
		if order.Uint64(p) == id && order.Uint16(p[8:]) == flags && int(order.Uint16(p[10:])) >= count && !free[id] {
			return id
		}
	}
	require.Fail(t, "no such page")
	return 0
}

// meta gives the meta page in force.
func meta(content []byte) []byte {
	a, b := page(content, 0)[pageHeader:], page(content, 1)[pageHeader:]
	if order.Uint64(a[48:]) > order.Uint64(b[48:]) {
		return a
	}
	return b
}

// freePages gives the pages of the free list and the list's own.
func freePages(t testing.TB, content []byte) map[uint64]bool {
	t.Helper()
	list := order.Uint64(meta(content)[32:])
	p, free := page(content, list), map[uint64]bool{list: true}
	for i := range int(order.Uint16(p[10:])) {
		free[order.Uint64(p[pageHeader+8*i:])] = true
	}
	return free
}

// loopingFile has a branch page whose first child is itself: bbolt would follow
// it until memory ends.
func loopingFile(t testing.TB, good []byte) []byte {
	bad := append([]byte(nil), good...)
	id := pageOf(t, bad, branchPage, 1)
	order.PutUint64(page(bad, id)[pageHeader+8:], id)
	return bad
}

// freedFile has a free list with a page that is in use.
func freedFile(t testing.TB, good []byte) []byte {
	bad := append([]byte(nil), good...)
	list := page(bad, order.Uint64(meta(bad)[32:]))
	require.NotZero(t, order.Uint16(list[10:]))
	order.PutUint64(list[pageHeader:], pageOf(t, bad, branchPage, 1))
	return bad
}

// patchedList has four bytes of the free list's page changed: bbolt panics, or
// faults beyond the end of its memory map.
func patchedList(t testing.TB, good []byte, at int, to byte) []byte {
	bad := append([]byte(nil), good...)
	list := page(bad, order.Uint64(meta(bad)[32:]))
	copy(list[at:], []byte{to, to})
	copy(list[pageHeader:], []byte{to, to, to, to, 0})
	return bad
}

// swappedKeys has a branch page whose keys do not ascend.
func swappedKeys(t testing.TB, good []byte) []byte {
	bad := append([]byte(nil), good...)
	p := page(bad, pageOf(t, bad, branchPage, 2))[pageHeader:]
	a, b := order.Uint64(p[8:]), order.Uint64(p[elementSize+8:])
	order.PutUint64(p[8:], b)
	order.PutUint64(p[elementSize+8:], a)
	return bad
}

// renamedFile has a bucket whose name was changed.
func renamedFile(t testing.TB, good []byte) []byte {
	bad := append([]byte(nil), good...)
	root := page(bad, order.Uint64(meta(bad)[16:]))
	i := strings.Index(string(root), infoBucket)
	require.Positive(t, i)
	root[i] = 'i'
	return bad
}

func foreignFile(t testing.TB) []byte {
	path := filepath.Join(t.TempDir(), "other.db")
	f, err := openFile(path, false, os.OpenFile)
	require.NoError(t, err)
	require.NoError(t, f.put([]row{{key{"widgets", "name"}, []byte(`1`)}}))
	f.close()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	return content
}
