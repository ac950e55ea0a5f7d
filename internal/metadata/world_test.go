package metadata

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/report"
)

const (
	testTenant  = "5de110f8-2e0f-4d45-891d-bcf2218e253d"
	otherTenant = "00c118a9-2de9-41d3-b39a-81648a7a5e4d"
	testURL     = "https://login.windows.net/" + testTenant + "/federationmetadata/2007-06/federationmetadata.xml"
	testIssuer  = "https://sts.windows.net/" + testTenant + "/"
	evoSTS      = "EvoSTS - 2f6b8b1e-6c2c-4a55-9d0b-0a6a3f0d0c11"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

var certificateKey = sync.OnceValue(func() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
})

// newDER makes a self-signed certificate, valid for five years.
func newDER(t testing.TB, name string, notBefore time.Time) []byte {
	template := &x509.Certificate{SerialNumber: big.NewInt(notBefore.Unix()), Subject: pkix.Name{CommonName: name},
		NotBefore: notBefore, NotAfter: notBefore.AddDate(5, 0, 0)}
	key := certificateKey()
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	return der
}

// newDERs makes n certificates that have been valid for 60 days.
func newDERs(t testing.TB, n int) [][]byte {
	var out [][]byte
	for i := range n {
		out = append(out, newDER(t, fmt.Sprintf("signing %d", i), noon.AddDate(0, 0, -60)))
	}
	return out
}

// federationXML writes a document as Microsoft does, in short.
func federationXML(issuer string, ders [][]byte) string {
	var keys strings.Builder
	for _, der := range ders {
		fmt.Fprintf(&keys, `<KeyDescriptor use="signing"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>%s</X509Certificate></X509Data></KeyInfo></KeyDescriptor>`,
			base64.StdEncoding.EncodeToString(der))
	}
	return `<?xml version="1.0" encoding="utf-8"?><EntityDescriptor ID="_x" entityID="` + issuer + `" xmlns="urn:oasis:names:tc:SAML:2.0:metadata">` +
		`<RoleDescriptor xsi:type="fed:SecurityTokenServiceType" protocolSupportEnumeration="http://docs.oasis-open.org/wsfed/federation/200706" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:fed="http://docs.oasis-open.org/wsfed/federation/200706">` +
		keys.String() + `</RoleDescriptor><IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">` + keys.String() + `</IDPSSODescriptor></EntityDescriptor>`
}

// world is both sides and a clock, all of it to be set by a test.
type world struct {
	t      testing.TB
	now    time.Time
	memory *checktest.Memory
	target config.Target

	documents map[string]string // by URL; what is not here cannot be reached
	fetched   []request
	published [][]byte // signs: the document at testURL

	hosts   map[string]map[string]any // sections by host
	written time.Time                 // of every report; zero: now
	every   time.Duration             // interval of the reports; zero: a quarter of an hour
	whole   bool                      // reports have every section
	frozen  []byte                    // MBX01's report as it was; nil: as the world is
	server  map[string]any            // the tenant's auth server, certificates apart
	others  []map[string]any          // more auth servers
	stored  [][]byte
	signing []byte // signs tokens now; nil: no credential

	check *evosts
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, now: noon, memory: new(checktest.Memory), documents: map[string]string{}, hosts: map[string]map[string]any{"MBX01": {}}}
	w.target = config.Target{Name: "contoso", Tenant: testTenant, Metadata: config.Metadata{Window: 8 * time.Hour, PageAfter: 13 * time.Hour, OverdueAfter: 13 * time.Hour},
		OnPrem: config.OnPrem{Report: config.Report{Folder: "/reports"}}}
	w.server = map[string]any{"name": evoSTS, "type": "AzureAD", "enabled": true, "isDefaultAuthorizationEndpoint": true,
		"issuerIdentifier": testIssuer, "realm": testTenant, "authMetadataUrl": testURL}
	w.published = newDERs(t, 3)
	w.stored = slices.Clone(w.published)
	return w
}

func (w *world) env() check.Env {
	return check.Env{
		Now:     func() time.Time { return w.now },
		Memory:  w.memory,
		Reports: "/reports",
		ReadDir: func(string) ([]string, error) {
			var files []string
			for host := range w.hosts {
				files = append(files, "/reports/"+strings.ToLower(host)+".json")
			}
			slices.Sort(files)
			return files, nil
		},
		ReadFile: func(name string, max int64) ([]byte, error) {
			for host := range w.hosts {
				if name == "/reports/"+strings.ToLower(host)+".json" {
					return w.report(host), nil
				}
			}
			return nil, fs.ErrNotExist
		},
	}
}

