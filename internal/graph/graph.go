// Package graph asks Microsoft Graph about the tenant, read-only: GETs of few
// documents, with the permission that each needs. Its errors have a class and
// hold neither a URL, an address nor a text of Graph's, which may name people.
package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/entra"
	"github.com/hmad/hmad/internal/transport"
)

// Bounds of one answer. A tenant has at most 195 policies of conditional access
// (learn.microsoft.com, «Conditional Access service limits»).
const (
	maxPages = 20
	maxItems = 5000
	maxWait  = time.Hour // of a Retry-After
)

// Requests counts what a Client sends.
var Requests = &check.Metric{Name: "hmad_graph_requests_total", Kind: check.Counter, Labels: []string{"area", "code"},
	Help: "Requests to Microsoft Graph by area (principal, organization, conditional_access, app_protection, licences) and HTTP status; code is " +
		"error if there was no answer."}

// ErrNotThere is in the error of asking for an object that the tenant does not
// have.
var ErrNotThere = errors.New("the tenant has no such object")

// Client asks Graph for one target's tenant. It is safe for concurrent use.
type Client struct {
	host       string // scheme and host
	credential *entra.Credential
	client     *http.Client
	env        check.Env
}

// New builds the target's client, reading the credential's file but asking
// nothing. The errors name the setting at fault.
func New(t config.Target, env check.Env) (*Client, error) {
	credential, err := entra.Of(t, "graph", t.Graph.App, env)
	if err != nil {
		return nil, err
	}
	way, err := transport.New(t, env)
	if err != nil {
		return nil, err
	}
	return &Client{strings.TrimSuffix(t.Graph.Host.String(), "/"), credential, way.Client(), env}, nil
}

// CredentialSamples returns when the credential's certificate expires; nothing
// where it has none.
func (c *Client) CredentialSamples() []check.Sample {
	notAfter, ok := c.credential.NotAfter()
	if !ok {
		return nil
	}
	return []check.Sample{{Metric: entra.CredentialNotAfter, Value: float64(notAfter.Unix()), Labels: []string{"graph_" + c.credential.Kind()}}}
}

// Kind returns the kind of the credential.
func (c *Client) Kind() string { return c.credential.Kind() }

// Token gets a token, to see whether there is one.
func (c *Client) Token(ctx context.Context) error {
	_, err := c.token(ctx)
	return err
}

func (c *Client) token(ctx context.Context) (string, error) {
	token, err := c.credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{c.host + "/.default"}})
	return token.Token, err
}

// Error is an answer of Graph's that is no success.
type Error struct {
	Area       *Area
	Status     int
	Code       string        // Graph's own, such as Authorization_RequestDenied
	RetryAfter time.Duration // of a 429 or 503; 0: it says none
}

// Error returns the area, the status, and the permission where that may be what
// is missing.
func (e *Error) Error() string {
	text := fmt.Sprintf("Microsoft Graph answers %d", e.Status)
	if e.Code != "" {
		text += " (" + e.Code + ")"
	}
	switch {
	case e.Status == http.StatusForbidden && e.Area == AppProtection:
		text += ": the app needs the permission " + e.Area.Permission + ", with admin consent, and the tenant an Intune licence"
	case e.Status == http.StatusForbidden:
		text += ": the app needs the permission " + e.Area.Permission + ", with admin consent"
	case e.RetryAfter > 0:
		text += ": wait " + e.RetryAfter.String()
	}
	return e.Area.Title + ": " + text
}

// get asks for one document below /v1.0, or at a link of an earlier answer.
func (c *Client) get(ctx context.Context, area *Area, at string) (json.RawMessage, error) {
	token, err := c.token(ctx)
	if err != nil {
		return nil, err
	}
	var body json.RawMessage
	err = transport.GetJSON(ctx, c.client, transport.Request{URL: at, Max: transport.MaxBody, Header: http.Header{
		"Authorization": {"Bearer " + token}, "X-Ms-Throttle-Priority": {"Low"}}}, &body)
	c.count(area, err)
	if err != nil {
		return nil, c.refused(area, err)
	}
	return body, nil
}

func (c *Client) count(area *Area, err error) {
	code := "200"
	var status *transport.StatusError
	switch {
	case errors.As(err, &status):
		code = strconv.Itoa(status.Status)
	case err != nil:
		code = "error"
	}
	c.env.Meter.Add(Requests, 1, area.Name, code)
}

