package check_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
)

var (
	dead   = &check.Reason{Name: "dead", Severity: check.Critical}
	odd    = &check.Reason{Name: "odd", Severity: check.Critical}
	old    = &check.Reason{Name: "old", Severity: check.Warning}
	stray  = &check.Reason{Name: "stray", Severity: check.Critical}
	heat   = &check.Metric{Name: "hmad_heat", Kind: check.Gauge, Labels: []string{"room"}}
	total  = &check.Metric{Name: "hmad_total", Kind: check.Counter}
	colour = &check.Fact{Name: "colour", Doc: "its colour"}
	doors  = &check.Def{Name: "doors", Reasons: []*check.Reason{dead, odd, old}, Metrics: []*check.Metric{heat, total}, Facts: []*check.Fact{colour}}
)

var (
	errQuiet = check.Errorf(check.Resolver, "no answer")
	errToken = check.Errorf(check.Token, "no token")
)

func TestAVerdictIsOpenUntilSomebodyJudges(t *testing.T) {
	for name, c := range map[string]struct {
		judge    func(*check.Verdict)
		found    []string
		unjudged map[string]string
		err      string
		class    *check.Class
		outcome  check.Outcome
	}{
		"nothing was compared": {judge: func(*check.Verdict) {}, unjudged: map[string]string{"dead": "a defect of hmad: doors did not judge dead, odd, old",
			"odd": "a defect of hmad: doors did not judge dead, odd, old", "old": "a defect of hmad: doors did not judge dead, odd, old"},
			err: "a defect of hmad: doors did not judge dead, odd, old", class: check.Internal, outcome: check.Undecided},
		"one reason was forgotten": {judge: func(v *check.Verdict) { v.Clear(dead, old) },
			unjudged: map[string]string{"odd": "a defect of hmad: doors did not judge odd"},
			err:      "a defect of hmad: doors did not judge odd", class: check.Internal, outcome: check.Undecided},
		"one was forgotten beside a critical finding": {judge: func(v *check.Verdict) { v.Clear(old); v.Find(dead, nil, "gone") },
			found: []string{"dead: gone"}, unjudged: map[string]string{"odd": "a defect of hmad: doors did not judge odd"},
			err: "a defect of hmad: doors did not judge odd", class: check.Internal, outcome: check.Failed},
		"all is well": {judge: func(v *check.Verdict) { v.Clear(dead, odd, old) }, outcome: check.Passed},
		"a warning": {judge: func(v *check.Verdict) { v.Clear(dead, odd); v.Find(old, nil, "%d years", 9) }, found: []string{"old: 9 " +
			"years"}, outcome: check.Warned},
		"in the order of the Def": {judge: func(v *check.Verdict) { v.Find(old, nil, "x"); v.Find(dead, nil, "y"); v.Clear(odd) }, found: []string{"dead: y", "old: x"}, outcome: check.Failed},
		"a reason that cannot arise leaves the run decided": {judge: func(v *check.Verdict) {
			v.Clear(dead, old)
			v.NotApplicable("no members "+
				"configured", odd)
		},
			unjudged: map[string]string{"odd": "no members configured"}, outcome: check.Passed},
		"an open reason leaves the run decided": {judge: func(v *check.Verdict) { v.Clear(dead, old); v.Open("another check tells", odd) },
			unjudged: map[string]string{"odd": "another check tells"}, outcome: check.Passed},
		"a finding that ends the run": {judge: func(v *check.Verdict) { v.Stop(dead, nil, "gone") },
			found: []string{"dead: gone"}, unjudged: map[string]string{"odd": "the run ended at dead", "old": "the run ended at " +
				"dead"}, outcome: check.Failed},
		"an error of one reason": {judge: func(v *check.Verdict) { v.Clear(dead, odd); v.Undecided(errQuiet, old) },
			unjudged: map[string]string{"old": "no answer"}, err: "no answer", class: check.Resolver, outcome: check.Undecided},
		"an error of the whole run": {judge: func(v *check.Verdict) { v.Undecided(errQuiet) },
			unjudged: map[string]string{"dead": "no answer", "odd": "no answer", "old": "no answer"}, err: "no " +
				"answer", class: check.Resolver, outcome: check.Undecided},
		"the first error's class counts, each text once": {judge: func(v *check.Verdict) {
			v.Undecided(errToken, dead)
			v.Undecided(errQuiet, odd)
			v.Undecided(errToken, old)
		}, unjudged: map[string]string{"dead": "no token", "odd": "no answer", "old": "no token"}, err: "no token; no " +
			"answer", class: check.Token, outcome: check.Undecided},
		"an error without a class": {judge: func(v *check.Verdict) { v.Undecided(errors.New("what")) },
			unjudged: map[string]string{"dead": "what", "odd": "what", "old": "what"}, err: "what", class: check.Other, outcome: check.Undecided},
		"skipped": {judge: func(v *check.Verdict) { v.Skip("no %s", "URL") },
			unjudged: map[string]string{"dead": "skipped: no URL", "odd": "skipped: no URL", "old": "skipped: no URL"}, err: "skipped: no " +
				"URL", outcome: check.Skipped},
		"a finding wins over all else, and errors stay": {judge: func(v *check.Verdict) {
			v.Clear(dead, odd, old)
			v.Open("x", dead)
			v.Undecided(errQuiet, dead)
			v.Find(dead, nil, "gone")
			v.NotApplicable("y", dead)
		}, found: []string{"dead: gone"}, err: "no answer", class: check.Resolver, outcome: check.Failed},
		"undecided wins over open, open over not applicable, that over clear": {judge: func(v *check.Verdict) {
			v.NotApplicable("never", dead, odd, old)
			v.Clear(dead, odd, old)
			v.Open("later", dead, odd)
			v.Undecided(errQuiet, dead)
			v.Open("later still", dead)
		}, unjudged: map[string]string{"dead": "no answer", "odd": "later", "old": "never"}, err: "no " +
			"answer", class: check.Resolver, outcome: check.Undecided},
		"taken back": {judge: func(v *check.Verdict) { v.Clear(odd, old); v.Find(dead, nil, "gone"); v.Retract(errQuiet, dead) },
			unjudged: map[string]string{"dead": "no answer"}, err: "no answer", class: check.Resolver, outcome: check.Undecided},
		"superseded": {judge: func(v *check.Verdict) {
			v.Clear(old)
			v.Find(odd, nil, "b")
			v.Find(dead, nil, "a")
			v.Supersede(dead, odd)
		},
			found: []string{"dead: a"}, unjudged: map[string]string{"odd": "reported by dead"}, outcome: check.Failed},
		"a reason of another check": {judge: func(v *check.Verdict) { v.Clear(dead, odd, old, stray) },
			err: "a defect of hmad: doors names the reason stray, which it does not declare", class: check.Internal, outcome: check.Undecided},
		"no reason at all": {judge: func(v *check.Verdict) { v.Clear(dead, odd, old); v.Find(nil, nil, "x") },
			err: "a defect of hmad: doors names the reason nil, which it does not declare", class: check.Internal, outcome: check.Undecided},
		"an error that is none": {judge: func(v *check.Verdict) { v.Clear(dead, odd); v.Undecided(nil, old) },
			unjudged: map[string]string{"old": "doors could not judge and does not say why"}, err: "doors could not judge and does not say " +
				"why", class: check.Internal, outcome: check.Undecided},
		"a metric of another check": {judge: func(v *check.Verdict) {
			v.Clear(dead, odd, old)
			v.Sample(&check.Metric{Name: "hmad_stray", Kind: check.Gauge}, 1)
		}, err: "a defect of hmad: doors samples the metric hmad_stray, which it does not declare", class: check.Internal, outcome: check.Undecided},
		"a sample of nothing": {judge: func(v *check.Verdict) { v.Clear(dead, odd, old); v.Sample(nil, 1) },
			err: "a defect of hmad: doors samples no metric", class: check.Internal, outcome: check.Undecided},
		"a counter": {judge: func(v *check.Verdict) { v.Clear(dead, odd, old); v.Sample(total, 1) },
			err: "a defect of hmad: doors samples hmad_total, which is no gauge", class: check.Internal, outcome: check.Undecided},
		"labels that do not fit": {judge: func(v *check.Verdict) { v.Clear(dead, odd, old); v.Sample(heat, 1) },
			err: "a defect of hmad: doors samples hmad_heat with 0 label values, wants 1", class: check.Internal, outcome: check.Undecided},
		"a fact of another check": {judge: func(v *check.Verdict) { v.Clear(dead, odd, old); v.Fact(&check.Fact{Name: "size"}, "", "1") },
			err: "a defect of hmad: doors records a fact that it does not declare", class: check.Internal, outcome: check.Undecided},
	} {
		t.Run(name, func(t *testing.T) {
			v := doors.Judge()
			c.judge(v)
			report, err := v.Report()
			if c.err == "" {
				require.NoError(t, err)
			} else {
				require.EqualError(t, err, c.err)
				if c.class != nil {
					assert.Equal(t, c.class, check.ClassOf(err))
				}
			}
			assert.Equal(t, c.found, details(report))
			assert.Equal(t, c.unjudged, whys(report))
			assert.Equal(t, c.outcome, check.Result{Report: report, Err: err}.Outcome())
		})
	}
}

