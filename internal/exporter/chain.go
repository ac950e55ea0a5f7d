package exporter

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/state"
)

// The picture of the chain: four steps a line, so that its words can be read on
// a phone, in units of the picture.
const (
	stepsPerLine = 4
	stepWidth    = 100
	stepHeight   = 84
)

// chain is the guide's connection flow of a target as a picture.
type chain struct {
	Width, Height int
	Steps         []chainStep
	Unwatched     []unwatched
}

// chainStep is a step of the flow, in the colour of its worst verdict.
type chainStep struct {
	look
	check.Step
	N             int
	X, Y          int
	FromX, FromY  int    // where the line from the step before begins
	Anchor, Names string // of the worst check; of all that watch it
}

// unwatched is a step that no check watches, and for want of what.
type unwatched struct{ Step, Why string }

// nobodyWatches is the look of such a step.
var nobodyWatches = look{"unwatched", "–", "not watched"}

// worstOfStep is the order of outcomes within a step.
var worstOfStep = []check.Outcome{check.Failed, check.Undecided, check.Warned, "", check.Passed, check.Skipped}

// newChain draws the flow of the target whose checks these are.
func newChain(defs []*check.Def, statuses []state.Status) chain {
	c := chain{Width: stepsPerLine * stepWidth, Height: (len(check.Flow) + stepsPerLine - 1) / stepsPerLine * stepHeight}
	for i, step := range check.Flow {
		s := chainStep{look: nobodyWatches, Step: step, N: i + 1}
		s.X, s.Y = stepWidth/2+i%stepsPerLine*stepWidth, 22+i/stepsPerLine*stepHeight
		s.FromX, s.FromY = s.X-stepWidth, s.Y
		if i%stepsPerLine == 0 {
			s.FromX = s.X - stepWidth/2
		}
		if watch := watching(defs, statuses, i+1); len(watch) > 0 {
			s.look, s.Anchor, s.Names = lookOf(outcomeOf(watch[0])), anchor(watch[0].ID), namesOf(watch)
		} else {
			c.Unwatched = append(c.Unwatched, unwatched{fmt.Sprintf("%d %s", s.N, s.Title), wanting(defs, s.N)})
		}
		c.Steps = append(c.Steps, s)
	}
	return c
}

// watching returns the checks of these that watch a step, the worst first.
func watching(defs []*check.Def, statuses []state.Status, step int) []state.Status {
	var out []state.Status
	for _, st := range statuses {
		if slices.ContainsFunc(defs, func(d *check.Def) bool { return d.Name == st.ID.Check && slices.Contains(d.Steps, step) }) {
			out = append(out, st)
		}
	}
	slices.SortStableFunc(out, func(a, b state.Status) int {
		return cmp.Compare(slices.Index(worstOfStep, outcomeOf(a)), slices.Index(worstOfStep, outcomeOf(b)))
	})
	return out
}

func namesOf(statuses []state.Status) string {
	var names []string
	for _, st := range statuses {
		names = append(names, st.ID.Check+": "+cmp.Or(string(outcomeOf(st)), notRun.Word))
	}
	return line(strings.Join(names, ", "))
}

// wanting says what a step lacks to be watched: of each check that could, the
// settings.
func wanting(defs []*check.Def, step int) string {
	var out []string
	for _, d := range defs {
		switch {
		case !slices.Contains(d.Steps, step):
		case d.Off:
			out = append(out, d.Name+" is off until it is enabled")
		case d.Needs != "":
			out = append(out, d.Name+" needs "+d.Needs)
		default:
			out = append(out, d.Name+" is switched off")
		}
	}
	return cmp.Or(strings.Join(out, "; "), "no check looks at it")
}
