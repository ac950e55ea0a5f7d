package main

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/check/checktest"
)

// mistyped is the secret that somebody types into a setting of the config.
const mistyped = "S3cret"

// rivals are the settings that go where one is tried.
var rivals = map[string][]string{
	"secret_file":            {"certificate_file"},
	"workload_identity_file": {"certificate_file"},
	"file":                   {"listen", "cert_file", "key_file", "token_file"},
}

// names are settings that take a word: the name of a target, of hosts, of hmad
// itself.
var names = []string{"[targets 0 name]", "[targets 0 autodiscover host]", "[targets 0 autodiscover redirect_hosts 0]", "[targets 0 onprem report hosts 0]",
	"[targets 0 user_agent]", "[targets 0 checks activesync accept 0 note]", "[targets 0 cloud_autodiscover tenant_domain]",
	"[targets 0 cloud_autodiscover absent_name]"}

// planting is a daemon whose config is written anew with a secret in it.
type planting struct {
	*estate
	config, storage, base string
}

func startPlanting(t *testing.T) *planting {
	t.Helper()
	l, dir := startOnlineLab(t), t.TempDir()
	base, _ := listening(t, l, dir, fmt.Sprintf(`      ldap:
        url: ldaps://%s
        bind_dn: CN=hmad,DC=contoso,DC=test
        password_file: %q
`, freeAddress(t), write(t, dir, "password", plantedPassword)))
	for form, text := range contents {
		write(t, dir, strings.ReplaceAll(form, " ", "-")+".txt", text)
	}
	p := &planting{config: write(t, dir, "hmad.yaml", base), storage: filepath.Join(dir, "state"), base: base}
	p.estate = startRunOn(t, p.config, p.storage, "--log.level=debug")
	return p
}

// plant writes the config with a value at each of the paths.
func (p *planting) plant(t *testing.T, value string, paths ...[]any) {
	t.Helper()
	var tree any
	require.NoError(t, yaml.Unmarshal([]byte(p.base), &tree))
	tree = checktest.Set(tree, []any{"targets", 0, "checks", "activesync", "accept"},
		[]any{map[string]any{"reason": "bearer_missing", "until": "2099-12-31", "note": "ordered"}})
	for _, path := range paths {
		tree = checktest.Set(tree, path, value)
		last := len(path) - 1
		if path[last] == "proxy_credentials_file" {
			tree = checktest.Set(tree, []any{"targets", 0, "proxy"}, "http://127.0.0.1:1")
			delete(at(tree, []any{"targets", 0, "activesync"}).(map[string]any), "members")
		}
		for _, rival := range rivals[fmt.Sprint(path[last])] {
			delete(at(tree, path[:last]).(map[string]any), rival)
		}
	}
	text, err := yaml.Marshal(tree)
	require.NoError(t, err)
	write(t, filepath.Dir(p.config), filepath.Base(p.config), string(text))
}

// at returns what a tree has at a path.
func at(tree any, path []any) any {
	for _, step := range path {
		if key, ok := step.(string); ok {
			tree = tree.(map[string]any)[key]
		} else {
			tree = tree.([]any)[step.(int)]
		}
	}
	return tree
}

// contents are files that are wanted for another thing than they hold.
var contents = map[string]string{
	"a file with a word":          mistyped,
	"a file with lines":           mistyped + "\n" + mistyped + ": " + mistyped + "\n\n" + mistyped + "\t1\n",
	"a file with another block":   "-----BEGIN " + mistyped + "-----\nAAAA\n-----END " + mistyped + "-----\n",
	"a file with a broken block":  "-----BEGIN CERTIFICATE-----\n" + mistyped + "\n-----END CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n" + mistyped + "=\n-----END PRIVATE KEY-----\n",
	"a file with JSON":            `{"` + mistyped + `": ["` + mistyped + `", {"host": "` + mistyped + `"}]}`,
	"a file with another charset": "\xff\xfe" + mistyped + "\x00\xff",
}

// values returns what is typed into a setting, by its form: of one that names a
// file the names of files with the secret in them, too.
func (p *planting) values(path []any) map[string]string {
	all := checktest.Planted(mistyped)
	if last := fmt.Sprint(path[len(path)-1]); last == "file" || strings.HasSuffix(last, "_file") {
		for form := range contents {
			all[form] = filepath.Join(filepath.Dir(p.config), strings.ReplaceAll(form, " ", "-")+".txt")
		}
	}
	return all
}

// says returns all that a command writes about the config, and its exit code.
func (p *planting) says(t *testing.T, args ...string) (string, int) {
	t.Helper()
	c := start(t, append(args, "--config.file="+p.config)...)
	<-c.exited
	return c.stdout.String() + c.stderr.String(), c.code
}

