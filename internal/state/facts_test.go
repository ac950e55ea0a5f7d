package state

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
)

var (
	colour = &check.Fact{Name: "colour", Doc: "its colour"}
	size   = &check.Fact{Name: "size", Doc: "its size"}
)

func TestWhatAFactWasAndWhenItChanged(t *testing.T) {
	seen := func(f *check.Fact, subject, value string) check.Observed {
		return check.Observed{Fact: f, Subject: subject, Value: value}
	}
	at := func(n int) time.Time { return noon.Add(time.Duration(n) * time.Minute) }
	for name, c := range map[string]struct {
		runs [][]check.Observed // a minute apart
		want []Fact
	}{
		"first seen is no change":       {[][]check.Observed{{seen(colour, "a", "red")}}, []Fact{{seen(colour, "a", "red"), "", time.Time{}}}},
		"the same again is none":        {[][]check.Observed{{seen(colour, "a", "red")}, {seen(colour, "a", "red")}}, []Fact{{seen(colour, "a", "red"), "", time.Time{}}}},
		"another value is a change":     {[][]check.Observed{{seen(colour, "a", "red")}, {seen(colour, "a", "blue")}}, []Fact{{seen(colour, "a", "blue"), "red", at(1)}}},
		"the last change counts":        {[][]check.Observed{{seen(colour, "a", "red")}, {seen(colour, "a", "blue")}, {seen(colour, "a", "red")}}, []Fact{{seen(colour, "a", "red"), "blue", at(2)}}},
		"what was not seen stays":       {[][]check.Observed{{seen(colour, "a", "red")}, {}}, []Fact{{seen(colour, "a", "red"), "", time.Time{}}}},
		"subjects and kinds are apart":  {[][]check.Observed{{seen(colour, "a", "red"), seen(colour, "b", "blue"), seen(size, "a", "red")}}, []Fact{{seen(colour, "a", "red"), "", time.Time{}}, {seen(colour, "b", "blue"), "", time.Time{}}, {seen(size, "a", "red"), "", time.Time{}}}},
		"another subject is a new fact": {[][]check.Observed{{seen(colour, "a", "red")}, {seen(colour, "b", "blue")}}, []Fact{{seen(colour, "a", "red"), "", time.Time{}}, {seen(colour, "b", "blue"), "", time.Time{}}}},
	} {
		t.Run(name, func(t *testing.T) {
			var facts []Fact
			for n, run := range c.runs {
				facts, _ = withFacts(facts, run, at(n))
			}
			assert.Equal(t, c.want, facts)
		})
	}
}

func TestFactsAreBoundedAndThoseThatChangedStay(t *testing.T) {
	facts, _ := withFacts(nil, []check.Observed{{Fact: colour, Subject: "first", Value: "red"}}, noon)
	facts, _ = withFacts(facts, []check.Observed{{Fact: colour, Subject: "first", Value: "blue"}}, noon.Add(time.Minute))
	for n := range 100 {
		facts, _ = withFacts(facts, []check.Observed{{Fact: colour, Subject: fmt.Sprint(n), Value: "red"}}, noon.Add(time.Hour))
	}
	require.Len(t, facts, maxFacts)
	assert.Equal(t, "first", facts[0].Subject)
}

func TestFactsSurviveARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := options()
		for i, d := range o.Defs {
			with := *d
			with.Facts = []*check.Fact{colour}
			o.Defs = slices.Clone(o.Defs)
			o.Defs[i] = &with
		}
		s := opened(t, statePath(t), o)
		for n, value := range []string{"red", "blue", "blue"} {
			r := run(activesync, n)
			r.Report.Facts = []check.Observed{{Fact: colour, Subject: "a", Value: value}, {Fact: size, Value: "large"}}
			s.Record(r)
		}
		want := statusOf(t, s, activesync).Facts
		require.Len(t, want, 2)
		require.Equal(t, "red", want[0].Before)

		s = reopened(t, s)
		assert.Equal(t, want[:1], statusOf(t, s, activesync).Facts, "a kind that is no more declared goes")
	})
}
