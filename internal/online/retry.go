package online

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// retryAfter reads how long an answer asks to wait: Retry-After in seconds or
// as a date (RFC 9110, section 10.2.3), else Rate-Limit-Reset where nothing
// remains; 0 where it does not say.
func retryAfter(h http.Header, now time.Time) time.Duration {
	s := strings.TrimSpace(h.Get("Retry-After"))
	if n, err := strconv.ParseUint(s, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	at, err := http.ParseTime(s)
	if err != nil && strings.TrimSpace(h.Get("Rate-Limit-Remaining")) == "0" {
		at, err = time.Parse(time.RFC3339, h.Get("Rate-Limit-Reset"))
	}
	if err != nil {
		return 0
	}
	return max(at.Sub(now), 0)
}
