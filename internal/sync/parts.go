package sync

import (
	"fmt"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/sync/plan"
)

// Hours and samples lie in the target's memory in parts, each under a key of its
// own: a run writes the day and the minutes that it changed, not four weeks. The
// keys are used in turn, so that a part replaces one that is too old.

// partKey returns the key of a part.
func partKey(key string, n int64) string { return fmt.Sprintf("%s.%d", key, n) }

// saveParts puts parts under the keys of a ring of this size.
func saveParts[P any](m check.Memory, key string, ring int64, parts map[int64]P) {
	for n, part := range parts {
		m.Put(partKey(key, n%ring), part)
	}
}

// loadParts passes every part to join, in no order.
func loadParts[P any](m check.Memory, key string, ring int64, join func(P)) {
	for n := range ring {
		var part P
		if m.Get(partKey(key, n), &part) {
			join(part)
		}
	}
}

func saveHours(m check.Memory, key string, h plan.Hours) { saveParts(m, key, plan.DaysKept, h.Days()) }

func loadHours(m check.Memory, key string) (h plan.Hours) {
	loadParts(m, key, plan.DaysKept, h.Join)
	return h
}

func savePulse(m check.Memory, p plan.Pulse) {
	saveParts(m, keyOfPulse, plan.SlotsKept, p.Slots())
}

func loadPulse(m check.Memory) (p plan.Pulse) {
	loadParts(m, keyOfPulse, plan.SlotsKept, p.Join)
	return p
}
