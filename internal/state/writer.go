package state

import (
	"bufio"
	"errors"
	"fmt"
	"time"
)

const (
	// flushEvery is the shortest time between two batches, and so what kill -9
	// may cost, with as much again for the batch itself. The first change after
	// a quieter time is written at once.
	flushEvery = 5 * time.Second
	// openPatience and closePatience bound how long Open waits for the
	// file and Close for the last batch, should the disk not answer at all.
	openPatience  = 10 * time.Second
	closePatience = 3 * time.Second
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
	journal *journal // nil: memory only for now
	loaded  bool     // what the file knew has been taken over
	logged  bool     // that the file cannot be used

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
	w.turn()
	close(w.opened)
	for rested := true; w.wait(rested); {
		rested = w.turn()
	}
	w.turn()
	w.detach()
}

// wait waits until the next turn: for a change, if the writer is rested, and
// no longer than flushEvery. It returns false when there is none but the last.
func (w *writer) wait(rested bool) bool {
	var changed <-chan struct{}
	if rested {
		changed = w.store.changed
	}
	timer := time.NewTimer(w.every)
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	case <-w.stop:
		return false
	}
	return true
}

// turn writes what is new, and tries first to get at the file if need be. It
// reports whether there was nothing to do.
func (w *writer) turn() (rested bool) {
	err := w.attach()
	if err == nil {
		rested, err = w.flush()
	}
	w.report(err)
	return rested && err == nil
}

// attach opens the file, unless it is open. The first time it takes over what
// the file knows, also of one that can only be read. Later files are only
// judged: memory is right, and they get all of it.
func (w *writer) attach() error {
	if w.journal != nil && !w.journal.moved() {
		return nil
	}
	w.detach()
	if err := checkPlace(w.path); err != nil {
		return err
	}
	j := &journal{path: w.path, open: w.open}
	lockErr := j.acquire()
	if errors.Is(lockErr, errLocked) || lockErr != nil && w.loaded {
		return lockErr
	}
	a, err := w.load(j)
	if err == nil {
		err = lockErr
	}
	if err == nil {
		err = j.begin(a)
	}
	if err != nil {
		j.close()
		w.store.untrack()
		return err
	}
	w.journal = j
	return nil
}

// load reads the file. One that is none of hmad's, or that cannot be read to
// its end, is set aside.
func (w *writer) load(j *journal) (account, error) {
	in, err := j.reader()
	if err != nil {
		return account{}, err
	}
	defer in.Close()
	l := newLoaded(w.store.options.Defs)
	a, err := readJournal(in, l.take)
	if errors.Is(err, errNewer) {
		return a, err
	}
	if err == nil && a.sound == 0 && a.size > 0 {
		err = errors.New("not a state file of this version")
	}
	if !w.loaded {
		w.loaded = true
		w.tellDamage(a)
		l.report(w.store.options.Logf)
		w.store.adopt(l, err == nil && a.damaged == 0 && a.base > 0)
	}
	if err != nil && j.lock != nil {
		return account{}, w.setAside(err)
	}
	return a, err
}

// detach releases the file. Another process may change it from here on, so that
// the next batch is everything.
func (w *writer) detach() {
	if w.journal != nil {
		w.journal.close()
		w.journal = nil
		w.store.untrack()
	}
}

// flush writes what is new. On failure it stays new.
func (w *writer) flush() (rested bool, err error) {
	c := w.store.changes()
	if c.none() {
		return true, nil
	}
	if c.whole {
		err = w.snapshot(c.rows)
	} else {
		err = w.append(c.lines)
	}
	if err != nil {
		w.store.restore(c)
	}
	w.wrote(err)
	return false, err
}

// append writes lines behind those in the file, and asks for a snapshot when it
// has grown enough.
func (w *writer) append(lines []byte) error {
	broken, err := w.journal.append(lines)
	if broken {
		w.detach()
	}
	if err == nil && w.journal.full() {
		w.store.untrack()
	}
	return err
}

// snapshot writes a new file with these rows and nothing else.
func (w *writer) snapshot(rows []row) error {
	return w.journal.replace(func(out *bufio.Writer) {
		_, _ = out.Write(appendMark(nil, fmt.Sprint(header, schema)))
		var line []byte
		for _, r := range rows {
			value, err := encode(r.content)
			if err != nil {
				w.store.options.Logf(fmt.Sprintf("not persisted: %v", r.key), err)
				continue
			}
			line = appendLine(line[:0], r.key, value)
			_, _ = out.Write(line)
		}
		_, _ = out.Write(appendMark(nil, snapshotMark))
	})
}
