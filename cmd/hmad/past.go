package main

import (
	"slices"
	"time"

	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/lab"
	"github.com/hmad/hmad/internal/metadata"
)

// memory returns a target's memory; that of a lab holds the lab's past.
func (w *world) memory(target string) check.Memory {
	m := w.store.Memory(target)
	i := slices.IndexFunc(w.labs, func(l *lab.Lab) bool { return l.Facts().Target == target })
	if i < 0 {
		return m
	}
	for _, d := range catalog.Defs() {
		if d.Rehearse != nil {
			d.Rehearse(m, w.now())
		}
	}
	return pastMemory{m, w.now, w.labs[i].Past}
}

// pastMemory is a memory of a longer past than hmad has had: what takes hours
// in earnest a lab's fault shows at the next run.
type pastMemory struct {
	check.Memory
	now  func() time.Time
	past func() lab.Past
}

// Get writes down the past before it reads.
func (m pastMemory) Get(key string, into any) bool {
	past, at := m.past(), m.now()
	for _, p := range past.Published {
		metadata.Remember(m.Memory, p.DER, at.Add(-p.For), at)
	}
	if past.LastRefresh > 0 {
		metadata.RememberRun(m.Memory, past.Server, at.Add(-past.LastRefresh))
	}
	return m.Memory.Get(key, into)
}
