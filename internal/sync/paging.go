package sync

import (
	"context"
	"time"

	"github.com/hmad/hmad/internal/budget"
)

// paging asks for an answer of many pages: each waits in line for a call of the
// budget and holds its place until it has come.
type paging struct {
	b    *budget.Budget
	now  func() time.Time
	held bool
}

// turn ends the page before and waits for the next one's turn. Its error is the
// context's.
func (p *paging) turn(ctx context.Context) error {
	p.end()
	err := p.b.Caller().Await(ctx, p.now)
	p.held = err == nil
	return err
}

// end gives the place back, if there is one.
func (p *paging) end() {
	if p.held {
		p.b.End()
	}
	p.held = false
}
