package state

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// How much may follow the snapshot before a new one replaces the file. With
// these a day's writing is at most 2.7 times its changes, and the file at most
// 1.6 times what it must hold.
const (
	growth    = 0.6     // of the snapshot
	minGrowth = 1 << 20 // bytes, where the snapshot is small
)

// roomWanted is how many bytes a disk must have free before it counts as one
// that takes batches.
const roomWanted = 64 << 10

// The troubles with a file that is left alone.
var (
	errLocked     = errors.New("locked by another process")
	errNotRegular = errors.New("not a regular file")
)

// opener is os.OpenFile.
type opener func(name string, flag int, perm os.FileMode) (*os.File, error)

// journal is an open state file in a locked folder. It is used by one
// goroutine.
type journal struct {
	path string
	open opener
	lock *os.File // nil: not locked
	file *os.File // nil: not open for writing
	base int64    // bytes of the snapshot
	size int64    // bytes of whole lines
}

// checkPlace makes the folder of a state file. The error says that there can be
// none.
func checkPlace(path string) error {
	info, err := os.Stat(path)
	switch {
	case err == nil && !info.Mode().IsRegular():
		return errNotRegular
	case errors.Is(err, fs.ErrNotExist):
		return os.MkdirAll(filepath.Dir(path), 0o700)
	default:
		return err
	}
}

// acquire locks the folder, by a file of its own: the state file is replaced
// now and then. The lock ends with close, or with the process.
func (j *journal) acquire() error {
	f, err := j.open(j.lockPath(), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := lockFile(f); err != nil {
		_ = f.Close()
		return err
	}
	j.lock = f
	return nil
}

func (j *journal) lockPath() string { return j.path + ".lock" }

// reader opens the file for reading. One that is not there is empty.
func (j *journal) reader() (io.ReadCloser, error) {
	f, err := j.open(j.path, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return io.NopCloser(strings.NewReader("")), nil
	}
	return f, err
}

// begin opens the file for writing behind what was read of it, and tries
// whether the disk has room.
func (j *journal) begin(a account) (err error) {
	if j.file, err = j.open(j.path, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return err
	}
	j.base, j.size = a.base, a.end
	if err := j.file.Truncate(j.size); err != nil {
		return err
	}
	reserve, err := j.beside(func(w *bufio.Writer) { _, _ = w.Write(make([]byte, roomWanted)) })
	if err != nil {
		return err
	}
	_ = reserve.Close()
	return os.Remove(reserve.Name())
}

// beside writes a new file next to the state file, through to the disk. A
// bufio.Writer keeps its first error, so that fill need not look.
func (j *journal) beside(fill func(*bufio.Writer)) (*os.File, error) {
	f, err := j.open(j.path+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	w := bufio.NewWriterSize(f, 64<<10)
	fill(w)
	if err = w.Flush(); err == nil {
		err = f.Sync()
	}
	if err != nil {
		_ = f.Close()
		_ = os.Remove(f.Name()) // its room is wanted
		return nil, err
	}
	return f, nil
}

// append writes lines through to the disk. On an error the file is as it was,
// or broken says that it may not be.
func (j *journal) append(lines []byte) (broken bool, err error) {
	_, err = j.file.WriteAt(lines, j.size)
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		return j.file.Truncate(j.size) != nil, err
	}
	j.size += int64(len(lines))
	return false, nil
}

// replace puts a snapshot in the file's place: beside it first, so that there
// is a whole file at any moment.
func (j *journal) replace(fill func(*bufio.Writer)) error {
	f, err := j.beside(fill)
	if err != nil {
		return err
	}
	if err := os.Rename(f.Name(), j.path); err != nil {
		_ = f.Close()
		_ = os.Remove(f.Name())
		return err
	}
	_ = j.file.Close()
	j.file = f
	if j.size, err = f.Seek(0, io.SeekEnd); err != nil {
		return err
	}
	j.base = j.size
	return syncFolder(filepath.Dir(j.path))
}

// syncFolder brings a folder's names to the disk, where its file system can.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); !errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}

// full reports whether the file is due for a new snapshot.
func (j *journal) full() bool {
	return j.size-j.base > max(minGrowth, int64(growth*float64(j.base)))
}

// moved reports whether somebody removed, replaced or cut the file, or its
// lock.
func (j *journal) moved() bool {
	info, err := j.file.Stat()
	return err == nil && info.Size() != j.size || elsewhere(j.file, j.path) || elsewhere(j.lock, j.lockPath())
}

// elsewhere reports whether path is no longer the open file f.
func elsewhere(f *os.File, path string) bool {
	here, err := f.Stat()
	there, err2 := os.Stat(path)
	return err == nil && (errors.Is(err2, fs.ErrNotExist) || err2 == nil && !os.SameFile(here, there))
}

// close closes the file and ends the lock.
func (j *journal) close() {
	for _, f := range []*os.File{j.file, j.lock} {
		if f != nil {
			_ = f.Close()
		}
	}
}
