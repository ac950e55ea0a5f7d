package metadata

import (
	"maps"
	"slices"
	"time"

	"github.com/hmad/hmad/internal/check"
)

const (
	// ledgerKey is the ledger's place in the target's memory. metadata_refresh
	// reads it as well.
	ledgerKey = "evosts_metadata.ledger"

	// closeLook is how far apart two looks may be for a change between them to
	// count as seen when it happened. Runs come every 15 minutes: some may fail.
	closeLook = time.Hour
	// publicationGap is how long a certificate may be out of publication and
	// count as published all the time when it comes back.
	publicationGap = 24 * time.Hour
	// usedFor is how long a key that a token named counts as in use.
	usedFor = 24 * time.Hour
	// forgetAfter is when a certificate that is nowhere is forgotten.
	forgetAfter = 30 * 24 * time.Hour
	// maxLedger bounds the certificates kept of one kind; Exchange takes ten.
	maxLedger = 256
)

// ledger is what hmad remembers of signing certificates between runs.
type ledger struct {
	Looked    time.Time                       `json:"looked"` // last good look at what is published
	Published map[Thumbprint]*sighting        `json:"published"`
	Stored    map[string]map[Thumbprint]*held `json:"stored"` // by name of the auth server
	Used      map[Thumbprint]time.Time        `json:"used"`   // keys that tokens named, when last
	Places    []string                        `json:"places"` // the auth servers' documents, when they were last known
}

// since is when something began: at At at the latest, at Earliest at the
// earliest. The zero Earliest is «nobody knows how long before».
type since struct {
	At       time.Time `json:"at"`
	Earliest time.Time `json:"earliest,omitzero"`
}

// sighting is a certificate that was seen published.
type sighting struct {
	First     since     `json:"first"`
	Last      time.Time `json:"last"`
	Gone      time.Time `json:"gone,omitzero"` // first good look without it
	NotBefore time.Time `json:"not_before,omitzero"`
	NotAfter  time.Time `json:"not_after,omitzero"`
	Subject   string    `json:"subject,omitempty"`
}

// held is a certificate that was seen in an auth server's stored copy.
type held struct {
	First since     `json:"first"`
	Last  time.Time `json:"last"`
	Lost  *since    `json:"lost,omitempty"` // first good look without it
}

// loadLedger reads the ledger, or begins one.
func loadLedger(m check.Memory, now time.Time) *ledger {
	l := new(ledger)
	if !m.Get(ledgerKey, l) {
		l = new(ledger)
	}
	if l.Published == nil {
		l.Published = map[Thumbprint]*sighting{}
	}
	if l.Stored == nil {
		l.Stored = map[string]map[Thumbprint]*held{}
	}
	if l.Used == nil {
		l.Used = map[Thumbprint]time.Time{}
	}
	l.dropNothings()
	l.clamp(now)
	return l
}

// dropNothings drops the nulls that JSON may hold where an entry belongs.
func (l *ledger) dropNothings() {
	maps.DeleteFunc(l.Published, func(_ Thumbprint, s *sighting) bool { return s == nil })
	maps.DeleteFunc(l.Stored, func(_ string, hs map[Thumbprint]*held) bool { return hs == nil })
	for _, hs := range l.Stored {
		maps.DeleteFunc(hs, func(_ Thumbprint, h *held) bool { return h == nil })
	}
}

// save forgets what no longer matters and keeps the rest.
func (l *ledger) save(m check.Memory, now time.Time) {
	maps.DeleteFunc(l.Published, func(_ Thumbprint, s *sighting) bool {
		return !s.Gone.IsZero() && now.Sub(s.Last) > forgetAfter
	})
	for name, hs := range l.Stored {
		maps.DeleteFunc(hs, func(_ Thumbprint, h *held) bool { return h.Lost != nil && now.Sub(h.Last) > forgetAfter })
		bound(hs, func(h *held) time.Time { return h.Last })
		if len(hs) == 0 {
			delete(l.Stored, name)
		}
	}
	maps.DeleteFunc(l.Used, func(_ Thumbprint, t time.Time) bool { return now.Sub(t) > usedFor })
	bound(l.Published, func(s *sighting) time.Time { return s.Last })
	bound(l.Used, func(t time.Time) time.Time { return t })
	m.Put(ledgerKey, l)
}

// bound keeps the maxLedger newest entries.
func bound[V any](m map[Thumbprint]V, last func(V) time.Time) {
	if len(m) <= maxLedger {
		return
	}
	oldest := slices.SortedFunc(maps.Keys(m), func(a, b Thumbprint) int { return last(m[a]).Compare(last(m[b])) })
	for _, t := range oldest[:len(m)-maxLedger] {
		delete(m, t)
	}
}

