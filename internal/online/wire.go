package online

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/google/uuid"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/transport"
)

const (
	maxPage  = 16 << 20  // bytes of a page, decompressed; 1000 devices make about 4 MB
	maxError = 256 << 10 // bytes of an error's body that are read

	// renewEvery is how often a refused token may be discarded: without the
	// role every token is refused, and Entra must not be asked each time.
	renewEvery = time.Minute
)

// answer is what came back, whole.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// ask gets one page. A token that is refused is replaced once, which costs a
// call more.
func (o *Client) ask(ctx context.Context, q question, at string, requests *int) (page, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	claims := ""
	for try := 1; ; try++ {
		if left := o.env.Budget.Paused(o.env.Now()); left > 0 {
			return page{}, failed(check.Throttled, &CmdletError{Cmdlet: q.cmdlet, Kind: Throttled, RetryAfter: left,
				Text: "the tenant is left alone until the time that it asked for is over"})
		}
		token, err := o.token(ctx, q, claims)
		if err != nil {
			return page{}, err
		}
		*requests++
		began := o.env.Now()
		a, err := o.send(ctx, q, at, token)
		if err != nil {
			return page{}, o.lost(ctx, q, err)
		}
		if a.status == http.StatusUnauthorized && try == 1 && o.renew(began) {
			claims = claimsOf(a.header)
			if err := o.env.Budget.Call(ctx, o.env.Now); err != nil { // the one for the first is spent
				return page{}, o.lost(ctx, q, err)
			}
			continue
		}
		return o.read(q, a, began)
	}
}

// read makes a page or an error of an answer, and reports the outcome to the budget.
func (o *Client) read(q question, a answer, began time.Time) (page, error) {
	var e *CmdletError
	if a.status == http.StatusOK || a.status == http.StatusNoContent {
		p, err := q.page(a.body)
		if err == nil {
			o.env.Budget.Answered(began)
			return p, nil
		}
		e = err
	} else {
		e = q.refused(a)
	}
	e.Status = a.status
	now := o.env.Now()
	if after := retryAfter(a.header, now); e.Kind == Throttled || a.status == http.StatusServiceUnavailable && after > 0 {
		e.RetryAfter = o.env.Budget.Refused(began, now, after)
	}
	return page{}, failed(e.Kind.class, e)
}

// token gets a token; claims, where set, are what the API wants it to satisfy,
// and go past the tokens that are kept.
func (o *Client) token(ctx context.Context, q question, claims string) (string, error) {
	t, err := o.credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{o.scope}, Claims: claims, EnableCAE: true})
	if err != nil {
		if cancelled := context.Cause(ctx); errors.Is(cancelled, context.Canceled) {
			return "", cancelled
		}
		return "", failed(check.ClassOf(err), &CmdletError{Cmdlet: q.cmdlet, Kind: Token, Text: err.Error(), cause: err})
	}
	return t.Token, nil
}

// renew discards the token of an attempt that began then, and reports whether
// another attempt makes sense.
func (o *Client) renew(began time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.env.Now()
	switch {
	case o.renewed.After(began): // another call did so meanwhile
		return true
	case !o.renewed.IsZero() && now.Sub(o.renewed) < renewEvery:
		return false
	}
	o.renewed = now
	o.credential.Forget()
	return true
}

// insufficientClaims reports whether a 401 is one of continuous access evaluation,
// which wants claims of the token (learn.microsoft.com, «Claims challenges, claims
// requests and client capabilities»).
func insufficientClaims(h http.Header) bool {
	return slices.ContainsFunc(bearers(h), func(c transport.Challenge) bool { return strings.EqualFold(c.Param("error"), "insufficient_claims") })
}

// claimsOf returns the claims that a 401 wants the next token to satisfy, JSON;
// empty where it wants none (learn.microsoft.com, claims challenge: base64 in
// the Bearer challenge beside error="insufficient_claims").
func claimsOf(h http.Header) string {
	for _, c := range bearers(h) {
		for _, coding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
			if claims, err := coding.DecodeString(c.Param("claims")); err == nil && len(claims) > 0 {
				return string(claims)
			}
		}
	}
	return ""
}

// bearers returns the Bearer challenges of a header, as far as it can be read.
func bearers(h http.Header) []transport.Challenge {
	all, _ := transport.ParseChallenges(h.Values("WWW-Authenticate"))
	return slices.DeleteFunc(all, func(c transport.Challenge) bool { return !c.Is("Bearer") })
}

// send does one request and reads the whole answer.
func (o *Client) send(ctx context.Context, q question, at, token string) (a answer, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at, bytes.NewReader(q.body))
	if err != nil {
		return a, err
	}
	req.Header = o.header(q, token)
	began := o.env.Now()
	code := "error"
	defer func() {
		o.env.Meter.Add(Requests, 1, q.cmdlet, code)
		o.env.Meter.Observe(RequestDuration, o.env.Now().Sub(began).Seconds())
	}()
	resp, err := o.client.Do(req)
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	a = answer{status: resp.StatusCode, header: resp.Header}
	limit := int64(maxError)
	if resp.StatusCode == http.StatusOK {
		limit = maxPage + 1 // one more than is allowed, so that page sees it
	}
	if a.body, err = io.ReadAll(io.LimitReader(resp.Body, limit)); err != nil {
		return a, err
	}
	code = strconv.Itoa(resp.StatusCode)
	return a, nil
}

// header returns a request's fields. The transport asks for gzip by itself.
func (o *Client) header(q question, token string) http.Header {
	h := http.Header{}
	for name, value := range map[string]string{
		"Authorization":        "Bearer " + token,
		"Content-Type":         "application/json; charset=utf-8",
		"Accept":               "application/json",
		"Accept-Language":      "en-US", // of texts, and of digits' grouping
		"Prefer":               "odata.maxpagesize=" + strconv.Itoa(pageSize),
		"User-Agent":           o.agent,
		"X-AnchorMailbox":      q.anchor,
		"X-CmdletName":         q.cmdlet,
		"X-ResponseFormat":     "json",
		"X-SerializationLevel": "Partial",
		"X-ClientApplication":  "hmad",
		"Client-Request-Id":    uuid.NewString(),
		"Connection-Id":        o.connection,
	} {
		h.Set(name, value)
	}
	if q.routed {
		h.Set("Parameter-Based-Routing", "true")
	}
	return h
}

// lost words a request without an answer. hmad's own way out and deadline are
// told apart.
func (o *Client) lost(ctx context.Context, q question, err error) error {
	err = transport.WithoutURL(err) // it names the tenant and, in later pages, who knows what
	var classed *check.Error
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	case errors.As(err, &classed):
		return failed(classed.Class, &CmdletError{Cmdlet: q.cmdlet, Kind: Transient, Text: check.Line(classed.Error(), 200), cause: err})
	case ctx.Err() != nil || transport.IsTimeout(err):
		return failed(check.Timeout, &CmdletError{Cmdlet: q.cmdlet, Kind: Transient, Text: "no answer in time", cause: err})
	default:
		return failed(check.VantageOffline, &CmdletError{Cmdlet: q.cmdlet, Kind: Transient,
			Text: "the request was lost: " + check.Line(unquoted(err.Error()), 200), cause: err})
	}
}

// unquoted cuts what the network's error quotes: bytes of an answer.
func unquoted(s string) string {
	s, _, _ = strings.Cut(s, `"`)
	return strings.TrimRight(check.Redact(s), " :")
}
