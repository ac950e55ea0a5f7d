package main

import (
	"slices"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/lab"
	"github.com/hmad/hmad/internal/metadata"
	"github.com/hmad/hmad/internal/sync"
)

// memory returns a target's memory; that of a lab holds the lab's past.
func (w *world) memory(target string) check.Memory {
	m := w.store.Memory(target)
	i := slices.IndexFunc(w.labs, func(l *lab.Lab) bool { return l.Facts().Target == target })
	if i < 0 {
		return m
	}
	sync.RehearseMailboxes(m, now(), 40)
	sync.RehearseOnPrem(m, now(), 400)
	return pastMemory{m, w.labs[i].Past}
}

// pastMemory is a memory of a longer past than hmad has had: what takes hours
// in earnest a lab's fault shows at the next run.
type pastMemory struct {
	check.Memory
	past func() lab.Past
}

// Get writes down the past before it reads.
func (m pastMemory) Get(key string, into any) bool {
	past, at := m.past(), now()
	for _, p := range past.Published {
		metadata.Remember(m.Memory, p.DER, at.Add(-p.For), at)
	}
	if past.LastRefresh > 0 {
		metadata.RememberRun(m.Memory, past.Server, at.Add(-past.LastRefresh))
	}
	return m.Memory.Get(key, into)
}