// refused gives an error its class.
func (c *Client) refused(area *Area, err error) error {
	var status *transport.StatusError
	if !errors.As(err, &status) {
		class := check.ClassOf(err)
		return check.Errorf(class, "%s: Microsoft Graph: %w", area.Title, err)
	}
	e := &Error{Area: area, Status: status.Status, Code: codeOf(status.Body), RetryAfter: waitOf(status.Header)}
	switch {
	case e.Status == http.StatusUnauthorized:
		c.credential.Forget()
		return &check.Error{Class: check.Token, Err: e}
	case e.Status == http.StatusForbidden:
		return &check.Error{Class: check.Permission, Err: e}
	case e.Status == http.StatusTooManyRequests:
		return &check.Error{Class: check.Throttled, Err: e}
	case e.Status == http.StatusNotFound && e.Code == "Request_ResourceNotFound":
		return check.Errorf(check.Other, "%w (%w)", ErrNotThere, e)
	case e.Status/100 == 5:
		return &check.Error{Class: check.Service, Err: e}
	default:
		return &check.Error{Class: check.Other, Err: e}
	}
}

// codeForm is what Graph's codes look like.
var codeForm = regexp.MustCompile(`^[A-Za-z][A-Za-z_.]{0,60}$`)

// codeOf returns the code of Graph's error document (learn.microsoft.com,
// «Microsoft Graph error responses»); empty for anything else.
func codeOf(body []byte) string {
	var w struct {
		Error struct{ Code string } `json:"error"`
	}
	if json.Unmarshal(body, &w) != nil || !codeForm.MatchString(w.Error.Code) {
		return ""
	}
	return w.Error.Code
}

// waitOf returns the Retry-After of an answer in seconds, bounded; 0: none.
func waitOf(h http.Header) time.Duration {
	seconds, err := strconv.Atoi(strings.TrimSpace(h.Get("Retry-After")))
	if err != nil || seconds <= 0 {
		return 0
	}
	return min(time.Duration(min(seconds, 1<<20))*time.Second, maxWait)
}

// errForm is the error of an answer that is JSON of another form.
func errForm(area *Area, what string) error {
	return check.Errorf(check.Other, "%s: Microsoft Graph's answer %s", area.Title, what)
}

// page is one page of a list (OData JSON 4.01, sections 4.6.5 and 12).
type page[T any] struct {
	Value *[]T   `json:"value"`
	Next  string `json:"@odata.nextLink"`
}

// readPage reads a page.
func readPage[T any](area *Area, body []byte) (page[T], error) {
	var p page[T]
	if json.Unmarshal(body, &p) != nil || p.Value == nil {
		return p, errForm(area, "is no list in the expected form")
	}
	return p, nil
}

// list asks for all pages of a list. A link to another host is not followed.
func list[T any](ctx context.Context, c *Client, area *Area, path string, query url.Values) ([]T, error) {
	all := []T{}
	at := c.at(path, query)
	for range maxPages {
		body, err := c.get(ctx, area, at)
		if err != nil {
			return nil, err
		}
		p, err := readPage[T](area, body)
		if err != nil {
			return nil, err
		}
		all = append(all, *p.Value...)
		switch {
		case len(all) > maxItems:
			return nil, errForm(area, fmt.Sprintf("has over %d entries", maxItems))
		case p.Next == "":
			return all, nil
		case !c.within(p.Next):
			return nil, errForm(area, "names a next page at another place, which is not asked")
		}
		at = p.Next
	}
	return nil, errForm(area, fmt.Sprintf("has over %d pages", maxPages))
}

// at returns the URL of a path below /v1.0.
func (c *Client) at(path string, query url.Values) string {
	return c.host + "/v1.0" + path + "?" + strings.NewReplacer("%24", "$", "+", "%20").Replace(query.Encode())
}

// within reports whether a link leads to the same API on the same host.
func (c *Client) within(link string) bool {
	u, err := url.Parse(link)
	return err == nil && u.User == nil && strings.EqualFold(u.Scheme+"://"+u.Host, c.host) && strings.HasPrefix(u.EscapedPath(), "/v1.0/")
}
