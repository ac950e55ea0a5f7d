package report

import (
	"strings"
	"testing"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
)

// envelope is a report with a section of each kind. The fuzzer wants it short:
// it tries to leave out each byte of an input that reaches new code.
const envelope = `{"schema":1,"collector":"1.0","host":"EX01","intervalSeconds":900,"generatedAt":"2026-11-22T09:15:00.0000000Z","durationMs":41,
"sections":{"iis":{"ok":true,"since":"/Date(1795338000000)/","data":[{"a":1}]},"authServers":{"ok":false,"error":"Access is denied"}}}`

// FuzzDecode: whatever arrives, a report or an error of one line, never
// a panic, and a host that is safe as a file name.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(envelope))
	f.Add([]byte("\xef\xbb\xbf" + envelope))
	f.Add([]byte(envelope[:200]))
	f.Add([]byte(`{"schema":1,"host":"EX01","intervalSeconds":9e2,"generatedAt":"/Date(1795338900000)/","sections":{"iis":{"ok":true,"data":{}}}}`))
	f.Add([]byte(`{"schema":1,"host":"..","intervalSeconds":1e300,"generatedAt":{"value":""},"sections":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Decode(data)
		if err != nil {
			checktest.OneLine(t, err)
			return
		}
		if strings.ContainsAny(r.FileName(), "/\\:\x00\n") || strings.HasPrefix(r.FileName(), ".") {
			t.Errorf("host %q makes the file name %q", r.Host, r.FileName())
		}
		if r.GeneratedAt.IsZero() || r.Interval <= 0 || r.Took < 0 {
			t.Errorf("got %v, %v, %v", r.GeneratedAt, r.Interval, r.Took)
		}
	})
}

// FuzzSections puts data into every section in turn: facts or an error of one
// line, and never more rows than the data has bytes.
func FuzzSections(f *testing.F) {
	r, err := Decode([]byte(sample(f)))
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range SectionNames() {
		f.Add([]byte(r.Sections[name].Data))
	}
	for _, seed := range []string{`null`, `[null]`, `{"value":[],"Count":0}`, `[{"time":"/Date(0)/","id":"2006","count":1e9}]`,
		`{"name":1,"enabled":"TRUE","certificateStrings":[["AQ=="]]}`, `{"maxSendSize":"x (1,,2 bytes)"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, p := range parts() {
			if _, err := p.read(withSection(p.name, string(data))); err != nil {
				checktest.OneLine(t, err)
			}
		}
		events, _ := withSection(SectionOAuthEvents, string(data)).OAuthEvents()
		for _, e := range events {
			if e.Count < 1 || e.First.After(e.Time) || check.Redact(e.Message) != e.Message {
				t.Errorf("got %+v", e)
			}
		}
	})
}
