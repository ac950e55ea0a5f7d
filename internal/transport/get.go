package transport

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// Request is a GET.
type Request struct {
	URL    string
	Header http.Header // nil: none
	Max    int64       // the most bytes that the answer's body may have
}

// Answer is an answer that was read whole.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// ErrNotJSON is the error of an answer that is no JSON, or not of the expected
// form.
var ErrNotJSON = errors.New("it is no JSON in the expected form")

// ErrNoURL is the error of a URL that cannot be read.
var ErrNoURL = errors.New("not a URL that can be requested")

// StatusError is the error of an answer with another status than 200.
type StatusError struct{ Answer }

// Error returns the status, and what it means where Microsoft Entra says that it
// does not know the tenant.
func (e *StatusError) Error() string {
	if refused, ok := ReadSignInError(e.Body); ok && refused.UnknownTenant() != "" {
		return fmt.Sprintf("status %d: %s", e.Status, refused.UnknownTenant())
	}
	return fmt.Sprintf("status %d", e.Status)
}

// GetJSON gets a JSON document and decodes it into a value. Its errors are those
// of Get, a *StatusError, and ErrNotJSON.
func GetJSON(ctx context.Context, client *http.Client, r Request, into any) error {
	r.Header = r.Header.Clone()
	if r.Header == nil {
		r.Header = http.Header{}
	}
	r.Header.Set("Accept", "application/json")
	a, err := Get(ctx, client, r)
	switch {
	case err != nil:
		return err
	case a.Status != http.StatusOK:
		return &StatusError{a}
	case json.Unmarshal(bytes.TrimPrefix(a.Body, []byte("\ufeff")), into) == nil:
		return nil
	case IsPage(a.Header, a.Body):
		return fmt.Errorf("%w, but a page for people: a captive portal, a proxy or a filter on the way?", ErrNotJSON)
	default:
		return ErrNotJSON
	}
}

// Get gets a document, whatever the answer's status; of an answer with another
// status than 200 the body may be cut. No error holds the URL, which may have a
// query.
func Get(ctx context.Context, client *http.Client, r Request) (Answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.URL, nil)
	if err != nil {
		return Answer{}, ErrNoURL
	}
	if r.Header != nil {
		req.Header = r.Header
	}
	resp, err := client.Do(req)
	if err != nil {
		return Answer{}, WithoutURL(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, r.Max+1))
	a := Answer{resp.StatusCode, resp.Header, body[:min(int64(len(body)), r.Max)]}
	switch {
	case a.Status != http.StatusOK: // which says more than its body
		return a, nil
	case err != nil:
		return Answer{}, err
	case int64(len(body)) > r.Max:
		return Answer{}, fmt.Errorf("over the limit of %d bytes: refused", r.Max)
	}
	return a, nil
}

// WithoutURL takes from a client's error the URL, which may have a query.
func WithoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
