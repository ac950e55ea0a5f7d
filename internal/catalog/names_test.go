package catalog_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/exporter"
)

var (
	ownWord    = regexp.MustCompile(`(?:^|[^\w./$*-])([a-z][a-z0-9]*(?:[_.][a-z0-9]+)+)`)
	allFrom    = regexp.MustCompile(`\b([a-z][a-z0-9_]*_)\*`)
	word       = regexp.MustCompile(`[a-z][a-z0-9_]*`)
	alertNamed = regexp.MustCompile(`\bHmad[A-Z]\w+`)
	matcher    = regexp.MustCompile(`\b(check|reason)=~?"([^"]+)"`)
)

// elsewhere are words of the documents that look like hmad's and are others',
// with whose they are.
var elsewhere = map[string]string{
	"authorization_uri":   "a parameter of the challenge",
	"full_access_as_app":  "a permission in Entra",
	"keep_firing_for":     "Prometheus' rules",
	"runbook_url":         "Prometheus' rules",
	"dashboard_url":       "Prometheus' rules",
	"last_over_time":      "PromQL",
	"sample_limit":        "Prometheus' config",
	"scrape_timeout":      "Prometheus' config",
	"group_wait":          "Alertmanager's config",
	"mute_time_intervals": "Alertmanager's config",
	"time_intervals":      "Alertmanager's config",
	"basic_auth_users":    "the exporter-toolkit's web config",
	"client_auth_type":    "the exporter-toolkit's web config",
	"tls_server_config":   "the exporter-toolkit's web config",
	"http_code":           "curl",
	"redirect_url":        "curl",
	"time_connect":        "curl",
	"time_appconnect":     "curl",
	"time_starttransfer":  "curl",
	"s_client":            "openssl",
	"issuer_kind":         "a parameter of the challenge",
	"error_category":      "a parameter of x-ms-diagnostics",
	"process_resident":    "client_golang, cut short",
	"HmadReport":          "part of Get-HmadReport.ps1",
}

// vocabulary is every word that hmad has declared.
type vocabulary struct {
	words   map[string]bool // checks, reasons, settings, labels and words of metrics' help
	above   map[string]bool // what names with a full stop begin with: checks, and settings of a target that have some beneath
	paths   map[string]bool // check.reason, and settings with any number of what stands above them
	reasons []string        // by themselves, and those of the alerts about hmad itself
	checks  []string
	alerts  map[string]bool
}

func declared(t *testing.T) vocabulary {
	t.Helper()
	v := vocabulary{words: map[string]bool{}, above: map[string]bool{}, paths: map[string]bool{}, alerts: map[string]bool{"HmadTest": true}} // what tries the pager is no rule
	for _, d := range catalog.Defs() {
		v.checks = append(v.checks, d.Name)
		v.above[d.Name] = true
		for _, r := range d.Reasons {
			v.reasons = append(v.reasons, r.Name)
			v.paths[d.Name+"."+r.Name] = true
		}
		v.paths[d.Name+"."+check.UndecidedReason] = true // in the table of what explains what
	}
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert, Record string
				Labels        map[string]string
			}
		}
	}
	require.NoError(t, yaml.Unmarshal([]byte(catalog.Rules(1)), &rules))
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			v.alerts[r.Alert] = true
			for part := range strings.SplitSeq(r.Record, ":") { // level:metric:operations
				v.words[part] = true
			}
			v.checks = append(v.checks, r.Labels["check"])
			v.reasons = append(v.reasons, r.Labels["reason"])
		}
	}
	for _, m := range append(catalog.Metrics(), exporter.Own...) {
		for _, w := range append(word.FindAllString(m.Help, -1), m.Labels...) {
			v.words[w] = true
		}
	}
	for _, w := range append(v.checks, v.reasons...) {
		v.words[w] = true
	}
	v.settings(reflect.TypeFor[config.File](), nil)
	return v
}

