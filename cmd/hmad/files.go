package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/directory"
	"github.com/hmad/hmad/internal/entra"
	"github.com/hmad/hmad/internal/report/intake"
)

// build is what the commands make of a config file: the same for all of them, so
// that config check says what run will do.
type build struct {
	file *config.File
	catalog.Built
	later []*config.Error // with files that may come after the start
}

// readBuild reads the config at path and the files that it names, and builds its
// checks. The error says why nothing could be read; the config's own are in the
// build.
func readBuild(path string, w *world) (build, error) {
	file, err := config.Load(path)
	if file == nil {
		return build{}, err
	}
	b := build{file: file, Built: catalog.BuildSound(file, w.env)}
	for i, t := range file.Targets {
		b.named(i, t)
		if file.Sound(i) {
			b.contents(i, t, w.env(t, "files"))
		}
	}
	return b, nil
}

// buildChecks is readBuild for those that need a config without any error.
func buildChecks(path string, w *world) (build, error) {
	b, err := readBuild(path, w)
	if err == nil {
		err = b.file.Join(b.Errors...)
	}
	if err == nil {
		err = w.keepsPushed(b.file)
	}
	return b, err
}

// buildBesideFiles is buildChecks for those that go on past files that cannot be
// used.
func buildBesideFiles(path string, w *world) (build, error) {
	b, err := readBuild(path, w)
	if err == nil {
		err = b.file.Join(slices.DeleteFunc(slices.Clone(b.Errors), ofFile)...)
	}
	if err == nil {
		err = w.keepsPushed(b.file)
	}
	return b, err
}

// ofFile reports whether an error is about a setting that names a file.
func ofFile(e *config.Error) bool {
	return slices.ContainsFunc(config.Target{}.FileSettings(), func(f config.NamedFile) bool { return strings.HasSuffix(e.Path, "]."+f.Setting) })
}

// named judges whether the files that a target names can be read.
func (b *build) named(i int, t config.Target) {
	for _, f := range t.Files() {
		err := f.Readable()
		if err == nil {
			continue
		}
		fault := b.file.InTarget(i, config.Invalid(f.Setting, "%s", named(f.Name, err)))
		if f.Waits(err) {
			b.later = append(b.later, fault)
		} else {
			b.Errors = append(b.Errors, fault)
		}
	}
}

// contents judges what stands in the files of a target's credentials and listener,
// whether or not a check reads them.
func (b *build) contents(i int, t config.Target, env check.Env) {
	var all []error
	if !t.OnPrem.Report.Listen.IsZero() {
		all = append(all, intake.New(t.OnPrem.Report, env, nil).Check()...)
	}
	if !t.OnPrem.LDAP.URL.IsZero() {
		all = append(all, directory.CheckFiles(env, t.OnPrem.LDAP)...)
	}
	if t.ExchangeOnline.Configured() {
		if _, err := entra.New(t, env); err != nil {
			all = append(all, err)
		}
	}
	for _, err := range all {
		b.Errors = append(b.Errors, b.file.InTarget(i, err))
	}
}

// count returns how many files the config names.
func (b *build) count() int {
	n := 0
	for _, t := range b.file.Targets {
		n += len(t.Files())
	}
	return n
}

// fileSteps say of the files that target i names what is wrong with them.
func (b *build) fileSteps(i int, t config.Target) []step {
	steps := fileSteps(b.file.Of(i, b.Errors), broken, "put it there and let this user read it, or correct the setting")
	steps = append(steps, fileSteps(b.file.Of(i, b.later), warned, "hmad starts without it, and looks again at each run")...)
	if all := len(t.Files()); all > 0 && len(steps) == 0 {
		return []step{{What: "files", Status: works, Detail: fmt.Sprintf("user %s can read those that the config names (files: %d)", config.User(), all)}}
	}
	return steps
}

func fileSteps(faults []*config.FieldError, status, advice string) []step {
	var steps []step
	for _, f := range faults {
		steps = append(steps, step{"files", status, f.Error(), advice})
	}
	return steps
}
