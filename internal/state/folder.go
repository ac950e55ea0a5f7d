package state

import (
	"os"
	"path/filepath"
	"time"
)

// Folder is a folder of files that come whole or not at all: the on-premises
// reports, which `hmad check` reads too while the daemon holds the Store's own
// file.
type Folder string

// incoming is the form of the names of files that are being written. It is not a
// regular report's name, so that readers of the folder pass it over.
const incoming = ".incoming-*"

// abandoned is the age from which nobody writes such a file any more: its process
// was killed.
const abandoned = time.Hour

// Make makes the folder where it is missing, so that its readers see that
// nothing has come yet, and removes what a killed process left half written.
func (f Folder) Make() error {
	left, _ := filepath.Glob(filepath.Join(filepath.Dir(string(f)), incoming)) // none where the name of its parent is no pattern
	for _, name := range left {
		if info, err := os.Lstat(name); err == nil && info.Mode().IsRegular() && time.Since(info.ModTime()) > abandoned {
			_ = os.Remove(name) // the next Make tries again
		}
	}
	return os.MkdirAll(string(f), 0o700)
}

// Put writes data under the base name, replacing what was there; whoever reads
// meanwhile sees the old file or the new one. The folder is made when missing.
func (f Folder) Put(name string, data []byte) (err error) {
	if err := f.Make(); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(string(f)), incoming)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp.Name()) // of no use to anybody
		}
	}()
	_, err = tmp.Write(data)
	if err == nil {
		err = tmp.Sync()
	}
	if closed := tmp.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(tmp.Name(), filepath.Join(string(f), filepath.Base(name)))
	}
	return err
}
