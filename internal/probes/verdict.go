package probes

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"slices"

	"github.com/hmad/hmad/internal/check"
)

// stop records a finding behind which nothing can be seen: the reasons after it
// among those of one address stay open.
func stop(v *check.Verdict, reasons []*check.Reason, r *check.Reason, format string, args ...any) {
	v.Find(r, nil, format, args...)
	v.Open("the answer was judged as far as "+r.Name, check.After(reasons, r)...)
}

// reach returns the addresses at which u's host is asked; none where v says why.
func (r *route) reach(ctx context.Context, v *check.Verdict, u *url.URL, members []netip.AddrPort, reasons []*check.Reason, reqs ...*http.Request) []way {
	ws, faults, notes, err := r.ways(ctx, u, members...)
	noteAll(v, notes)
	if len(ws) == 0 {
		r.repeat(v, reqs...)
	}
	if err != nil {
		v.Undecided(err)
		return nil
	}
	for _, f := range faults {
		v.Find(f.Reason, f.About, "%s", f.Detail)
		if len(ws) == 0 {
			v.Open("there was no address to ask", check.After(reasons, f.Reason)...)
		}
	}
	return ws
}

// visitOnceMore asks those once more that may have refused what is hmad's own, and
// leaves out what cannot be judged: v says why.
func (r *route) visitOnceMore(ctx context.Context, v *check.Verdict, visits []Visit, reqs ...*http.Request) (kept []Visit) {
	errs := make([]error, len(visits))
	parallel(len(visits), func(i int) { visits[i], errs[i] = r.asAnother(ctx, visits[i], reqs...) })
	for i, x := range visits {
		if errs[i] == nil {
			kept = append(kept, x)
			continue
		}
		x.note(v)
		v.Undecided(errs[i])
	}
	return kept
}

// visitWays asks every way the requests, once more where hmad's User-Agent may
// have been refused. An error of our own side is v's; the visits that took place
// are returned all the same.
func (r *route) visitWays(ctx context.Context, v *check.Verdict, ws []way, reqs ...*http.Request) []Visit {
	visits, notes, err := r.visitAll(ctx, ws, reqs...)
	noteAll(v, notes)
	if err != nil {
		r.repeat(v, reqs...)
		v.Undecided(err)
	}
	return r.visitOnceMore(ctx, v, visits, reqs...)
}

// judge records what the connection showed: its faults, what was in order, and
// what could not be seen because the visit ended. The reasons are those of one
// address, the transport reasons first. It returns the answers that were read
// to their end.
func (v Visit) judge(verdict *check.Verdict, reasons []*check.Reason) []*Answer {
	answers := v.whole()
	passed := transportReasons
	for _, f := range v.Faults {
		verdict.Find(f.Reason, f.About, "%s", f.Detail)
	}
	if v.Ended && len(answers) == 0 {
		last := v.Faults[len(v.Faults)-1].Reason
		verdict.Open("the visit ended at "+last.Name, check.After(reasons, last)...)
		passed = transportReasons[:slices.Index(transportReasons, last)]
	}
	if v.unsure != "" {
		verdict.Note("the certificate was not judged to its end: %s", v.unsure)
		verdict.Open(v.unsure, certificateUntrusted)
	}
	verdict.Clear(passed...)
	if v.route != nil && v.route.Proxy() != nil {
		verdict.NotApplicable("the proxy resolves the name", dnsFailed)
	}
	return answers
}

// whole returns the answers that were read to their end.
func (v Visit) whole() []*Answer {
	if v.Ended && len(v.Answers) == len(v.asked) && len(v.Answers) > 0 {
		return v.Answers[:len(v.Answers)-1]
	}
	return v.Answers
}

// part returns the verdict on the visit's address as one of several.
func (v Visit) part(verdict *check.Verdict) check.Part {
	subject := v.Host
	if v.Address.IsValid() {
		subject += " at " + v.peer()
	}
	return check.Part{Name: v.peer(), Subject: subject, Verdict: verdict}
}

// record keeps what the visits measured and how to repeat them.
func record(v *check.Verdict, visits []Visit) {
	v.Samples(samples(visits)...)
	connectionFacts(v, visits)
	for _, x := range visits {
		x.note(v)
	}
}

// doubt returns the function that asks whether our own side is to blame for
// transport findings: nil where the target does not share its way out. What
// cannot be laid at the customer's door is taken back.
func doubt(env check.Env) func(context.Context, *check.Verdict) {
	if env.Vantage == nil {
		return nil
	}
	return func(ctx context.Context, v *check.Verdict) {
		var doubtful []*check.Reason
		for _, f := range v.Findings() {
			if f.Reason.Confirm && slices.Contains(transportReasons, f.Reason) {
				doubtful = append(doubtful, f.Reason)
			}
		}
		if len(doubtful) == 0 {
			return
		}
		if err := env.Vantage(ctx); err != nil {
			v.Retract(check.Errorf(check.VantageOffline, "what was found is taken back: %w", err), doubtful...)
		}
	}
}
