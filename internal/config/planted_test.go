package config_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
)

// Whatever setting a secret is typed into, as text, in a list or as a key: no
// error shows it. A setting that is added to the config is tried, too.
func TestNoErrorShowsAPlantedSecret(t *testing.T) {
	all := checktest.Settings()
	require.Greater(t, len(all), 60)
	refused := 0
	for _, path := range all {
		for name, secret := range checktest.Planted("S3cret") {
			for form, value := range map[string]any{"text": secret, "list": []any{secret}, "key": map[string]any{secret: map[string]any{secret: secret}}} {
				var tree any
				require.NoError(t, yaml.Unmarshal([]byte(six), &tree))
				text, err := yaml.Marshal(checktest.Set(tree, path, value))
				require.NoError(t, err)
				_, err = config.Parse("hmad.yaml", text)
				if err == nil {
					continue // a free text
				}
				refused++
				assert.NotContains(t, err.Error(), "S3c", "%v: %s as %s", path, name, form)
			}
		}
	}
	assert.Greater(t, refused, 10*len(all), "most are refused")
}

func TestAWordWithoutQuotesIsNotShown(t *testing.T) {
	for _, value := range []string{"*S3cret", "@S3cret", "&S3cret", "!S3cret x", "%S3cret", "'S3cret", `"S3cret`, "{S3cret", "S3cret: S3cret: x"} {
		_, err := config.Parse("hmad.yaml", []byte(six+"    proxy: "+value+"\n"))
		if err != nil {
			assert.NotContains(t, err.Error(), "S3cret", value)
		}
	}
}

// oddly are texts with a secret at places where YAML has names of its own, or
// nothing.
var oddly = []string{
	"confirm_after: !S3~cret x\n", "confirm_after: !!S3~cret x\n", "confirm_after: !<tag:S3~cret> x\n", "confirm_after: !!int S3~cret\n",
	"confirm_after: &S3~cret x\n", "confirm_after: *S3~cret\n", "confirm_after: !!binary S3~cret\n", "confirm_after: \"\\xS3~cret\"\n",
	"targets: !!map S3~cret\n", "targets: !!seq S3~cret\n", "targets: !!set {S3~cret}\n", "targets: &a [S3~cret, *a]\n", "targets: [S3~cret\n",
	"? S3~cret\n: x\n", "? [S3~cret]\n: x\n", "S3~cret: 1\nS3~cret: 2\n", "<<: S3~cret\n", "targets: [{<<: {S3~cret: 1}}]\n",
	"%S3~cret\n---\n", "%YAML S3~cret\n---\n", "---\nS3~cret\n---\nS3~cret\n", "\tS3~cret\n", "a: |S3~cret\n", "a: `S3~cret", "a: {S3~cret",
	"targets:\n- checks:\n    S3~cret: {schedule: S3~cret}\n", "targets:\n- connect_to: {S3~cret: [S3~cret]}\n",
}

func TestASecretWhereYAMLHasNamesOfItsOwn(t *testing.T) {
	for _, text := range oddly {
		_, err := config.Parse("hmad.yaml", []byte(text))
		require.Error(t, err, text)
		assert.NotContains(t, err.Error(), "S3~c", text)
	}
	_, err := config.Parse("hmad.yaml", []byte("targets: [a\n"))
	assert.ErrorContains(t, err, "did not find expected ',' or ']'", "what YAML wants is shown")
}

func TestAScheduleWithoutQuotes(t *testing.T) {
	for _, value := range []string{"*/5 * * * *", "@hourly", "* * * * *"} {
		for _, form := range []string{"    checks: {activesync: {schedule: %s}}\n", "    checks:\n\n      activesync:\n        schedule: %s\n",
			"    checks:\n      activesync: {\"schedule\": %s}\n", "    checks: {activesync: {timeout: 5s, 'schedule': %s }}\r\n"} {
			text := six + fmt.Sprintf(form, value)
			_, err := config.Parse("hmad.yaml", []byte(text))
			require.ErrorContains(t, err, "put the schedule in quotes", text)
			line := 1 + strings.Count(text[:strings.Index(text, "schedule")], "\n")
			assert.Contains(t, err.Error(), fmt.Sprintf("hmad.yaml:%d: ", line))
		}
	}
}

func TestOnlyTheLineOfTheErrorIsToldToNeedQuotes(t *testing.T) {
	anchored := strings.Replace(six, "name: contoso", "name: &name contoso", 1)
	for text, want := range map[string]string{
		anchored + "    vantage: 'inside\n":   "found unexpected end of stream",
		anchored + "    proxy: {a: [\n":       "hmad.yaml:7: did not find",
		anchored + "    proxy: %x\n":          "hmad.yaml:7: got a value that begins with",
		"confirm_after: @hourly\n" + anchored: "hmad.yaml:1: got a value that begins with",
		six + "    proxy: *swordfish\n":       "hmad.yaml:7: got a value that begins with",
	} {
		_, err := config.Parse("hmad.yaml", []byte(text))
		require.ErrorContains(t, err, want)
		assert.NotContains(t, err.Error(), "swordfish")
	}
}

func TestTheSecretItselfForTheNameOfItsFile(t *testing.T) {
	for name, shown := range map[string]bool{
		"hunter2": false, "S3cret/x+y=": false, "/etc/hmad/token": true, "token.txt": true, "./token": true, `C:\hmad\token`: true,
	} {
		assert.Equal(t, shown, config.ShownFile(name) == name, name)
		f, err := config.Parse("hmad.yaml", []byte(strings.Replace(six+online, "/run/secret", "'"+name+"'", 1)))
		require.NoError(t, err)
		require.Equal(t, name, f.Targets[0].ExchangeOnline.SecretFile)
		text, err := f.Show()
		require.NoError(t, err)
		if !shown {
			assert.NotContains(t, string(text), name)
		}
	}
}

func TestAHostWithAnUmlaut(t *testing.T) {
	for _, text := range []string{strings.Replace(six, "host: autodiscover", "host: münchen", 1), six + "    resolver: münchen.contoso.com\n",
		six + "    proxy: http://münchen.contoso.com:3128\n"} {
		_, err := config.Parse("hmad.yaml", []byte(text))
		require.Error(t, err)
		if strings.Contains(text, "proxy") {
			assert.Contains(t, err.Error(), "withheld", "what is no host in ASCII may be anything")
		} else {
			assert.Contains(t, err.Error(), "want the name as DNS has it, in ASCII (xn--…)")
		}
	}
}
