package catalog_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
)

// minimal is a config of which all but its six lines is default.
const minimal = `targets:
  - name: contoso
    mailbox: hmad-probe@contoso.com
    tenant: 5de110f8-2e0f-4d45-891d-bcf2218e253d
    autodiscover: {host: autodiscover.contoso.com}
    activesync: {url: https://mail.contoso.com/Microsoft-Server-ActiveSync}
`

// setting is a line of the example that is a commented-out setting; prose has a
// blank after its #.
var setting = regexp.MustCompile(`^( *)#([a-z_]+:|  )`)

// paragraphs returns the example as it is, and once more for each paragraph with
// commented-out settings: these in force and no others.
func paragraphs(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../config.example.yaml")
	require.NoError(t, err)
	lines := strings.SplitAfter(string(text), "\n")
	variants := map[string]string{"as it is": string(text)}
	for begin := 0; begin < len(lines); {
		end, used := begin, ""
		changed := append([]string{}, lines...)
		for ; end < len(lines) && strings.TrimSpace(lines[end]) != ""; end++ {
			if setting.MatchString(lines[end]) {
				changed[end] = setting.ReplaceAllString(lines[end], "$1$2")
				used += strings.TrimSpace(changed[end]) + " "
			}
		}
		if used != "" {
			variants[used] = strings.Join(changed, "")
		}
		begin = end + 1
	}
	return variants
}

func TestEveryParagraphOfTheExampleIsValid(t *testing.T) {
	variants := paragraphs(t)
	require.Greater(t, len(variants), 15)
	certificate := certificateWithKey(t)
	env := func(config.Target, string) check.Env {
		return check.Env{Memory: noMemory{}, Now: time.Now, ReadFile: func(name string, _ int64) ([]byte, error) {
			if strings.HasSuffix(name, "/proxy-credentials") {
				return []byte("svc:password\n"), nil
			}
			return certificate, nil
		}}
	}
	for name, text := range variants {
		t.Run(name, func(t *testing.T) {
			file, err := config.Parse("config.example.yaml", []byte(text))
			require.NoError(t, err)
			_, err = catalog.Build(file, env)
			require.NoError(t, err)
		})
	}
}

// noMemory is a Memory that knows nothing.
type noMemory struct{}

func (noMemory) Get(string, any) bool { return false }
func (noMemory) Put(string, any)      {}

// certificateWithKey is what every file that the example names holds.
func certificateWithKey(t *testing.T) []byte {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	coded, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: coded}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})...)
}

// Every setting that the types have is in the example.
func TestTheExampleHasEverySetting(t *testing.T) {
	shown := map[string][]string{}
	for _, text := range paragraphs(t) {
		collect(t, text, shown)
	}
	want := settings(reflect.TypeFor[config.File](), "")
	require.Greater(t, len(want), 60)
	for _, path := range want {
		assert.NotEmpty(t, shown[path], path)
	}
}

// Every default is in the example, so that it cannot say another.
func TestTheExampleHasEveryDefault(t *testing.T) {
	shown, defaults := map[string][]string{}, map[string][]string{}
	for _, text := range paragraphs(t) {
		collect(t, text, shown)
	}
	f, err := config.Parse("six", []byte(minimal))
	require.NoError(t, err)
	text, err := f.Show()
	require.NoError(t, err)
	collect(t, string(text), defaults)
	require.Greater(t, len(defaults), 20)
	for path, values := range defaults {
		for _, value := range values {
			assert.Contains(t, shown[path], value, path)
		}
	}
}

// collect adds the text's settings to values: path without indices → values as
// written, durations in one form.
func collect(t *testing.T, text string, values map[string][]string) {
	t.Helper()
	var doc yaml.Node
	require.NoError(t, yaml.Unmarshal([]byte(text), &doc))
	var walk func(path string, n *yaml.Node)
	walk = func(path string, n *yaml.Node) {
		switch n.Kind {
		case yaml.MappingNode:
			for i := 0; i+1 < len(n.Content); i += 2 {
				key := n.Content[i].Value
				if path == "targets.checks" {
					key = "*"
				}
				walk(strings.TrimPrefix(path+"."+key, "."), n.Content[i+1])
			}
		case yaml.SequenceNode:
			for _, item := range n.Content {
				walk(path, item)
			}
		}
		values[path] = append(values[path], strings.TrimSuffix(n.Value, "0m0s"))
	}
	walk("", doc.Content[0])
}

// settings lists the paths of every YAML key that a type has; * stands for the
// name of a check.
func settings(r reflect.Type, path string) []string {
	switch r.Kind() {
	case reflect.Pointer, reflect.Slice:
		return settings(r.Elem(), path)
	case reflect.Map:
		if r.Elem().Kind() == reflect.Struct {
			return settings(r.Elem(), path+".*")
		}
	case reflect.Struct:
		var paths []string
		for i := range r.NumField() {
			name, _, _ := strings.Cut(r.Field(i).Tag.Get("yaml"), ",")
			if r.Field(i).Anonymous && r.Field(i).IsExported() {
				paths = append(paths, settings(r.Field(i).Type, path)...)
			}
			if name != "" {
				paths = append(paths, settings(r.Field(i).Type, strings.TrimPrefix(path+"."+name, "."))...)
			}
		}
		if len(paths) > 0 {
			return paths
		}
	}
	return []string{path}
}