// shown returns what the daemon shows after a reload, by where, and the reload's
// status.
func (p *planting) shown(t *testing.T) (map[string]string, int) {
	t.Helper()
	all := map[string]string{}
	status, answer := request(t, http.MethodPost, p.page+"/-/reload")
	all["reload"] = answer
	for _, path := range []string{"/", "/metrics", "/api/v1/results"} {
		_, all[path] = request(t, http.MethodGet, p.page+path)
	}
	return all, status
}

// run has the daemon run every check, and adds its answers.
func (p *planting) run(t *testing.T, shown map[string]string) {
	t.Helper()
	for _, d := range catalog.Defs() {
		_, shown["POST run "+d.Name] = request(t, http.MethodPost, p.page+"/api/v1/run?check="+d.Name+"&target=contoso")
	}
	for _, path := range []string{"/", "/metrics", "/api/v1/results"} {
		_, shown[path+" after the runs"] = request(t, http.MethodGet, p.page+path)
	}
}

// Whatever setting a secret is typed into, and whatever file with it is named
// where another is wanted, nothing shows it: no command, no
// answer of the daemon, no page, no metric, no log. A setting that is added to
// the config is tried, too.
func TestNoSettingShowsASecretThatIsTypedIntoIt(t *testing.T) {
	p := startPlanting(t)
	refused, accepted := 0, map[string][][]any{}
	for _, path := range checktest.Settings() {
		for form, value := range p.values(path) {
			p.plant(t, value, path)
			text, code := p.says(t, "config", "check")
			switch {
			case code != exitOK:
				refused++
				shown, _ := p.shown(t)
				shown["config check"] = text
				shown["doctor"], _ = p.says(t, "doctor", "--web.listen-address=127.0.0.1:0")
				keepsTo(t, shown, form, path)
			case form != "a plain word" || !slices.Contains(names, fmt.Sprint(path)):
				accepted[form] = append(accepted[form], path)
			}
		}
	}
	assert.Greater(t, refused, 300)
	for form, paths := range accepted {
		groups := map[string][][]any{}
		for _, path := range paths {
			groups[group(path)] = append(groups[group(path)], path)
		}
		for name, together := range groups {
			p.takesIn(t, form, together, !slices.Contains([]string{atStart, inPlace}, name))
		}
	}
	p.stop()
	left := stateFiles(t, p.storage)
	left["the log"] = p.stderr.String() + p.stdout.String()
	keepsTo(t, left, "any form")
}

// The groups of settings that are read at a start alone: of the listener for
// reports, and the folder in its place.
const (
	atStart = "onprem.report"
	inPlace = "onprem.report.file"
)

// group returns which settings can be tried together with this one.
func group(path []any) string {
	switch {
	case fmt.Sprint(path) == "[targets 0 onprem report file]":
		return inPlace
	case strings.HasPrefix(fmt.Sprint(path), "[targets 0 onprem report "):
		return atStart
	case path[len(path)-1] == "secret_file":
		return "another credential"
	default:
		return ""
	}
}

// takesIn has all commands and the daemon work with a config that is accepted
// although secrets stand in it.
func (p *planting) takesIn(t *testing.T, form string, paths [][]any, reloads bool) {
	t.Helper()
	p.plant(t, p.values(paths[0])[form], paths...)
	shown, status := p.shown(t)
	if reloads {
		assert.Equal(t, http.StatusOK, status, shown["reload"])
		p.run(t, shown)
	}
	shown["config show"], _ = p.says(t, "config", "show")
	shown["config check"], _ = p.says(t, "config", "check")
	shown["check"], _ = p.says(t, "check", "--verbose", "--storage.path="+p.storage)
	shown["check as JSON"], _ = p.says(t, "check", "--output=json", "--storage.path="+p.storage)
	shown["doctor"], _ = p.says(t, "doctor", "--web.listen-address=127.0.0.1:0", "--storage.path="+p.storage)
	shown["doctor as JSON"], _ = p.says(t, "doctor", "--web.listen-address=127.0.0.1:0", "--storage.path="+p.storage, "--output=json")
	keepsTo(t, shown, form, paths...)
}

// keepsTo fails the test for each line that shows the secret.
func keepsTo(t *testing.T, shown map[string]string, form string, paths ...[]any) {
	t.Helper()
	for where, text := range shown {
		for line := range strings.Lines(text) {
			if strings.Contains(line, mistyped) {
				t.Errorf("%s shows the secret (%s in %v): %s", where, form, paths, line)
			}
		}
	}
}
