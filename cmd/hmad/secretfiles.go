package main

import (
	"fmt"
	"io/fs"
	"os"
	"slices"

	"go.uber.org/zap"

	"github.com/hmad/hmad/internal/config"
)

// othersRead is the right of every user of the host to read a file.
const othersRead fs.FileMode = 0o004

// exposed returns those of the files with secrets that every user of this host may
// read by their mode. A file that cannot be found is told where it is read.
func exposed(all []config.NamedFile) []config.NamedFile {
	return slices.DeleteFunc(slices.Clone(all), func(f config.NamedFile) bool {
		info, err := os.Stat(f.Name)
		return err != nil || !info.Mode().IsRegular() || info.Mode()&othersRead == 0
	})
}

// closeIt is how a file is taken from the other users of a host.
func closeIt(f config.NamedFile) string { return "chmod o= " + config.ShownFile(f.Name) }

// secretSteps say of files with secrets that everybody may read them, or that
// nobody else may.
func secretSteps(all []config.NamedFile) []step {
	const what = "secret files"
	open := exposed(all)
	if len(all) > 0 && len(open) == 0 {
		return []step{{What: what, Status: works, Detail: fmt.Sprintf("none is readable by all (files: %d)", len(all))}}
	}
	var steps []step
	for _, f := range open {
		steps = append(steps, step{what, warned, fmt.Sprintf("%s: %s is readable by all", f.Setting, config.ShownFile(f.Name)),
			closeIt(f) + ", and change the secret if others use this host: docs/credentials.md"})
	}
	return steps
}

// tellExposed logs, once for each, the files with secrets of a config in force
// that everybody may read.
func (d *daemon) tellExposed(file *config.File) {
	all := webSecrets(d.guard.path)
	for _, t := range file.Targets {
		for _, f := range t.SecretFiles() {
			all = append(all, config.NamedFile{Setting: f.Setting + " of target " + t.Name, Name: f.Name})
		}
	}
	for _, f := range exposed(all) {
		if !slices.Contains(d.told, f.Name) {
			d.told = append(d.told, f.Name)
			d.log.Warn("a file with a secret is readable by all users of this host", zap.String("setting", f.Setting),
				zap.String("file", config.ShownFile(f.Name)), zap.String("mend", closeIt(f)))
		}
	}
}
