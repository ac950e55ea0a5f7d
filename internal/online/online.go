// Package online is a client of Exchange Online's admin API, which runs reading
// cmdlets in the target's tenant. No error of it holds a token, an address or an
// identity that was asked for.
package online

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/entra"
	"github.com/hmad/hmad/internal/powershell"
	"github.com/hmad/hmad/internal/transport"
)

const (
	pageSize     = 1000             // rows asked for in one answer: the module's own, and the most
	defaultPages = 10               // of one answer, where the caller does not say
	maxPages     = 500              // the most that a caller may ask for
	askTimeout   = 90 * time.Second // one request, its answer included
)

// Invoker asks Exchange Online one question at a time. Another implementation
// than Client can stand behind it.
type Invoker interface {
	// Invoke runs a read-only cmdlet. Its errors are *CmdletError within a
	// *check.Error, or the context's own after a cancellation.
	//
	// The caller spends the tenant's budget for each question. Invoke spends it
	// for a repeated question, reports refusals for too many calls to it, and
	// asks nothing during the pause that follows.
	Invoke(ctx context.Context, cmdlet string, params map[string]any, o Options) (Rows, error)
}

// Options say how a question is asked. The zero value will do.
type Options struct {
	// Anchor is the mailbox that the question is about, by GUID or address; it
	// routes the question to the mailbox's server (X-AnchorMailbox). A value
	// with a prefix ("MBX:...") is sent unchanged; empty is the organisation.
	Anchor string
	// MaxPages bounds the answer, in pages of 1000 rows; 0: 10.
	MaxPages int
	// Select names the properties of the rows; empty: all.
	Select []string
	// Each, if set, gets every row as it arrives, and Rows.Rows stays empty:
	// for answers too large to keep. Its error ends the call.
	Each func(powershell.Row) error
	// Pace, if set, is called before each further page and may wait: a page
	// costs the tenant as much as a call.
	Pace func(context.Context) error
}

// Rows is the answer to one question.
type Rows struct {
	Rows []powershell.Row
	// Incomplete: further pages failed, or were not asked for because of MaxPages.
	Incomplete bool
	Why        string // why it is incomplete, one line
	Requests   int    // sent for this answer
}

// Client is the Invoker of Exchange Online's admin REST API, InvokeCommand,
// which Microsoft's PowerShell module uses for every cmdlet and does not
// document or support for others. It only reads: it sends no cmdlets but Get- and
// Test-. It is safe for concurrent use.
//
// It retries once, and only after a refused token: any other attempt is the
// caller's, within the budget. After a refusal for too many calls, every call of
// the tenant, for whichever target, fails at once until the time that the answer
// named is over.
type Client struct {
	tenant     string
	home       *url.URL // where InvokeCommand is
	scope      string
	agent      string
	env        check.Env
	client     *http.Client
	credential *entra.Credential
	connection string // connection-id, one for the life of this Client

	mu      sync.Mutex
	renewed time.Time // when a token was last discarded
}

// New builds the client of the target's tenant, asking nothing. Its
// errors name the setting at fault; a target without a credential is one.
func New(t config.Target, env check.Env) (*Client, error) {
	e := t.ExchangeOnline
	home := e.Host.Value()
	if home == nil {
		return nil, config.Invalid("exchange_online.host", "want an https URL")
	}
	credential, err := entra.New(t, env)
	if err != nil {
		return nil, err
	}
	way, err := transport.New(t, env)
	if err != nil {
		return nil, err
	}
	calls := way.Transport()
	calls.MaxConnsPerHost = max(e.Concurrency, 1)
	calls.MaxIdleConnsPerHost = calls.MaxConnsPerHost
	calls.IdleConnTimeout = 30 * time.Second
	return &Client{
		tenant: t.Tenant, home: home.JoinPath("adminapi", "beta", t.Tenant, "InvokeCommand"), scope: e.Scope.String(),
		agent: way.UserAgent(), env: env, credential: credential, connection: uuid.NewString(),
		client: &http.Client{Transport: calls, CheckRedirect: transport.KeepRedirect},
	}, nil
}

// Close closes idle connections. Later calls still work.
func (o *Client) Close() { o.client.CloseIdleConnections() }

// Invoke implements Invoker.
func (o *Client) Invoke(ctx context.Context, cmdlet string, params map[string]any, opt Options) (Rows, error) {
	q, err := newQuestion(o.tenant, cmdlet, params, opt)
	if err != nil {
		return Rows{}, failed(BadRequest.class, &CmdletError{Cmdlet: q.cmdlet, Kind: BadRequest, Text: err.Error()})
	}
	var out Rows
	at := o.first(opt.Select)
	for n := 1; ; n++ {
		p, err := o.ask(ctx, q, at, &out.Requests)
		if err != nil {
			return out.without(ctx, n, err)
		}
		if err := out.add(p, opt.Each); err != nil || p.next == "" {
			return out, err
		}
		if n == opt.pages() {
			return out.cut("there are more pages than were asked for"), nil
		}
		if at, err = o.follow(p.next); err != nil {
			return out.cut(err.Error()), nil
		}
		if opt.Pace != nil {
			if err := opt.Pace(ctx); err != nil {
				return out, err
			}
		}
	}
}

func (o Options) pages() int {
	if o.MaxPages <= 0 {
		return defaultPages
	}
	return min(o.MaxPages, maxPages)
}

// add takes a page's rows.
func (r *Rows) add(p page, each func(powershell.Row) error) error {
	if each == nil {
		r.Rows = append(r.Rows, p.rows...)
		return nil
	}
	for _, row := range p.rows {
		if err := each(row); err != nil {
			return err
		}
	}
	return nil
}

// cut marks the answer as incomplete.
func (r Rows) cut(why string) Rows {
	r.Incomplete, r.Why = true, why
	return r
}

// without returns the answer when page n failed: the error for the first page,
// otherwise an incomplete answer. Later pages often fail: the page is kept by one
// server, and the request reaches another.
func (r Rows) without(ctx context.Context, n int, err error) (Rows, error) {
	var e *CmdletError
	if n == 1 || ctx.Err() != nil || !errors.As(err, &e) {
		return r, err
	}
	return r.cut(fmt.Sprintf("page %d could not be read: %s", n, e.Text)), nil
}
