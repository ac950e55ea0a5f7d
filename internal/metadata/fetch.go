package metadata

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/transport"
)

// fetchTimeout bounds one request, answer included.
const fetchTimeout = 10 * time.Second

// request asks for a document. ETag and Modified, where set, are those of the
// copy that is there already (RFC 9110 section 13.1).
type request struct{ URL, ETag, Modified string }

// answer is a document as it came. Unchanged: the copy that the request named
// still holds, and there is no body.
type answer struct {
	Unchanged      bool
	Body           []byte
	ETag, Modified string
}

// fetch gets a document of at most maxDocument bytes. Its errors are classed:
// metadata, unless something below knows better.
type fetch func(context.Context, request) (answer, error)

// overHTTP returns the fetch over an HTTP client.
func overHTTP(client *http.Client) fetch {
	return func(ctx context.Context, r request) (answer, error) {
		ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
		defer cancel()
		a, err := get(ctx, client, r)
		return a, classed(check.Metadata, shownURL(r.URL), err)
	}
}

func get(ctx context.Context, client *http.Client, r request) (answer, error) {
	// A cache on the way must ask: an old copy would hide a new certificate.
	header := http.Header{"Cache-Control": {"no-cache"}}
	for name, value := range map[string]string{"If-None-Match": r.ETag, "If-Modified-Since": r.Modified} {
		if value != "" {
			header.Set(name, value)
		}
	}
	a, err := transport.Get(ctx, client, transport.Request{URL: r.URL, Header: header, Max: maxDocument})
	switch {
	case err != nil:
		return answer{}, err
	case a.Status == http.StatusNotModified && r.ETag+r.Modified != "":
		return answer{Unchanged: true}, nil
	case a.Status != http.StatusOK:
		return answer{}, &transport.StatusError{Answer: a}
	}
	return answer{Body: a.Body, ETag: a.Header.Get("ETag"), Modified: a.Header.Get("Last-Modified")}, nil
}

// classed returns err with a class and what it is about, in one line; a class
// that it has already stays. Nil stays nil.
func classed(class *check.Class, about string, err error) error {
	if err == nil {
		return nil
	}
	var e *check.Error
	if errors.As(err, &e) {
		class = e.Class
	}
	return &check.Error{Class: class, Err: &shown{check.Clean(about+": "+err.Error(), maxDetail), err}}
}

// shown is an error with a text fit to be shown.
type shown struct {
	text string
	err  error
}

func (s *shown) Error() string { return s.text }
func (s *shown) Unwrap() error { return s.err }

// shownURL renders a URL without what may hold secrets: user, query, fragment.
func shownURL(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Opaque != "" {
		return "(not a URL)"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
