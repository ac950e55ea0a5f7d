package state

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"
)

const (
	// flushEvery is the time between two batches: what kill -9 may cost, with
	// as much again for the batch itself.
	flushEvery = 5 * time.Second
	// openPatience and closePatience bound how long Open waits for the
	// file and Close for the last batch, should the disk not answer at all.
	openPatience  = 10 * time.Second
	closePatience = 3 * time.Second
	// batchRows bounds one transaction.
	batchRows = 1000
)

// settings are what tests change.
type settings struct {
	every time.Duration
	open  opener
}

// writer is the one goroutine that touches the disk.
type writer struct {
	store *Store
	path  string
	settings
	file   *file // nil: memory only for now
	loaded bool  // what the file knew has been taken over
	damage error // of the file that still lies at path
	logged bool  // that the file cannot be used

	opened, stop, done chan struct{}
}

// startWriter starts the writer and waits until it has looked at the file, or
// for a while: the Store does not depend on it.
func startWriter(s *Store, path string, set settings) *writer {
	w := &writer{store: s, path: path, settings: set,
		opened: make(chan struct{}), stop: make(chan struct{}), done: make(chan struct{})}
	go w.run()
	patience := time.NewTimer(openPatience)
	defer patience.Stop()
	select {
	case <-w.opened:
	case <-patience.C:
	}
	return w
}

func (w *writer) run() {
	defer close(w.done)
	w.attach()
	close(w.opened)
	ticker := time.NewTicker(w.every)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			w.tick()
		case <-w.stop:
			w.tick()
			w.detach()
			return
		}
	}
}

// tick writes what is new, and tries first to get at the file if need be.
func (w *writer) tick() {
	if w.file != nil && w.file.moved(w.path) {
		w.detach()
	}
	if w.file == nil {
		w.attach()
	}
	if w.file == nil {
		return
	}
	if err := w.flush(); isDamage(err) {
		w.detach()
		w.damage = err
		w.attach()
		if w.file != nil {
			_ = w.flush()
		}
	}
}

// attach opens the file. A damaged one is set aside and a new one made.
func (w *writer) attach() {
	for range 2 {
		if w.damage != nil {
			if err := w.setAside(); err != nil {
				w.report(err)
				return
			}
		}
		err := w.openFile()
		if !isDamage(err) {
			w.report(err)
			return
		}
		w.damage = err
	}
	w.report(w.damage)
}

// openFile opens the file once it is found sound, and the first time takes
// over what it knows, also of a damaged one or one that can only be read.
// Later files are only judged: memory is right, and they get all of it.
func (w *writer) openFile() error {
	empty, err := isNew(w.path)
	if err == nil && !empty {
		err = w.load()
	}
	if err != nil {
		return err
	}
	w.file, err = newFile(w.path, w.open)
	return err
}

// load reads the file.
func (w *writer) load() error {
	if w.loaded {
		w.store.untrack()
		return readFile(w.path, w.open, func(key, []byte) {})
	}
	l := newLoaded(w.store.options.Defs)
	err := readFile(w.path, w.open, l.take)
	if err == nil || isDamage(err) {
		w.loaded = true
		l.report(w.store.options.Logf)
		w.store.adopt(l)
	}
	return err
}

func (w *writer) detach() {
	if w.file != nil {
		w.file.close()
	}
	w.file = nil
	w.store.untrack()
}

// flush writes what is new. On failure it stays new.
func (w *writer) flush() error {
	c := w.store.changes()
	if c.none() {
		return nil
	}
	err := w.write(c)
	if err != nil {
		w.store.restore(c)
	}
	w.wrote(err)
	return err
}

// write writes changes. When they are the whole, the file loses all else.
func (w *writer) write(c changes) error {
	if err := w.writeRows(c.rows); err != nil {
		return err
	}
	for id, members := range c.members {
		if err := w.writeMembers(id, members); err != nil {
			return err
		}
	}
	if !c.whole {
		return nil
	}
	gone, err := w.file.strangers(c.has)
	for some := range slices.Chunk(gone, batchRows) {
		if err := w.file.put(some); err != nil {
			return err
		}
	}
	return err
}

// writeRows writes rows in order of their keys, in transactions of bounded
// size.
func (w *writer) writeRows(rows map[key]any) error {
	for keys := range slices.Chunk(slices.SortedFunc(maps.Keys(rows), compareKeys), batchRows) {
		batch := make([]row, 0, len(keys))
		for _, k := range keys {
			if r, err := newRow(k, rows[k]); err != nil {
				w.store.options.Logf(fmt.Sprintf("not persisted: %v", k), err)
			} else {
				batch = append(batch, r)
			}
		}
		if err := w.file.put(batch); err != nil {
			return err
		}
	}
	return nil
}

// writeMembers does likewise for members of a fleet: neighbours, which share
// pages, are written together.
func (w *writer) writeMembers(id fleetID, members map[string]struct{}) error {
	for some := range slices.Chunk(slices.Sorted(maps.Keys(members)), batchRows) {
		if err := w.file.put(w.store.memberRows(id, some)); err != nil {
			return err
		}
	}
	return nil
}

func compareKeys(a, b key) int {
	return cmp.Or(strings.Compare(a.bucket, b.bucket), strings.Compare(a.name, b.name))
}

// newRow encodes a row.
func newRow(k key, content any) (row, error) {
	if len(k.name) > bbolt.MaxKeySize {
		return row{}, fmt.Errorf("a key of %d bytes", len(k.name))
	}
	if content == nil {
		return row{key: k}, nil
	}
	value, err := encode(content)
	return row{k, value}, err
}