func details(r check.Report) (out []string) {
	for _, f := range r.Findings {
		out = append(out, f.Reason.Name+": "+f.Detail)
	}
	return out
}

func whys(r check.Report) map[string]string {
	var out map[string]string
	for _, u := range r.Unjudged {
		if out == nil {
			out = map[string]string{}
		}
		out[u.Reason.Name] = u.Why
	}
	return out
}

func TestWhatIsFoundAtSeveralAddressesIsUnited(t *testing.T) {
	type judge = func(*check.Verdict)
	well := func(v *check.Verdict) { v.Clear(dead, odd, old) }
	for name, c := range map[string]struct {
		parts    map[string]judge
		found    []string
		about    []string
		unjudged map[string]string
		err      string
	}{
		"all well": {parts: map[string]judge{"a": well, "b": well}},
		"one sick": {parts: map[string]judge{"a": well, "b": func(v *check.Verdict) { v.Clear(odd, old); v.Find(dead, nil, "gone") }},
			found: []string{"dead: b: gone"}, about: []string{"b"}},
		"both sick in the same way": {parts: map[string]judge{"a": func(v *check.Verdict) { v.Clear(odd, old); v.Find(dead, nil, "gone") }, "b": func(v *check.Verdict) { v.Clear(odd, old); v.Find(dead, nil, "gone") }},
			found: []string{"dead: a, b: gone"}, about: []string{"a", "b"}},
		"each in its own way, and what they name": {parts: map[string]judge{"a": func(v *check.Verdict) { v.Clear(odd, old); v.Find(dead, []string{"x"}, "gone") }, "b": func(v *check.Verdict) { v.Clear(odd, old); v.Find(dead, []string{"y", "x"}, "lost") }},
			found: []string{"dead: a: gone; b: lost"}, about: []string{"x", "y"}},
		"one alone is not named in the detail": {parts: map[string]judge{"a": func(v *check.Verdict) { v.Clear(odd, old); v.Find(dead, nil, "gone") }},
			found: []string{"dead: gone"}, about: []string{"a"}},
		"one could not look": {parts: map[string]judge{"a": well, "b": func(v *check.Verdict) { v.Clear(odd, old); v.Undecided(errQuiet, dead) }},
			unjudged: map[string]string{"dead": "b: no answer"}, err: "no answer"},
		"one did not get as far": {parts: map[string]judge{"a": well, "b": func(v *check.Verdict) { v.Stop(dead, nil, "gone") }},
			found: []string{"dead: b: gone"}, about: []string{"b"}, unjudged: map[string]string{"odd": "b: the run ended at dead", "old": "b: the " +
				"run ended at dead"}},
		"one forgot a reason": {parts: map[string]judge{"a": well, "b": func(v *check.Verdict) { v.Clear(dead, old) }},
			unjudged: map[string]string{"odd": "a defect of hmad: doors did not judge odd at b"}, err: "a defect of hmad: doors did not judge odd at b"},
		"all forgot it": {parts: map[string]judge{"a": func(v *check.Verdict) { v.Clear(dead, old) }, "b": func(v *check.Verdict) { v.Clear(dead, old) }},
			unjudged: map[string]string{"odd": "a defect of hmad: doors did not judge odd"}, err: "a defect of hmad: doors did not judge odd"},
	} {
		t.Run(name, func(t *testing.T) {
			var parts []check.Part
			for _, at := range []string{"a", "b"} {
				if judge := c.parts[at]; judge != nil {
					p := check.Part{Name: at, Verdict: doors.Judge()}
					judge(p.Verdict)
					p.Note("seen")
					p.Repeat("curl")
					p.Sample(heat, 1, at)
					p.Fact(colour, at, "red")
					parts = append(parts, p)
				}
			}
			v := doors.Judge()
			v.Join(parts...)
			report, err := v.Report()
			if c.err == "" {
				require.NoError(t, err)
			} else {
				require.EqualError(t, err, c.err)
			}
			assert.Equal(t, c.found, details(report))
			assert.Equal(t, c.unjudged, whys(report))
			if len(report.Findings) > 0 {
				assert.Equal(t, c.about, report.Findings[0].About)
			}
			assert.Len(t, report.Samples, len(parts))
			assert.Len(t, report.Facts, len(parts))
			if len(parts) > 1 {
				assert.Equal(t, []string{"a: seen", "curl", "b: seen", "curl"}, report.Texts())
			} else {
				assert.Equal(t, []string{"seen", "curl"}, report.Texts())
			}
		})
	}
}

