// Package systemd tests the unit as systemd's own tools judge it; package
// packaging runs it.
package systemd

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/config"
)

// maxExposure is how much `systemd-analyze security` may find, of 100.
const maxExposure = "15"

func unit(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("hmad.service")
	require.NoError(t, err)
	return string(text)
}

// analyze runs systemd-analyze on the unit's text, as file hmad.service, and
// gives what it complains of.
func analyze(t *testing.T, text string, args ...string) (complaints string, err error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "hmad.service")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	cmd := exec.CommandContext(t.Context(), "systemd-analyze", append(args, file)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err = cmd.Run()
	return stderr.String(), err
}

// verify has the unit's syntax read. Of what it names only hmad itself may be
// missing here.
func verify(t *testing.T, text string) string {
	t.Helper()
	text = strings.Replace(text, "ExecStart=/usr/bin/hmad ", "ExecStart=/bin/true ", 1)
	complaints, err := analyze(t, text, "verify", "--man=no")
	require.NoError(t, err, complaints)
	return complaints
}

func TestVerify(t *testing.T) {
	assert.Empty(t, verify(t, unit(t)))
	misspelt := strings.Replace(unit(t), "\nWatchdogSec=", "\nWachdogSec=", 1)
	assert.Contains(t, verify(t, misspelt), "Unknown key", "the tool complains on stderr alone")
}

func TestExposure(t *testing.T) {
	_, err := analyze(t, unit(t), "security", "--offline=yes", "--threshold="+maxExposure)
	require.NoError(t, err)
	open := strings.Replace(unit(t), "\nCapabilityBoundingSet=\n", "\n", 1)
	_, err = analyze(t, open, "security", "--offline=yes", "--threshold="+maxExposure)
	require.Error(t, err, "the tool refuses one that is more exposed")
}

// Every key of the config that names a file with a secret has its line in the
// unit.
func TestEverySecretHasItsCredential(t *testing.T) {
	secret := regexp.MustCompile(`^(certificate|secret|password|key|token|proxy_credentials)_file$`)
	text := unit(t)
	seen := 0
	var walk func(reflect.Type, string)
	walk = func(r reflect.Type, path string) {
		for i := range r.NumField() {
			field := r.Field(i)
			name, options, _ := strings.Cut(field.Tag.Get("yaml"), ",")
			switch {
			case options == "inline":
				walk(field.Type, path)
			case field.Type.Kind() == reflect.Struct:
				walk(field.Type, path+name+".")
			}
			if secret.MatchString(name) {
				seen++
				assert.True(t, strings.Contains(text, path+name) || strings.Contains(text, ", "+name), "%s%s", path, name)
			}
		}
	}
	walk(reflect.TypeFor[config.Target](), "")
	assert.GreaterOrEqual(t, seen, 5)
	assert.Len(t, regexp.MustCompile(`(?m)^#LoadCredential=([a-z.-]+):/etc/hmad/credentials/([a-z.-]+)$`).FindAllString(text, -1), seen+2, "and web.yml, web.key")
}

// The documents and the example config have one way for secrets: they lie where
// the unit loads them from, and are named where it puts them.
func TestDocumentsNameTheCredentialsOfTheUnit(t *testing.T) {
	loaded := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^#LoadCredential=([a-z.-]+):`).FindAllStringSubmatch(unit(t), -1) {
		loaded[m[1]] = true
	}
	files, err := filepath.Glob("../../docs/*.md")
	require.NoError(t, err)
	path := regexp.MustCompile(`(?:/etc/hmad/credentials|/run/credentials/hmad\.service)/([a-z.-]+[a-z])`)
	setting := regexp.MustCompile(`(?m)^[ #]*(?:certificate|secret|password|key|token|proxy_credentials)_file: *(\S+)`)
	named, set := map[string]bool{}, 0
	for _, file := range append(files, "../../config.example.yaml") {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range path.FindAllStringSubmatch(string(text), -1) {
			named[m[1]] = true
		}
		for _, m := range setting.FindAllStringSubmatch(string(text), -1) {
			set++
			assert.Regexp(t, "^/run/credentials/hmad\\.service/", m[1], file)
		}
	}
	assert.Equal(t, loaded, named)
	assert.Greater(t, set, 5)
}
