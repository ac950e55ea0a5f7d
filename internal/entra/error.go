package entra

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
)

// aadsts is the number of an Entra error, as its description begins.
var aadsts = regexp.MustCompile(`AADSTS[0-9]{1,9}`)

// ErrUnreachable is in the error for a token whose last request got no answer:
// no name, no connection, no TLS.
var ErrUnreachable = errors.New("the token endpoint cannot be reached")

// tokenClient is the way to Entra. azidentity makes one text of whatever fails,
// so the error of the last request is also kept in the call's context.
type tokenClient struct{ *http.Client }

type lostKey struct{}

// lostRequest keeps the error of the last request of a call for a token.
type lostRequest struct {
	mu  sync.Mutex
	err error // nil: it was answered
}

func (l *lostRequest) note(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
}

func (l *lostRequest) last() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Do implements azcore's Transporter.
func (c tokenClient) Do(req *http.Request) (*http.Response, error) {
	resp, err := c.Client.Do(req)
	if lost, ok := req.Context().Value(lostKey{}).(*lostRequest); ok && req.Context().Err() == nil {
		lost.note(err)
	}
	return resp, err
}

// tokenError words an error of azidentity in one line without secrets: the
// network's error, or Entra's code and the first line of its description. The
// class is token, or timeout after the caller's deadline.
func tokenError(ctx context.Context, err, lost error, secret config.Secret) error {
	var failed *azidentity.AuthenticationFailedError
	var at *url.Error
	switch {
	case errors.As(lost, &at):
		return check.Errorf(check.Token, "no token: %w: %s", ErrUnreachable, redacted(at.Err.Error(), secret))
	case ctx.Err() != nil:
		return check.Errorf(check.Timeout, "no token: %w", ctx.Err())
	case errors.As(err, &failed) && failed.RawResponse != nil:
		body, _ := runtime.Payload(failed.RawResponse)
		return check.Errorf(check.Token, "no token: Entra answers %d: %s", failed.RawResponse.StatusCode, redacted(entraError(body), secret))
	}
	return check.Errorf(check.Token, "no token: %s", redacted(err.Error(), secret))
}

// entraError reads an OAuth error answer (RFC 6749 section 5.2): the AADSTS
// code and what follows it up to the first line break or trace id, else the
// error's name.
func entraError(body []byte) string {
	var answer struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if json.Unmarshal(body, &answer) != nil || answer.Error == "" {
		return "the answer is no OAuth error"
	}
	text, _, _ := strings.Cut(answer.Description, "\n")
	text, _, _ = strings.Cut(text, "Trace ID:")
	if !aadsts.MatchString(text) {
		return check.Line(answer.Error, 100)
	}
	return check.Line(text, 300)
}

// redacted makes a text of others one short line, without the secret and
// without tokens.
func redacted(s string, secret config.Secret) string {
	return check.Line(check.Redact(s, secret.Reveal()), 400)
}
