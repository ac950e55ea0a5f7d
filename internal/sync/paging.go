package sync

import (
	"context"
	"time"

	"github.com/hmad/hmad/internal/budget"
)

// paging spends calls of the budget for an answer of many pages. Each page waits
// for a call and holds it until the page has come.
type paging struct {
	b    *budget.Budget
	now  func() time.Time
	held bool
}

// turn ends the call of the page before and waits for one for the next page. Its
// error is the context's.
func (p *paging) turn(ctx context.Context) error {
	p.end()
	err := p.b.Caller().Await(ctx, p.now)
	p.held = err == nil
	return err
}

// end ends the call of the last page, if there is one.
func (p *paging) end() {
	if p.held {
		p.b.End()
	}
	p.held = false
}
