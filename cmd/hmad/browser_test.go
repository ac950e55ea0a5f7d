package main

import (
	"context"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/catalog"
)

// A real browser finds what is broken and how to mend it, checks again after
// the mending, and asks nobody but hmad.
func TestStatusPageInABrowser(t *testing.T) {
	e := startDemo(t, "--break=activesync.bearer_missing", "--break=autodiscover.blocked")
	b := newBrowser(t)
	b.do(t, chromedp.Navigate(e.page+"/"))
	text := b.text(t)
	for _, fault := range []string{"activesync.bearer_missing", "autodiscover.blocked"} {
		check, reason, _ := strings.Cut(fault, ".")
		r := e.runNow(t, check)
		require.Equal(t, []string{reason}, r.reasons())
		assert.Contains(t, text, reason)
		assert.Contains(t, squeeze(text), squeeze(r.Findings[0].Summary))
		assert.Contains(t, squeeze(text), squeeze(r.Findings[0].Fix))
		runbook, err := chromedp.Run(b.ctx, chromedp.AttributeValue("article:has(input[value="+check+"]) .runbook a", "href"))
		require.NoError(t, err)
		assert.Equal(t, catalog.RunbookURL(check, reason), runbook.Value)
	}

	e.fault(t, "activesync.bearer_missing", false)
	b.do(t, chromedp.Click(card+" button"), chromedp.WaitVisible(card+".passed"))
	passed, err := chromedp.Run(b.ctx, chromedp.Text(card))
	require.NoError(t, err)
	assert.NotContains(t, passed, "How to fix it", "no finding is left on the card")

	b.mu.Lock()
	defer b.mu.Unlock()
	assert.Empty(t, b.complaints, "console and log")
	page, err := url.Parse(e.page)
	require.NoError(t, err)
	assert.Equal(t, map[string]bool{page.Host: true}, b.hosts, "hosts asked")
}

// card is the part of the page for the check activesync.
const card = "article:has(input[value=activesync])"

// squeeze makes texts comparable whose white space a browser laid out anew, and
// whose commands it shows in a type of their own.
func squeeze(s string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(s, "`", "")), " ")
}

// browser is a headless Chromium that notes what it asks for and complains of.
type browser struct {
	ctx context.Context

	mu         sync.Mutex
	complaints []string
	hosts      map[string]bool
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	ctx, cancelAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancelTab := chromedp.NewContext(ctx)
	b := &browser{ctx: ctx, hosts: map[string]bool{}}
	t.Cleanup(func() {
		cancelTab()
		cancelAllocator()
	})
	_, err := chromedp.Run(ctx, chromedp.Location())
	require.NoError(t, err, "chromium does not start: scripts/test-deps installs it (Debian package chromium)")
	require.NoError(t, chromedp.Listen(ctx, b.note))
	_, err = chromedp.Call(ctx, network.Enable, network.EnableParams{})
	require.NoError(t, err)
	_, err = chromedp.Call(ctx, runtime.Enable, cdp.Empty{})
	require.NoError(t, err)
	_, err = chromedp.Call(ctx, log.Enable, cdp.Empty{})
	require.NoError(t, err)
	return b
}

// note keeps what the tests want to know of the browser's events.
func (b *browser) note(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if u, err := url.Parse(e.Request.URL); err == nil && u.Scheme != "data" {
			b.hosts[u.Host] = true
		}
	case *runtime.EventConsoleAPICalled:
		b.complaints = append(b.complaints, "console: "+string(e.Type))
	case *runtime.EventExceptionThrown:
		b.complaints = append(b.complaints, e.ExceptionDetails.Text)
	case *log.EventEntryAdded:
		b.complaints = append(b.complaints, e.Entry.Text)
	}
}

func (b *browser) do(t *testing.T, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	require.NoError(t, chromedp.Do(b.ctx, actions...))
}

// text is what the page shows, details opened.
func (b *browser) text(t *testing.T) string {
	t.Helper()
	text, err := chromedp.Run(b.ctx, chromedp.Text("body"))
	require.NoError(t, err)
	return text
}
