package state

import (
	"os"
	"path/filepath"
)

// Folder is a folder of files that come whole or not at all: the on-premises
// reports, which `hmad check` reads too while the daemon holds the Store's own
// file.
type Folder string

// Make makes the folder where it is missing, so that its readers see that
// nothing has come yet.
func (f Folder) Make() error { return os.MkdirAll(string(f), 0o700) }

// Put writes data under the base name, replacing what was there; whoever reads
// meanwhile sees the old file or the new one. The folder is made when missing.
func (f Folder) Put(name string, data []byte) (err error) {
	if err := f.Make(); err != nil {
		return err
	}
	// Not a regular report's name, so that readers of the folder pass it over.
	tmp, err := os.CreateTemp(filepath.Dir(string(f)), ".incoming-*")
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
