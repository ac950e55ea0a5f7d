package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// ReadFile reads a regular file of at most max bytes. Its errors do not name the
// file.
func ReadFile(name string, max int64) ([]byte, error) {
	f, err := openFile(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, max+1))
	if err == nil && int64(len(data)) > max {
		err = fmt.Errorf("got over %d bytes, want at most that", max)
	}
	return data, FileError(err)
}

// openFile opens a regular file. It does not wait for the other end of a FIFO.
func openFile(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, FileError(err)
	}
	info, err := f.Stat()
	if err == nil {
		err = wantRegular(info.Mode())
	}
	if err != nil {
		_ = f.Close() // nothing was written
		return nil, FileError(err)
	}
	return f, nil
}

// wantRegular refuses what is no regular file.
func wantRegular(mode fs.FileMode) error {
	switch {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		return errors.New("got a directory, want a file")
	case mode&fs.ModeNamedPipe != 0:
		return errors.New("got a FIFO, want a file")
	case mode&fs.ModeSocket != 0:
		return errors.New("got a socket, want a file")
	default:
		return errors.New("got a device, want a file")
	}
}

// FileError returns an error about a file without the file's name. Of a refusal
// it says whom.
func FileError(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	if err == nil {
		return nil
	}
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: user %s may not read it", err, User())
	}
	return err
}

// User returns the name of the user that the process runs as, or else the number.
func User() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return strconv.Itoa(os.Geteuid())
}
