package exporter

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// Bounds of scrapes while scrapesInFlight are under way and another one waits.
const (
	scrapeWait  = 5 * time.Second        // how long it waits, less than a scrape may take
	scrapeLook  = 100 * time.Millisecond // how often it looks for a slow reader
	slowRate    = 64 << 10               // a reader that takes fewer bytes a second is slow
	slowAllowed = 500 * time.Millisecond // and may be late by this
)

// scrapeLimit answers scrapesInFlight scrapes at once. A scrape may take
// scrapeTimeout; where one waits for its turn, the slowest reader is cut off. The
// answer is not held in memory, as promhttp's own Timeout would do: it has tens
// of megabytes for a large fleet.
type scrapeLimit struct {
	next http.Handler
	turn chan struct{} // holds one for each scrape under way

	mu      sync.Mutex
	readers map[*reader]bool // of the scrapes under way; true: cut off
}

func newScrapeLimit(next http.Handler) *scrapeLimit {
	return &scrapeLimit{next: next, turn: make(chan struct{}, scrapesInFlight), readers: map[*reader]bool{}}
}

// ServeHTTP implements http.Handler.
func (s *scrapeLimit) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.begin(r.Context()) {
		http.Error(w, fmt.Sprintf("got a scrape beside %d others, want at most that many at once", scrapesInFlight), http.StatusServiceUnavailable)
		return
	}
	defer func() { <-s.turn }()
	to := &reader{ResponseWriter: w}
	to.deadline(time.Now().Add(scrapeTimeout))
	s.mu.Lock()
	s.readers[to] = false
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.readers, to)
		s.mu.Unlock()
	}()
	s.next.ServeHTTP(to, r)
}

// begin waits for a turn, and reports whether there was one.
func (s *scrapeLimit) begin(ctx context.Context) bool {
	select {
	case s.turn <- struct{}{}:
		return true
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, scrapeWait)
	defer cancel()
	look := time.NewTicker(scrapeLook)
	defer look.Stop()
	for {
		s.cutSlowest(time.Now())
		select {
		case s.turn <- struct{}{}:
			return true
		case <-look.C:
		case <-ctx.Done():
			return false
		}
	}
}

// cutSlowest ends the answer to the slowest reader, if one is slow.
func (s *scrapeLimit) cutSlowest(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var slowest *reader
	late := slowAllowed
	for r, cut := range s.readers {
		if by := r.late(now); !cut && by > late {
			slowest, late = r, by
		}
	}
	if slowest != nil {
		s.readers[slowest] = true
		slowest.deadline(now)
	}
}

// reader passes an answer on, and drops it without an error once the client has
// gone: otherwise promhttp would log and count an error for each family.
type reader struct {
	http.ResponseWriter
	gone bool

	mu    sync.Mutex
	bytes int           // taken
	spent time.Duration // until they were taken
	since time.Time     // when the write under way began; zero: none
}

// Write implements io.Writer.
func (r *reader) Write(p []byte) (int, error) {
	if r.gone {
		return len(p), nil
	}
	r.mu.Lock()
	r.since = time.Now()
	r.mu.Unlock()
	n, err := r.ResponseWriter.Write(p)
	r.gone = err != nil
	r.mu.Lock()
	r.bytes, r.spent, r.since = r.bytes+n, r.spent+time.Since(r.since), time.Time{}
	r.mu.Unlock()
	return len(p), nil
}

// late returns how much longer the reader has taken than slowRate allows.
func (r *reader) late(now time.Time) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	late := r.spent - time.Duration(r.bytes)*time.Second/slowRate
	if !r.since.IsZero() {
		late += now.Sub(r.since)
	}
	return late
}

// deadline ends the answer at a moment. Where there is no connection, there is no
// deadline to set.
func (r *reader) deadline(at time.Time) {
	_ = http.NewResponseController(r.ResponseWriter).SetWriteDeadline(at)
}