// clamp brings times of a future down to now: a clock that was ahead and has
// been set right must not keep ages from growing.
func (l *ledger) clamp(now time.Time) {
	down := func(ts ...*time.Time) {
		for _, t := range ts {
			if t.After(now) {
				*t = now
			}
		}
	}
	down(&l.Looked)
	for _, s := range l.Published {
		down(&s.First.At, &s.First.Earliest, &s.Last, &s.Gone)
	}
	for _, hs := range l.Stored {
		for _, h := range hs {
			down(&h.First.At, &h.First.Earliest, &h.Last)
			if h.Lost != nil {
				down(&h.Lost.At, &h.Lost.Earliest)
			}
		}
	}
	for t, at := range l.Used {
		down(&at)
		l.Used[t] = at
	}
}

// between returns when something began that was not so at the look before (zero:
// there was none) and is so now. Looks that are close count as one moment.
func between(before, now time.Time) since {
	if now.Sub(before) <= closeLook {
		return since{now, now}
	}
	return since{now, before}
}

// publishedNow writes down a good look at everything that is published.
func (l *ledger) publishedNow(now time.Time, certificates []Certificate) {
	there := setOf(certificates)
	for t, c := range there {
		s := l.Published[t]
		if s == nil || !s.Gone.IsZero() && now.Sub(s.Gone) >= publicationGap {
			s = &sighting{First: firstPublished(c, l.Looked, now)}
			l.Published[t] = s
		}
		s.Last, s.Gone = now, time.Time{}
		if c.Subject != "" || !c.NotAfter.IsZero() {
			s.NotBefore, s.NotAfter, s.Subject = c.NotBefore, c.NotAfter, c.Subject
		}
	}
	for t, s := range l.Published {
		if _, published := there[t]; !published && s.Gone.IsZero() {
			s.Gone = now
		}
	}
	l.Looked = now
}

// firstPublished returns when a certificate was published that is new to us: not
// before the look that did not see it, nor before it was valid.
func firstPublished(c Certificate, before, now time.Time) since {
	s := between(before, now)
	if c.NotBefore.After(s.Earliest) {
		s.Earliest = c.NotBefore
		if c.NotBefore.After(now) {
			s.Earliest = now
		}
	}
	return s
}

// storedNow writes down what an auth server held at a moment.
func (l *ledger) storedNow(server string, at time.Time, certificates []Certificate) {
	if l.Stored[server] == nil {
		l.Stored[server] = map[Thumbprint]*held{}
	}
	hs, there := l.Stored[server], setOf(certificates)
	before := lastLook(hs)
	for t := range there {
		h := hs[t]
		if h == nil || h.Lost != nil {
			h = &held{First: between(before, at)}
			hs[t] = h
		}
		h.Last = at
	}
	for t, h := range hs {
		if _, stored := there[t]; !stored && h.Lost == nil {
			lost := between(h.Last, at)
			h.Lost = &lost
		}
	}
}

// lastLook returns when an auth server was last read; zero when never.
func lastLook(hs map[Thumbprint]*held) (last time.Time) {
	for _, h := range hs {
		if h.Last.After(last) {
			last = h.Last
		}
	}
	return last
}

// keyUsed writes down that a token issued then was signed with a key.
func (l *ledger) keyUsed(t Thumbprint, issued time.Time) {
	if issued.After(l.Used[t]) {
		l.Used[t] = issued
	}
}

// usedKeys returns the keys that tokens of the last 24 hours named, sorted.
func (l *ledger) usedKeys(now time.Time) []Thumbprint {
	var out []Thumbprint
	for t, at := range l.Used {
		if now.Sub(at) <= usedFor {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, Thumbprint.compare)
	return out
}

// missingSince returns since when a published certificate has been missing in an
// auth server's copy: since it was published, or since the copy lost it.
func (l *ledger) missingSince(server string, t Thumbprint) since {
	var from since
	if s := l.Published[t]; s != nil {
		from = s.First
	}
	if h := l.Stored[server][t]; h != nil && h.Lost != nil && h.Lost.At.After(from.At) {
		from = *h.Lost
	}
	return from
}

// publishedKeys returns the certificates that were published at the last good
// look, or within a gap's length before it; nil when there was no look.
func (l *ledger) publishedKeys(now time.Time) []Thumbprint {
	var out []Thumbprint
	for t, s := range l.Published {
		if s.Gone.IsZero() || now.Sub(s.Gone) < publicationGap {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, Thumbprint.compare)
	return out
}

// Remember writes into the memory that a certificate (in DER) has been
// published since a moment. It is for the lab, whose faults take effect at the
// next run; a run writes down only what it sees.
func Remember(m check.Memory, der []byte, published, now time.Time) {
	l, c := loadLedger(m, now), newCertificate(der)
	l.Published[c.Thumbprint] = &sighting{First: since{published, published}, Last: now,
		NotBefore: c.NotBefore, NotAfter: c.NotAfter, Subject: c.Subject}
	l.save(m, now)
}