// settings adds the keys of a config's struct, which stands under above.
func (v vocabulary) settings(of reflect.Type, above []string) {
	for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice || of.Kind() == reflect.Map {
		of = of.Elem()
	}
	if of.Kind() != reflect.Struct {
		return
	}
	for i := range of.NumField() {
		f := of.Field(i)
		key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if f.Anonymous {
			v.settings(f.Type, above)
		}
		if key == "" {
			continue
		}
		v.words[key] = true
		path := append(above[:len(above):len(above)], key)
		for from := range path {
			v.paths[strings.Join(path[from:], ".")] = true
		}
		if len(path) > 2 {
			v.above[path[1]] = true // path[0] is targets
		}
		v.settings(f.Type, path)
	}
}

// knows reports whether somebody declares the word.
func (v vocabulary) knows(name string) bool {
	switch {
	case elsewhere[name] != "" || strings.HasPrefix(name, "hmad_"):
		return true // families have a test of their own
	case strings.Contains(name, "."):
		first, rest, _ := strings.Cut(name, ".")
		if v.above[first] && !strings.HasSuffix(rest, ".com") {
			return v.paths[name]
		}
		return v.plain(first) && v.plain(rest) // of a file, or of a name's middle
	default:
		return v.words[name]
	}
}

// plain says that no part of the word needs to be declared.
func (v vocabulary) plain(name string) bool {
	for part := range strings.SplitSeq(name, ".") {
		if strings.Contains(part, "_") && !v.words[part] {
			return false
		}
	}
	return true
}

func (v vocabulary) matches(names []string, pattern string) bool {
	whole := regexp.MustCompile("^(?:" + pattern + ")$")
	for _, n := range names {
		if whole.MatchString(n) {
			return true
		}
	}
	return false
}

// deployed returns what ships in deploy/ and is written by hand.
func deployed(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	require.NoError(t, filepath.WalkDir("../../deploy", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if head, _, _ := strings.Cut(string(text), "\ngroups:"); filepath.Ext(path) != ".json" && !strings.Contains(head, "Generated by") {
			texts[strings.TrimPrefix(path, "../../")] = string(text)
		}
		return err
	}))
	require.Greater(t, len(texts), 8)
	return texts
}

// What the documents write as code and with an underscore or a full stop in it
// is a check, a reason, a setting or a label, as they are called today.
func TestNamesInTheDocuments(t *testing.T) {
	v, seen, texts := declared(t), 0, documents(t)
	for file, text := range texts {
		code := append(fence.FindAllString(text, -1), codeSpan.FindAllString(fence.ReplaceAllString(text, ""), -1)...)
		for _, c := range code {
			for _, m := range ownWord.FindAllStringSubmatch(allFrom.ReplaceAllString(c, ""), -1) {
				seen++
				assert.True(t, v.knows(m[1]), "%s: nobody declares %s (in %s)", file, m[1], c)
			}
			for _, m := range allFrom.FindAllStringSubmatch(c, -1) {
				assert.True(t, strings.HasPrefix(m[1], "hmad_") || v.matches(v.reasons, m[1]+".+"), "%s: no reason begins like %s*", file, m[1])
			}
		}
	}
	assert.Greater(t, seen, 200)
	everything := ""
	for _, text := range texts {
		everything += text
	}
	for name := range elsewhere {
		assert.Contains(t, everything, name, "no document needs this exception any more")
	}
}

// Alerts that are named anywhere are there.
func TestAlertsInTheDocuments(t *testing.T) {
	v, seen := declared(t), 0
	texts := documents(t)
	for file, text := range deployed(t) {
		texts[file] = text
	}
	for file, text := range texts {
		for _, name := range alertNamed.FindAllString(text, -1) {
			seen++
			assert.True(t, v.alerts[name] || elsewhere[name] != "", "%s: there is no alert %s", file, name)
		}
	}
	assert.Greater(t, seen, 100)
}

// Checks and reasons that Alertmanager's config asks for by name are declared.
func TestMatchersOfTheExample(t *testing.T) {
	v, seen := declared(t), 0
	for file, text := range deployed(t) {
		for _, m := range matcher.FindAllStringSubmatch(text, -1) {
			names := v.checks
			if m[1] == "reason" {
				names = v.reasons
			}
			for pattern := range strings.SplitSeq(m[2], "|") {
				seen++
				assert.True(t, v.matches(names, pattern), "%s: no %s is called %s", file, m[1], pattern)
			}
		}
	}
	assert.Greater(t, seen, 20)
}
