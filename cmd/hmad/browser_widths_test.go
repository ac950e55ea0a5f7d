package main

import (
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/exporter"
	"github.com/hmad/hmad/internal/state"
)

// overflowing lists what is wider than the window, or cut off by what it stands in:
// of the page as a reader sees it, everything opened.
const overflowing = `(() => {
	document.querySelectorAll("details").forEach(d => d.open = true);
	const out = [], wide = document.documentElement.clientWidth;
	if (document.documentElement.scrollWidth > wide) out.push("the page: " + document.documentElement.scrollWidth);
	for (const e of document.querySelectorAll("main *, header *, footer *")) {
		const box = e.getBoundingClientRect();
		if (e.closest(".vh, .skip, thead") || box.width == 0) continue;
		if (box.right > wide + 1 || box.left < -1) out.push(e.tagName + "." + e.getAttribute("class") + " " + e.textContent.slice(0, 60));
	}
	return out.slice(0, 10);
})()`

// With every reason standing, long words in what was found, nothing is wider than a
// phone, a tablet or a screen.
func TestNothingOnThePageOverflows(t *testing.T) {
	page := httptest.NewServer(exporter.New(exporter.Options{Store: everyReason(t), Defs: catalog.Defs(), Runbook: catalog.RunbookURL}).Handler())
	t.Cleanup(page.Close)
	b := newBrowser(t)
	t.Cleanup(func() { page.CloseClientConnections() })
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{390, 768, 1400} {
			_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
			require.NoError(t, err)
			b.do(t, chromedp.EmulateViewport(width, 900), chromedp.Navigate(page.URL+"/"))
			found, err := chromedp.Run(b.ctx, chromedp.Evaluate[[]string](overflowing))
			require.NoError(t, err)
			assert.Empty(t, found, "%s, %d px", scheme, width)
			if folder := os.Getenv("HMAD_PICTURES"); folder != "" {
				picture, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
				require.NoError(t, err)
				require.NoError(t, os.WriteFile(filepath.Join(folder, fmt.Sprintf("page-%s-%d.png", scheme, width)), picture, 0o600))
			}
		}
	}
}

// everyReason is a Store in which every reason of every check stands.
func everyReason(t *testing.T) *state.Store {
	t.Helper()
	store, now := state.Open("", state.Options{}), time.Now()
	t.Cleanup(func() { _ = store.Close() })
	long := strings.Repeat("0123456789abcdef", 20)
	for _, d := range catalog.Defs() {
		r := check.Result{Check: d.Name, Target: "contoso-with-a-name-as-long-as-names-of-targets-may-well-become", Start: now, Took: time.Second}
		for _, reason := range d.Reasons {
			r.Report.Findings = append(r.Report.Findings, check.Finding{Reason: reason, Detail: "CN=" + long + ": " + long})
		}
		for i, f := range d.Facts {
			r.Report.Facts = append(r.Report.Facts, check.Observed{Fact: f, Subject: fmt.Sprintf("%d.%s", i, long[:60]), Value: long})
		}
		r.Report.Notes = []check.Note{{Kind: check.Repeat, Text: "curl -sv https://" + long}, {Kind: check.Seen, Text: long}}
		before := r
		before.Start, before.Report.Facts = now.Add(-time.Hour), nil
		for _, f := range r.Report.Facts {
			f.Value = "before"
			before.Report.Facts = append(before.Report.Facts, f)
		}
		store.Record(before)
		store.Record(r)
	}
	return store
}