func TestWhatAVerdictKeepsIsBoundedAndClean(t *testing.T) {
	v := doors.Judge()
	v.Find(dead, []string{" a ", "", "a", "b\x1b", "c", "d", "e", "f"}, "%s\x00", string(make([]byte, 5000)))
	for range 100 {
		v.Fact(colour, "\x00", "red\n")
	}
	report, _ := v.Report()
	assert.Equal(t, []string{"a", `b\x1b`, "c", "d", "e"}, report.Findings[0].About)
	assert.Less(t, len(report.Findings[0].Detail), 1100)
	assert.Len(t, report.Facts, 64)
	assert.Equal(t, check.Observed{Fact: colour, Subject: `\x00`, Value: `red\n`}, report.Facts[0])
}

func TestNothingIsMendedBecauseNobodyLooked(t *testing.T) {
	standing := []check.Finding{{Reason: dead, Detail: "gone"}}
	for name, c := range map[string]struct {
		judge func(*check.Verdict)
		want  []string
	}{
		"looked, and it is not so":        {func(v *check.Verdict) { v.Clear(dead, odd, old) }, nil},
		"found again":                     {func(v *check.Verdict) { v.Clear(odd, old); v.Find(dead, nil, "still") }, []string{"dead: still"}},
		"left open":                       {func(v *check.Verdict) { v.Clear(odd, old); v.Open("not now", dead) }, []string{"dead: gone"}},
		"could not look beside a finding": {func(v *check.Verdict) { v.Clear(old); v.Find(odd, nil, "new"); v.Undecided(errQuiet, dead) }, []string{"odd: new", "dead: gone"}},
		"cannot arise any more":           {func(v *check.Verdict) { v.Clear(odd, old); v.NotApplicable("no doors configured", dead) }, nil},
		"another finding tells of it":     {func(v *check.Verdict) { v.Clear(old); v.Find(odd, nil, "new"); v.Supersede(odd, dead) }, []string{"odd: new"}},
		"looked before the run ended":     {func(v *check.Verdict) { v.Clear(dead); v.Stop(odd, nil, "new") }, []string{"odd: new"}},
	} {
		t.Run(name, func(t *testing.T) {
			v := doors.Judge()
			c.judge(v)
			report, _ := v.Report()
			carried := report.Carry(standing)
			assert.Equal(t, c.want, details(carried))
			for _, f := range carried.Findings {
				assert.Equal(t, f.Detail == "gone", f.Carried)
			}
		})
	}
}

func TestEveryClassHasItsWords(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range check.Classes {
		assert.Regexp(t, `^[a-z_]+$`, c.Name)
		assert.False(t, seen[c.Name], c.Name)
		seen[c.Name] = true
		assert.NotEmpty(t, c.Means, c.Name)
		assert.NotEmpty(t, c.Look, c.Name)
		assert.Same(t, c, check.ClassNamed(c.Name))
	}
	assert.Same(t, check.Other, check.ClassNamed("no such class"))
	assert.Same(t, check.Other, check.ClassOf(errors.New("x")))
}
