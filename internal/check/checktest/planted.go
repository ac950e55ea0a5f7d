package checktest

import (
	"reflect"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/hmad/hmad/internal/config"
)

// Planted returns values that hold the secret, which is one word, each malformed
// in another way.
func Planted(secret string) map[string]string {
	return map[string]string{
		"credentials and a bad escape": "http://svc:" + secret + "%zz@proxy:3128",
		"credentials without a scheme": "svc:" + secret + "@10.0.0.53:53",
		"a query":                      "https://proxy.contoso.com:3128/" + secret + "?token=" + secret,
		"a fragment":                   "https://proxy.contoso.com/" + secret + "#" + secret,
		"a password with a colon":      "svc:" + secret,
		"a client secret":              secret + "8Q~Hk2.vT9_",
		"a plain word":                 secret,
	}
}

// Settings returns the paths of all settings of the config, as the file writes
// them: keys, and indexes of lists.
func Settings() [][]any { return settings(reflect.TypeFor[config.File](), nil) }

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
			if t.Field(i).Anonymous {
				all = append(all, settings(t.Field(i).Type, path)...)
				continue
			}
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

// Set returns the tree of a YAML document, in which the value at path is another
// one now. A list keeps its first element alone.
func Set(tree any, path []any, value any) any {
	if len(path) == 0 {
		return value
	}
	if _, isIndex := path[0].(int); isIndex {
		var first any
		if list, ok := tree.([]any); ok && len(list) > 0 {
			first = list[0]
		}
		return []any{Set(first, path[1:], value)}
	}
	m, ok := tree.(map[string]any)
	if !ok {
		m = map[string]any{}
	}
	m[path[0].(string)] = Set(m[path[0].(string)], path[1:], value)
	return m
}
