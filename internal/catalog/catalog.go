// Package catalog is the one list of what hmad can check.
//
// Defs lists the kinds of check; Build binds them to the targets of a config;
// the documents generated from the list (docs/checks.md, docs/metrics.md) and
// the tests of this package keep checks, metrics, documents and the lab's
// faults in step.
package catalog

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/hmad/hmad/internal/audit"
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/metadata"
	"github.com/hmad/hmad/internal/near"
	"github.com/hmad/hmad/internal/probes"
	"github.com/hmad/hmad/internal/run"
	hmadsync "github.com/hmad/hmad/internal/sync"
)

//go:generate go run ./generate

// Defs lists every kind of check, in the order in which a phone meets what
// they watch.
func Defs() []*check.Def {
	return []*check.Def{probes.Vantage, probes.AutoDetect, probes.CloudAutodiscover, probes.Autodiscover, probes.ActiveSync, probes.TLSOffload,
		metadata.EvoSTSMetadata, metadata.MetadataRefresh, metadata.OnPremReport, probes.TokenAcceptance, audit.Configuration, audit.Tenant,
		hmadsync.MailboxSync, hmadsync.OnPremSync, audit.AllowList}
}

// EnvFor returns the environment of a target's check. Vantage is left out:
// Build adds it.
type EnvFor func(t config.Target, checkName string) check.Env

// Build binds every Def to every target that configures its inputs. It does no
// I/O but read the files that the config names. Its error is a config.Errors
// with every fault of the file and those that the checks found in their
// settings.
func Build(f *config.File, envFor EnvFor) ([]*check.Check, error) {
	b := BuildSound(f, envFor)
	if err := f.Join(b.Errors...); err != nil {
		return nil, err
	}
	return b.Checks, nil
}

// Built is what could be built of a config.
type Built struct {
	Checks  []*check.Check
	Errors  []*config.Error // that the checks found in their settings
	Refused map[check.ID]error
	Doubts  []*config.Error // what is no error, and hardly meant
}

// BuildSound is Build for a caller that goes on past errors: it returns the checks
// that could be built, and why others could not.
func BuildSound(f *config.File, envFor EnvFor) Built {
	b := builder{file: f, envFor: envFor, refused: map[check.ID]error{}}
	for i, t := range f.Targets {
		b.target(i, t)
	}
	return Built{b.checks, b.errors, b.refused, b.doubts}
}

type builder struct {
	file      *config.File
	envFor    EnvFor
	schedules run.Schedules
	checks    []*check.Check
	errors    []*config.Error
	refused   map[check.ID]error
	doubts    []*config.Error
}

// refuse records that checks of target i cannot be built.
func (b *builder) refuse(i int, err error, checks ...*check.Check) {
	b.errors = append(b.errors, b.file.InTarget(i, err))
	for _, c := range checks {
		b.refused[c.ID()] = err
	}
}

func (b *builder) fail(path, format string, args ...any) {
	b.errors = append(b.errors, b.file.At(path, format, args...))
}

func (b *builder) doubt(path, format string, args ...any) {
	b.doubts = append(b.doubts, b.file.At(path, format, args...))
}

func (b *builder) target(i int, t config.Target) {
	path := fmt.Sprintf("targets[%d].", i)
	for _, name := range slices.Sorted(maps.Keys(t.Checks)) {
		b.settings(path+config.ShownCheck(name), name, t.Checks[name])
	}
	b.untouched(path, t)
	text := textOf(t)
	var checks []*check.Check
	for _, def := range Defs() {
		s := t.Checks[def.Name]
		if on := s.Enabled; on == nil && def.Off || on != nil && !*on {
			continue
		}
		checks = append(checks, b.plan(path+config.ShownCheck(def.Name), t, def, hash(def.Name, text)))
	}
	if b.file.Sound(i) {
		b.equip(i, t, checks)
	}
}

// equip builds the functions of the target's checks and keeps those that it
// configures.
func (b *builder) equip(i int, t config.Target, checks []*check.Check) {
	vantage, err := b.wayOut(t)
	if err != nil {
		b.refuse(i, err, checks...)
		return
	}
	for _, c := range checks {
		env := b.envFor(t, c.Name)
		env.Vantage = vantage
		if c.Parts, err = c.New(t, env); err != nil {
			b.refuse(i, err, c)
		} else if c.Run != nil {
			b.checks = append(b.checks, c)
		} else if on := t.Checks[c.Name].Enabled; on != nil {
			b.doubt(fmt.Sprintf("targets[%d].checks.%s.enabled", i, c.Name), "got true, and the check does not run: it needs %s", c.Needs)
		}
	}
}

