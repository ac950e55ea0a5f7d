//go:build !unix

package state

import "os"

// lockFile locks nothing: the daemon runs on Unix alone.
func lockFile(*os.File) error { return nil }
