package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// The troubles with a file other than damage: it is left alone.
var (
	errLocked     = errors.New("locked by another process")
	errNotRegular = errors.New("not a regular file")
	errNewer      = errors.New("written by a newer version of hmad")
)

// damage is the error of a file whose content cannot be trusted.
type damage struct {
	error
	panicked bool // bbolt may still hold its own locks
}

func (d damage) Unwrap() error { return d.error }

func damagef(format string, args ...any) error { return damage{error: fmt.Errorf(format, args...)} }

func isDamage(err error) bool {
	var d damage
	return errors.As(err, &d)
}

// guard calls f, in which bbolt may panic or touch memory that is not there
// because the file is damaged: both become damage.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = damage{fmt.Errorf("bbolt gave up: %v", r), true}
		}
	}()
	return f()
}

// opener is os.OpenFile.
type opener func(name string, flag int, perm os.FileMode) (*os.File, error)

// file is an open bbolt file. It is used by one goroutine.
type file struct {
	db       *bbolt.DB
	os       *os.File // bbolt's own handle
	panicked bool     // bbolt did, and may hold its own locks for ever
}

// guard is guard for what uses the open file.
func (f *file) guard(use func() error) error {
	err := guard(use)
	var d damage
	f.panicked = f.panicked || errors.As(err, &d) && d.panicked
	return err
}

// isNew says whether there is no file at path, or an empty one. The error says
// that there is something else.
func isNew(path string) (bool, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true, nil
	case err == nil && !info.Mode().IsRegular():
		return false, errNotRegular
	case err != nil:
		return false, err
	}
	return info.Size() == 0, nil
}

// readFile gives every row of the file to take, as load does. bbolt opened
// read-only holds its lock, shared, and looks at the meta pages alone.
func readFile(path string, open opener, take func(k key, value []byte)) error {
	f, err := openFile(path, true, open)
	if err != nil {
		return err
	}
	defer f.close()
	return f.load(take)
}

// newFile opens the file for writing, or makes one. Its schema comes before
// any other row, so that a file of which only a part was written is known.
func newFile(path string, open opener) (*file, error) {
	empty, err := isNew(path)
	if err != nil {
		return nil, err
	}
	f, err := openFile(path, false, open)
	if err == nil {
		if err = f.put([]row{{schemaKey, strconv.AppendInt(nil, schema, 10)}}); err == nil {
			return f, nil
		}
		f.close()
	}
	if empty && !errors.Is(err, errLocked) {
		_ = os.Truncate(path, 0) // half made, as on a full disk
	}
	return nil, err
}

// openFile opens and locks the file.
func openFile(path string, readOnly bool, open opener) (*file, error) {
	f := &file{}
	err := f.guard(func() (err error) {
		f.db, err = bbolt.Open(path, 0o600, &bbolt.Options{
			ReadOnly: readOnly,
			Timeout:  time.Millisecond, // one try: it is made again with each batch
			OpenFile: func(name string, flag int, perm os.FileMode) (_ *os.File, err error) {
				f.os, err = open(name, flag, perm)
				return f.os, err
			},
		})
		return err
	})
	if f.panicked {
		f.close()
	}
	if err != nil {
		return nil, openError(err)
	}
	return f, nil
}

// openError tells the troubles of the system from damage.
func openError(err error) error {
	var (
		path  *fs.PathError
		errno syscall.Errno
	)
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return errLocked
	case errors.As(err, &path), errors.As(err, &errno), isDamage(err):
		return err
	default:
		return damage{error: err}
	}
}

// close gives the file back. After a panic bbolt's own Close could wait for
// ever: then only the handle is closed, and the memory map stays until the
// process ends.
func (f *file) close() {
	if f.panicked {
		_ = f.os.Close()
		return
	}
	_ = guard(f.db.Close)
}

// moved says whether path is no longer this file: somebody removed or replaced
// it.
func (f *file) moved(path string) bool {
	here, err := f.os.Stat()
	there, err2 := os.Stat(path)
	return err == nil && (errors.Is(err2, fs.ErrNotExist) || err2 == nil && !os.SameFile(here, there))
}
