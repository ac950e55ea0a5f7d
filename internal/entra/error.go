package entra

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/transport"
)

// ErrUnreachable is in the error for a token whose last request got no answer:
// no name, no connection, no TLS.
var ErrUnreachable = errors.New("the token endpoint cannot be reached")

// tokenClient is the way to Entra. azidentity makes one text of whatever fails,
// so the error of the last request is also kept in the call's context.
type tokenClient struct{ *http.Client }

type lastKey struct{}

// lastRequest keeps how the last request of a call for a token ended: its error,
// or the answer's status and whether it was a page for people.
type lastRequest struct {
	mu  sync.Mutex
	end ending
}

type ending struct {
	err    error
	status int // 0: no answer
	page   bool
}

func (l *lastRequest) note(e ending) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end = e
}

func (l *lastRequest) last() ending {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.end
}

// Do implements azcore's Transporter.
func (c tokenClient) Do(req *http.Request) (*http.Response, error) {
	resp, err := c.Client.Do(req)
	if last, ok := req.Context().Value(lastKey{}).(*lastRequest); ok && req.Context().Err() == nil {
		last.note(endingOf(resp, err))
	}
	return resp, err
}

// maxAnswer bounds an answer of the token endpoint, in bytes; one with a token has
// some 2 kB. The library reads answers of any size.
const maxAnswer = 1 << 20

// endingOf looks at the beginning of an answer, which stays to be read, as far as
// maxAnswer.
func endingOf(resp *http.Response, err error) ending {
	if err != nil {
		return ending{err: err}
	}
	body := bufio.NewReader(resp.Body)
	start, _ := body.Peek(transport.PageStart)
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(body, maxAnswer), resp.Body}
	return ending{status: resp.StatusCode, page: transport.IsPage(resp.Header, start)}
}

// tokenError words an error of azidentity in one line without secrets: the
// network's error, or Entra's code and the first line of its description. The
// library's own text quotes the answer, so it is shown only where nothing was
// answered. The class is token, or timeout after the caller's deadline.
func tokenError(ctx context.Context, err error, last ending, secret config.Secret) error {
	var failed *azidentity.AuthenticationFailedError
	var at *url.Error
	switch {
	case errors.As(last.err, &at):
		return check.Errorf(check.Token, "no token: %w: %s", ErrUnreachable, redacted(at.Err.Error(), secret))
	case ctx.Err() != nil:
		return check.Errorf(check.Timeout, "no token: %w", ctx.Err())
	case errors.As(err, &failed) && failed.RawResponse != nil:
		body, _ := runtime.Payload(failed.RawResponse)
		return refused(body, "no token: %s%s", redacted(refusal(failed.RawResponse.StatusCode, failed.RawResponse.Header, body), secret),
			otherCloud(failed.RawResponse.Request))
	case last.page:
		return check.Errorf(check.Token, "no token: %s", refusedByPage(last.status))
	case last.status != 0:
		return check.Errorf(check.Token, "no token: the token endpoint answers %d, but with no access token in it that can be read", last.status)
	}
	text, _, _ := strings.Cut(err.Error(), "To troubleshoot")
	return check.Errorf(check.Token, "no token: nothing could be asked: %s", redacted(text, secret))
}

// refusal words an answer that is no token: Entra's code and the first line of
// its description, or what came in place of Entra's answer. Nothing of a
// stranger's page is quoted.
func refusal(status int, h http.Header, body []byte) string {
	if e, ok := transport.ReadSignInError(body); ok {
		text := fmt.Sprintf("Entra answers %d: %s", status, e.Text)
		if unknown := e.UnknownTenant(); unknown != "" {
			text += "; " + unknown
		}
		return text
	}
	if transport.IsPage(h, body) {
		return refusedByPage(status)
	}
	return fmt.Sprintf("Entra answers %d: the answer is no OAuth error", status)
}

// otherCloud returns that another cloud of Microsoft's was asked, for the end of an
// error; empty where the worldwide one was.
func otherCloud(asked *http.Request) string {
	if asked == nil {
		return ""
	}
	c, ok := config.CloudOf(asked.URL.Hostname())
	if !ok {
		return ""
	}
	return "; " + asked.URL.Hostname() + " is the sign-in host of " + c.String()
}

func refusedByPage(status int) string {
	return fmt.Sprintf("the token endpoint's answer (status %d) is %s", status, transport.NotTheHosts)
}

// redacted makes a text of others one short line, without the secret and
// without tokens.
func redacted(s string, secret config.Secret) string {
	return check.Line(check.Redact(s, secret.Reveal()), 400)
}

// RefusedError is the error of a token that Entra refuses.
type RefusedError struct {
	Code string // AADSTS500011; empty where the answer has none
	text string
}

// Error returns the refusal in one line.
func (e *RefusedError) Error() string { return e.text }

// refused returns the error, of class token, of an answer with this body.
func refused(body []byte, format string, args ...any) error {
	e, _ := transport.ReadSignInError(body)
	return &check.Error{Class: check.Token, Err: &RefusedError{e.Code, fmt.Sprintf(format, args...)}}
}