// report writes a host's report, with the auth servers unless the test gave
// that section.
func (w *world) report(host string) []byte {
	if w.frozen != nil && host == "MBX01" {
		return w.frozen
	}
	at := w.written
	if at.IsZero() {
		at = w.now
	}
	sections := map[string]any{}
	if w.whole {
		sections = wholeSections(w.t)
	}
	sections["authServers"] = ok(w.authServers())
	for name, s := range w.hosts[host] {
		sections[name] = s
		if s == nil {
			delete(sections, name)
		}
	}
	data, err := json.Marshal(map[string]any{"schema": 1, "collector": report.CollectorVersion, "host": host, "intervalSeconds": cmp.Or(w.every, 15*time.Minute).Seconds(), "durationMs": 1200,
		"generatedAt": at.Format(time.RFC3339), "sections": sections})
	require.NoError(w.t, err)
	return data
}

func (w *world) authServers() []map[string]any {
	all := append([]map[string]any{}, w.others...)
	if w.server != nil {
		w.server["certificateStrings"] = w.stored
		all = append(all, w.server)
	}
	return all
}

// wholeSections returns every section of a good report.
func wholeSections(t testing.TB) (sections map[string]any) {
	data, err := os.ReadFile("../report/testdata/reports/ex01.json")
	require.NoError(t, err)
	var r struct{ Sections map[string]any }
	require.NoError(t, json.Unmarshal(data, &r))
	return r.Sections
}

func ok(data any) map[string]any { return map[string]any{"ok": true, "data": data} }

func failed(why string) map[string]any { return map[string]any{"ok": false, "error": why} }

// fetch answers from documents, and honours ETags.
func (w *world) fetch(_ context.Context, r request) (answer, error) {
	w.fetched = append(w.fetched, r)
	body, there := w.documents[r.URL]
	if r.URL == testURL && !there && w.published != nil {
		body, there = federationXML(testIssuer, w.published), true
	}
	if !there {
		return answer{}, check.Errorf(check.Metadata, "%s: connection refused", r.URL)
	}
	tag := keyIDFor(ThumbprintOf([]byte(body)))
	if r.ETag == tag {
		return answer{Unchanged: true}, nil
	}
	return answer{Body: []byte(body), ETag: tag}, nil
}

// restart ends the process: what the check kept beside the memory is lost.
func (w *world) restart() { w.check = nil }

// run runs evosts_metadata once.
func (w *world) run() check.Result {
	if w.check == nil {
		w.check = buildEvoSTS(w.target, w.env(), w.fetch)
		if w.signing != nil {
			w.check.keyID = func(context.Context) (signature, error) {
				if len(w.signing) == 0 {
					return signature{}, errors.New("AADSTS700027")
				}
				return signature{ThumbprintOf(w.signing), w.now}, nil
			}
		}
	}
	return judged(w.t, EvoSTSMetadata, w.check.run)
}

// judged runs a check of the Def once.
func judged(t testing.TB, d *check.Def, run func(context.Context, *check.Verdict)) check.Result {
	report, err := d.Look(t.Context(), run)
	r := check.Result{Report: report, Err: err}
	requireWhole(t, r)
	return r
}

// built builds a check of the Def for the world's target and runs it once.
func (w *world) built(d *check.Def, env check.Env) check.Result {
	parts, err := d.New(w.target, env)
	require.NoError(w.t, err)
	return judged(w.t, d, parts.Run)
}

// requireWhole holds that a run judged every reason or says why it did not, and
// that its notes are lines.
func requireWhole(t testing.TB, r check.Result) {
	if r.Err != nil {
		require.NotEqual(t, check.Internal, check.ClassOf(r.Err), r.Err)
	}
	for _, f := range r.Report.Findings {
		require.NotEmpty(t, f.Detail)
	}
	for _, u := range r.Report.Unjudged {
		require.NotEmpty(t, u.Why, u.Reason.Name)
	}
	for _, n := range r.Report.Texts() {
		require.NotContains(t, n, "\n")
	}
	require.NotEmpty(t, r.Report.Texts(check.Repeat), "a command repeats every question")
}

// outcome words a result: its reasons, then the class of its error.
func outcome(r check.Result) string {
	var words []string
	for _, f := range r.Report.Findings {
		words = append(words, f.Reason.Name)
	}
	if r.Err != nil {
		words = append(words, "error:"+check.ClassOf(r.Err).Name)
	}
	if len(words) == 0 {
		return "good"
	}
	return strings.Join(words, " ")
}

func reasonNames(rs []*check.Reason) []string {
	ns := []string{}
	for _, r := range rs {
		ns = append(ns, r.Name)
	}
	return ns
}

// sample returns the value of a family with these labels, or false.
func sample(r check.Result, m *check.Metric, labels ...string) (float64, bool) {
	for _, s := range r.Report.Samples {
		if s.Metric == m && slices.Equal(s.Labels, labels) {
			return s.Value, true
		}
	}
	return 0, false
}

// timelineOf returns the timeline of a result.
func timelineOf(r check.Result) []string {
	return r.Report.Texts(check.Timeline)
}
