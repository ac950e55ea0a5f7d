package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// keepAside is how many damaged files are kept.
const keepAside = 3

// setAside renames the damaged file and lets go of the oldest set aside.
func (w *writer) setAside() error {
	aside := w.path + ".corrupt-" + w.store.options.Now().UTC().Format("20060102T150405Z")
	if err := os.Rename(w.path, aside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("damaged (%w) and cannot be set aside: %w", w.damage, err)
	}
	w.store.options.Logf("damaged state file set aside as "+aside, w.damage)
	w.store.mu.Lock()
	w.store.health.SetAside = aside
	w.store.mu.Unlock()
	w.damage = nil
	w.store.untrack()
	w.prune()
	return nil
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

// report says in Health whether the file can be used, and logs the change.
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

// wrote counts a batch. Damage is reported by what is done about it.
func (w *writer) wrote(err error) {
	s := w.store
	s.mu.Lock()
	if err == nil {
		s.health.LastWrite = s.options.Now()
	} else {
		s.health.WriteErrors++
	}
	s.mu.Unlock()
	if !isDamage(err) {
		w.report(err)
	}
}
