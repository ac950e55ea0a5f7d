package state

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// keepAside is how many files set aside are kept.
const keepAside = 3

// setAside renames a file that cannot be used, and lets go of the oldest
// set aside.
func (w *writer) setAside(why error) error {
	aside := w.path + ".corrupt-" + w.store.options.Now().UTC().Format("20060102T150405Z")
	if err := os.Rename(w.path, aside); err != nil {
		return fmt.Errorf("%w, and cannot be set aside: %w", why, err)
	}
	w.store.options.Logf("state file set aside as "+aside, why)
	w.store.mu.Lock()
	w.store.health.SetAside = aside
	w.store.mu.Unlock()
	w.prune()
	return nil
}

// tellDamage counts and logs damaged lines.
func (w *writer) tellDamage(a account) {
	if a.damaged == 0 || a.sound == 0 {
		return // nor is a file of another form damaged
	}
	w.store.options.Logf("damaged lines in the state file are lost, the others are kept", fmt.Errorf("%d of %d", a.damaged, a.damaged+a.sound))
	w.store.mu.Lock()
	w.store.health.Damaged = a.damaged
	w.store.mu.Unlock()
}

// prune removes all but the newest files set aside.
func (w *writer) prune() {
	entries, _ := os.ReadDir(filepath.Dir(w.path))
	prefix := filepath.Base(w.path) + ".corrupt-"
	var aside []string
	for _, e := range entries { // sorted by name, and so by time
		if strings.HasPrefix(e.Name(), prefix) {
			aside = append(aside, filepath.Join(filepath.Dir(w.path), e.Name()))
		}
	}
	for len(aside) > keepAside {
		_ = os.Remove(aside[0])
		aside = aside[1:]
	}
}

// report notes in Health whether the file can be used, and logs a change.
func (w *writer) report(err error) {
	s := w.store
	s.mu.Lock()
	before := s.health.Problem
	s.health.OK, s.health.Problem = err == nil, ""
	if err != nil {
		s.health.Problem = err.Error()
	}
	changed := s.health.Problem != before
	s.mu.Unlock()
	switch {
	case err != nil && changed:
		s.options.Logf("state is kept in memory only", err)
	case err == nil && w.logged:
		s.options.Logf("state reaches its file again", nil)
	}
	w.logged = err != nil
}

// wrote counts a batch.
func (w *writer) wrote(err error) {
	s := w.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.health.LastWrite = s.options.Now()
	} else {
		s.health.WriteErrors++
	}
}
