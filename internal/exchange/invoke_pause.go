package exchange

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	pauseStep = 3 * time.Second // without Retry-After, for each refusal in a row
	maxStep   = time.Minute     // of pauses of our own choice
	maxPause  = 5 * time.Minute // whatever Retry-After says
)

// pause keeps every call of a tenant back after one was refused for being too
// many. Its zero value lets calls pass.
type pause struct {
	mu    sync.Mutex
	until time.Time
	began time.Time // when the last refusal came
	row   int       // refusals in a row; those of calls in flight together are one
}

// left gives the time that is left of the pause; 0: none.
func (p *pause) left(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(p.until.Sub(now), 0)
}

// refused notes that a call sent at sent was refused, asked to wait for after
// (0: it was not said), and gives the time that is left of the pause.
func (p *pause) refused(sent, now time.Time, after time.Duration) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.row == 0 || sent.After(p.began) {
		p.row++
		p.began = now
	}
	if after <= 0 {
		after = min(pauseStep*time.Duration(p.row), maxStep)
	}
	if until := now.Add(min(after, maxPause)); until.After(p.until) {
		p.until = until
	}
	return p.until.Sub(now)
}

// answered notes that a call sent at sent was not refused.
func (p *pause) answered(sent time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if sent.After(p.began) {
		p.row = 0
	}
}

// retryAfter reads how long an answer asks to wait: Retry-After in seconds or
// as a date (RFC 9110, section 10.2.3), else Rate-Limit-Reset where nothing
// remains; 0 where it does not say.
func retryAfter(h http.Header, now time.Time) time.Duration {
	s := strings.TrimSpace(h.Get("Retry-After"))
	if n, err := strconv.ParseUint(s, 10, 31); err == nil {
		return min(time.Duration(n)*time.Second, maxPause)
	}
	at, err := http.ParseTime(s)
	if err != nil && strings.TrimSpace(h.Get("Rate-Limit-Remaining")) == "0" {
		at, err = time.Parse(time.RFC3339, h.Get("Rate-Limit-Reset"))
	}
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), maxPause)
}
