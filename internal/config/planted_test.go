package config_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/hmad/hmad/internal/config"
)

// planted are values that hold a secret, each malformed in another way.
var planted = map[string]string{
	"credentials and a bad escape": "http://svc:S3cret%zz@proxy:3128",
	"credentials without a scheme": "svc:S3cret@10.0.0.53:53",
	"a query":                      "https://proxy.contoso.com:3128/S3cret?token=S3cret",
	"a fragment":                   "https://proxy.contoso.com/S3cret#S3cret",
	"a password with a colon":      "svc:S3cret",
	"a client secret":              "S3cret8Q~Hk2.vT9_",
}

// settings returns the paths of all settings of a type, as the file writes them.
func settings(t reflect.Type, path []any) [][]any {
	if t == reflect.TypeFor[config.ConnectTo]() {
		return [][]any{append(path, "mail.contoso.com:443")}
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[yaml.Unmarshaler]()) {
		return [][]any{path}
	}
	var all [][]any
	switch t.Kind() {
	case reflect.Struct:
		for i := range t.NumField() {
			name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
			if t.Field(i).IsExported() {
				all = append(all, settings(t.Field(i).Type, append(path[:len(path):len(path)], name))...)
			}
		}
		return all
	case reflect.Slice:
		return settings(t.Elem(), append(path[:len(path):len(path)], 0))
	case reflect.Map:
		return settings(t.Elem(), append(path[:len(path):len(path)], "activesync"))
	default:
		return [][]any{path}
	}
}

// set returns a tree in which the value at path is another one.
func set(tree any, path []any, value any) any {
	if len(path) == 0 {
		return value
	}
	if _, isIndex := path[0].(int); isIndex {
		var first any
		if list, ok := tree.([]any); ok && len(list) > 0 {
			first = list[0]
		}
		return []any{set(first, path[1:], value)}
	}
	m, ok := tree.(map[string]any)
	if !ok {
		m = map[string]any{}
	}
	m[path[0].(string)] = set(m[path[0].(string)], path[1:], value)
	return m
}

// Whatever setting a secret is typed into, as text, in a list or as a key: no
// error shows it. A setting that is added to the config is tried, too.
func TestNoErrorShowsAPlantedSecret(t *testing.T) {
	all := settings(reflect.TypeFor[config.File](), nil)
	require.Greater(t, len(all), 60)
	refused := 0
	for _, path := range all {
		for name, secret := range planted {
			for form, value := range map[string]any{"text": secret, "list": []any{secret}, "key": map[string]any{secret: map[string]any{secret: secret}}} {
				var tree any
				require.NoError(t, yaml.Unmarshal([]byte(six), &tree))
				text, err := yaml.Marshal(set(tree, path, value))
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

func TestAScheduleWithoutQuotes(t *testing.T) {
	for _, value := range []string{"*/5 * * * *", "@hourly", "* * * * *"} {
		for _, form := range []string{"    checks: {activesync: {schedule: %s}}\n", "    checks:\n\n      activesync:\n        schedule: %s\n"} {
			text := six + fmt.Sprintf(form, value)
			_, err := config.Parse("hmad.yaml", []byte(text))
			require.ErrorContains(t, err, "put the schedule in quotes", text)
			line := 1 + strings.Count(text[:strings.Index(text, "schedule")], "\n")
			assert.Contains(t, err.Error(), fmt.Sprintf("hmad.yaml:%d: ", line))
		}
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
