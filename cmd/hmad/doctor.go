package main

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
)

// stepTimeout bounds one question of the doctor.
const stepTimeout = 30 * time.Second

// The doctor's words for a step.
const (
	works   = "works"
	off     = "off"     // not configured
	broken  = "broken"  // and the advice says what to do
	unclear = "unclear" // could not be told
	warned  = "warning"
	skipped = "skipped" // not asked in one look, and the detail says why
)

// step is one line of the doctor's table.
type step struct {
	What   string `json:"what"`
	Status string `json:"status"`
	Detail string `json:"detail,omitempty"`
	Advice string `json:"advice,omitempty"` // the role or setting that gives what is missing
}

// runDoctor is the command doctor: it tries every path and permission that the
// config asks for, and says what is off needs which setting.
func (c *cli) runDoctor(ctx context.Context) int {
	w := trial(c.storagePath)
	b, err := buildBesideFiles(c.configFile, w)
	if err != nil {
		return c.fail(exitUndecided, err)
	}
	file, checks := b.file, b.Checks
	all := []stepsOf{{"this host", c.webSteps(ctx)}}
	code := worse(exitOK, all[0].Steps)
	tried := map[string][]step{} // before the checks, whose refusals would hide what is refused here
	for i, t := range file.Targets {
		tried[t.Name] = append(b.fileSteps(i, t), paths(ctx, t, w)...)
	}
	l := look{idle: map[check.ID]string{}, refused: b.Refused}
	l.results = c.runAll(ctx, slices.DeleteFunc(checks, l.leave), file.ConfirmAfter)
	if len(l.results) > 0 {
		code = worst(code, exitCode(l.results))
	}
	for _, t := range file.Targets {
		steps := append(tried[t.Name], l.probeMailbox(t))
		code = worse(code, steps)
		all = append(all, stepsOf{t.Name, append(steps, l.checkSteps(t)...)})
	}
	if err := c.diagnosis(all); err != nil {
		return c.fail(exitUndecided, err)
	}
	if ctx.Err() != nil {
		return c.fail(exitUndecided, errors.New("interrupted"))
	}
	return code
}

// look is one look by every check that asks something in one run.
type look struct {
	results []check.Result
	idle    map[check.ID]string // why a check was left out
	refused map[check.ID]error  // why a check could not be built
}

// leave reports whether one run of the check asks nothing, and keeps why.
func (l look) leave(c *check.Check) bool {
	if c.Idle != "" {
		l.idle[c.ID()] = c.Idle
	}
	return c.Idle != ""
}

// worse returns the exit code after further steps.
func worse(code int, steps []step) int {
	codes := map[string]int{works: exitOK, off: exitOK, skipped: exitOK, warned: exitWarned, unclear: exitUndecided, broken: exitFailed}
	for _, s := range steps {
		code = worst(code, codes[s.Status])
	}
	return code
}

// worst returns the exit code that outranks the other, in the order of check.
func worst(a, b int) int {
	rank := []int{exitOK, exitWarned, exitUndecided, exitFailed}
	return rank[max(slices.Index(rank, a), slices.Index(rank, b))]
}

// of returns the result of a target's check, and whether it was run.
func (l look) of(t config.Target, d *check.Def) (check.Result, bool) {
	i := slices.IndexFunc(l.results, func(r check.Result) bool { return r.ID() == check.ID{Check: d.Name, Target: t.Name} })
	if i < 0 {
		return check.Result{}, false
	}
	return l.results[i], true
}

// checkSteps say of every check how one run went, or why there was none.
func (l look) checkSteps(t config.Target) []step {
	var steps []step
	for _, d := range catalog.Defs() {
		if r, there := l.of(t, d); there {
			steps = append(steps, resultStep(r))
			continue
		}
		steps = append(steps, l.notRun(t, d))
	}
	return steps
}

// notRun returns the step that says why a check was not run: needs which
// setting, or since one run asks nothing.
func (l look) notRun(t config.Target, d *check.Def) step {
	s := step{What: "check " + d.Name, Status: off, Detail: "needs " + d.Needs}
	on := t.Checks[d.Name].Enabled
	id := check.ID{Check: d.Name, Target: t.Name}
	idle, refused := l.idle[id], l.refused[id]
	switch {
	case on != nil && !*on:
		s.Detail = "by checks." + d.Name + ".enabled"
	case on == nil && d.Off:
		s.Detail = "needs checks." + d.Name + ".enabled: true"
	case idle != "":
		s.Status, s.Detail = skipped, idle
	case refused != nil:
		s.Status, s.Detail = unclear, oneLine(refused)
	}
	return s
}

func resultStep(r check.Result) step {
	outcome := r.Outcome()
	status := map[check.Outcome]string{check.Passed: works, check.Warned: warned, check.Failed: broken, check.Undecided: unclear, check.Skipped: skipped}
	s := step{What: "check " + r.Check, Status: status[outcome], Detail: "passed"}
	switch outcome {
	case check.Undecided, check.Skipped:
		s.Detail = oneLine(r.Err)
	case check.Failed, check.Warned:
		f := gravest(r.Report.Findings)
		s.Detail, s.Advice = f.Reason.Name+": "+f.Detail, f.Reason.Fix
	}
	return s
}

// gravest returns the first critical finding that is not accepted, else the first
// that is not.
func gravest(all []check.Finding) check.Finding {
	all = slices.DeleteFunc(slices.Clone(all), func(f check.Finding) bool { return f.Accepted })
	return slices.MinFunc(all, func(a, b check.Finding) int { return cmp.Compare(gravity(a), gravity(b)) })
}

func gravity(f check.Finding) int {
	if f.Reason.Severity == check.Critical {
		return 0
	}
	return 1
}
