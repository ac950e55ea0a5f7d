// Package online is a client of Exchange Online's admin API, which runs reading
// cmdlets in the target's tenant. No token, no address and no identity that was
// asked for ever stands in an error of it.
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
	maxPages     = 500              // whatever the caller says
	askTimeout   = 90 * time.Second // one request, its answer included
)

// Invoker asks Exchange Online one question at a time. Another implementation
// than Client can stand behind it.
type Invoker interface {
	// Invoke runs a read-only cmdlet. Its errors are *CmdletError within a
	// *check.Error, or the context's own where that was cancelled; they hold
	// no token, no address and no identity that was asked for. It tells the
	// tenant's budget of refusals for being too many, and asks nothing while
	// that pauses; for what is asked the caller spends it, and Invoke itself
	// for a question that it has to ask again.
	Invoke(ctx context.Context, cmdlet string, params map[string]any, o Options) (Rows, error)
}

// Options say how a question is asked. The zero value will do.
type Options struct {
	// Anchor is the mailbox that the question is about, by GUID or address,
	// which routes it to its server: X-AnchorMailbox. A value with a prefix
	// ("MBX:...") is sent as it is; empty stands for the organisation.
	Anchor string
	// MaxPages bounds the answer, in pages of 1000 rows; 0: 10.
	MaxPages int
	// Select names the properties that the rows shall have; empty: all.
	Select []string
	// Each, where set, is handed every row as it comes, and Rows.Rows stays
	// empty: for answers that are too many to keep. Its error ends the call.
	Each func(powershell.Row) error
	// Pace, where set, is waited for before each further page: a page costs
	// the tenant as much as a call.
	Pace func(context.Context) error
}

// Rows is the answer to one question.
type Rows struct {
	Rows []powershell.Row
	// Incomplete: there is more that could not be had, or was not asked for
	// because of MaxPages.
	Incomplete bool
	Why        string // it is incomplete; one line
	Requests   int    // sent for this answer
}

// Client is the Invoker of Exchange Online's admin REST API, InvokeCommand,
// which Microsoft's PowerShell module uses for every cmdlet and does not
// document or support for others. It only reads: cmdlets other than Get- and
// Test- never reach the wire. Several goroutines may use it at once.
//
// It does not retry, but for a token that was refused: the next attempt is the
// caller's, within the budget. After an answer that says «too many» every call
// of the tenant, whichever target it is for, fails at once until the time that
// the answer gave is over.
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
	renewed time.Time // when a token was last thrown away
}

// New builds the client of the target's tenant, asking nothing. Its
// errors name the setting at fault; a target without a credential is one.
func New(t config.Target, env check.Env) (*Client, error) {
	e := t.ExchangeOnline
	home, err := url.Parse(e.Host)
	if err != nil || home.Scheme != "https" || home.Host == "" {
		return nil, &config.FieldError{Path: "exchange_online.host", Msg: "want an https URL"}
	}
	credential, err := entra.New(t, env)
	if err != nil {
		return nil, err
	}
	way, err := transport.New(t, env)
	if err != nil {
		return nil, err
	}
	way.MaxConnsPerHost = max(e.Concurrency, 1)
	way.MaxIdleConnsPerHost = way.MaxConnsPerHost
	way.IdleConnTimeout = 30 * time.Second
	return &Client{
		tenant: t.Tenant, home: home.JoinPath("adminapi", "beta", t.Tenant, "InvokeCommand"), scope: e.Scope,
		agent: transport.UserAgent(t, env), env: env, credential: credential, connection: uuid.NewString(),
		client: &http.Client{Transport: way, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}, nil
}

// Close ends connections that wait for the next call. Calls go on to work.
func (o *Client) Close() { o.client.CloseIdleConnections() }

// Invoke implements Invoker.
func (o *Client) Invoke(ctx context.Context, cmdlet string, params map[string]any, opt Options) (Rows, error) {
	q, err := newQuestion(o.tenant, cmdlet, params, opt)
	if err != nil {
		return Rows{}, failed(check.State, &CmdletError{Cmdlet: q.cmdlet, Kind: BadRequest, Text: err.Error()})
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

// without gives what there is when page n could not be had: nothing but the
// error for the first, else an incomplete answer. Continuations often fail: the
// page lies on one server, and the request reaches another.
func (r Rows) without(ctx context.Context, n int, err error) (Rows, error) {
	var e *CmdletError
	if n == 1 || ctx.Err() != nil || !errors.As(err, &e) {
		return r, err
	}
	return r.cut(fmt.Sprintf("page %d could not be had: %s", n, e.Text)), nil
}