// wayOut returns the question whether the target's way out is open; nil where
// no check has one for the target.
func (b *builder) wayOut(t config.Target) (func(context.Context) error, error) {
	d := WayOut()
	if d == nil {
		return nil, nil
	}
	return d.WayOut.Ask(t, b.envFor(t, d.Name))
}

// settings judges what a target says of the check called name.
func (b *builder) settings(path, name string, s config.CheckSettings) {
	def := Find(name)
	if def == nil {
		b.fail(path, "unknown check %s, want one of %s%s", config.Shown(name), strings.Join(Names(), ", "), near.Hint(name, Names()))
		return
	}
	if len(s.Accept) > 0 {
		b.waivers(path, s.Accept, b.envFor(config.Target{}, name).Now())
	}
	for i, w := range s.Accept {
		if w.Reason != "" && def.Reason(w.Reason) == nil {
			b.fail(fmt.Sprintf("%s.accept[%d].reason", path, i), "unknown reason %s of %s%s", config.Shown(w.Reason), name, near.Hint(w.Reason, names(def.Reasons)))
		}
	}
}

// names returns the names of reasons.
func names(reasons []*check.Reason) []string {
	all := make([]string, len(reasons))
	for i, r := range reasons {
		all[i] = r.Name
	}
	return all
}

// plan returns the check with its schedule and deadline in force, without its
// functions yet.
func (b *builder) plan(path string, t config.Target, def *check.Def, hash string) *check.Check {
	s := t.Checks[def.Name]
	c := &check.Check{Def: def, Target: t.Name, Vantage: t.Vantage, Accept: accepted(s.Accept), Hash: hash, Schedule: s.Schedule.String(), Timeout: s.Timeout}
	if s.Schedule.IsZero() {
		c.Schedule = def.Every
	}
	if c.Timeout == 0 {
		c.Timeout = def.Timeout
	}
	// A schedule that was refused is among the faults of the file, and a test
	// holds that the defaults are in order.
	if _, gap, err := b.schedules.Of(c); err == nil && c.Timeout >= gap {
		b.fail(path+".timeout", "got %s, want less than %s, the smallest gap of schedule %q", c.Timeout, gap, c.Schedule)
	}
	return c
}

// accepted returns the waivers, with their notes as far as they may be shown.
func accepted(all []config.Waiver) []config.Waiver {
	all = slices.Clone(all)
	for i := range all {
		all[i].Note = config.ShownText(all[i].Note)
	}
	return all
}

// textOf returns a target's part of the config as text.
func textOf(t config.Target) []byte {
	text, err := yaml.Marshal(t)
	if err != nil {
		panic(fmt.Sprintf("catalog: a config that was read cannot be written: %v", err))
	}
	return text
}

// hash returns a value that changes when the target's part of the config, given
// as text, does.
func hash(name string, text []byte) string {
	sum := sha256.Sum256(append([]byte(name+"\n"), text...))
	return hex.EncodeToString(sum[:8])
}

// Names lists the names of every check.
func Names() []string {
	var names []string
	for _, d := range Defs() {
		names = append(names, d.Name)
	}
	return names
}

// Find returns the Def of the name, or nil.
func Find(name string) *check.Def {
	for _, d := range Defs() {
		if d.Name == name {
			return d
		}
	}
	return nil
}

// WayOut returns the Def that tells whether hmad's own way out is open; nil
// where none does.
func WayOut() *check.Def {
	for _, d := range Defs() {
		if d.WayOut != nil {
			return d
		}
	}
	return nil
}

// OfMailbox returns the Def that tells whether Exchange knows the probe mailbox,
// and its reasons that say that it does not.
func OfMailbox() (*check.Def, []*check.Reason) {
	for _, d := range Defs() {
		reasons := slices.DeleteFunc(slices.Clone(d.Reasons), func(r *check.Reason) bool { return !r.Mailbox })
		if len(reasons) > 0 {
			return d, reasons
		}
	}
	return nil, nil
}

// Emits returns the first Def that declares the family, or nil.
func Emits(m *check.Metric) *check.Def {
	for _, d := range Defs() {
		if slices.Contains(d.Metrics, m) {
			return d
		}
	}
	return nil
}
