package config

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// lines maps a setting's path ("targets[0].activesync.url") to its place.
type lines map[string]place

// place is where a setting stands, and what the file says there: of a list or a
// mapping nothing.
type place struct {
	line  int
	value string
}

// linesOf returns the line of each value of a document.
func linesOf(doc *yaml.Node) lines {
	l := lines{}
	if len(doc.Content) > 0 {
		l.walk("", doc.Content[0])
	}
	return l
}

func (l lines) walk(path string, n *yaml.Node) {
	if n.Kind == yaml.AliasNode {
		return
	}
	if _, known := l[path]; !known {
		l[path] = place{n.Line, n.Value}
	}
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := join(path, n.Content[i].Value)
			l[key] = place{n.Content[i].Line, n.Content[i+1].Value}
			l.walk(key, n.Content[i+1])
		}
	case yaml.SequenceNode:
		for i, item := range n.Content {
			l.walk(fmt.Sprintf("%s[%d]", path, i), item)
		}
	}
}

// of returns the line of the path, or of its nearest ancestor in the file.
func (l lines) of(path string) int {
	for {
		if p, ok := l[path]; ok {
			return p.line
		}
		cut := strings.LastIndexAny(path, ".[")
		if cut < 0 {
			return l[""].line
		}
		path = path[:cut]
	}
}

// settingForm is a path of settings alone: a key that is none may be a secret.
var settingForm = regexp.MustCompile(`^[a-z_]+(\[[0-9]+\]|\.[a-z_]+)*$`)

// only returns the path of the one setting in a line that has the value, of which
// the first bytes may be known only («never», «https://ma...»), and an empty one
// where there are several.
func (l lines) only(line int, value string) string {
	first, cut := strings.CutSuffix(value, "...")
	found := ""
	for _, path := range slices.Sorted(maps.Keys(l)) {
		at := l[path]
		switch {
		case at.line != line || !settingForm.MatchString(path) || value != "" && at.value != value && !(cut && strings.HasPrefix(at.value, first)):
		case found == "" || strings.HasPrefix(path, found): // a list or mapping, and what is in it
			found = path
		default:
			return ""
		}
	}
	return found
}

// above returns the path of the setting that holds the key in a line.
func (l lines) above(line int, key string) string {
	for _, path := range slices.Sorted(maps.Keys(l)) {
		above, found := strings.CutSuffix(path, "."+key)
		if l[path].line == line && found && settingForm.MatchString(above) {
			return above
		}
	}
	return ""
}

// keysOf returns the keys of a type of the config, by the name that Go has for it.
func keysOf(name string) []string {
	var keys []string
	for _, t := range structs(reflect.TypeFor[File](), map[reflect.Type]bool{}) {
		if t.String() == name {
			keys = yamlKeys(t)
		}
	}
	return keys
}

// structs returns the types of the config that t is made of, itself among them.
func structs(t reflect.Type, seen map[reflect.Type]bool) (all []reflect.Type) {
	switch t.Kind() {
	case reflect.Slice, reflect.Map, reflect.Pointer:
		return structs(t.Elem(), seen)
	case reflect.Struct:
	default:
		return nil
	}
	if seen[t] || t.PkgPath() != reflect.TypeFor[File]().PkgPath() {
		return nil
	}
	seen[t] = true
	all = append(all, t)
	for i := range t.NumField() {
		all = append(all, structs(t.Field(i).Type, seen)...)
	}
	return all
}

// yamlKeys returns the keys that a struct has in the file.
func yamlKeys(t reflect.Type) (keys []string) {
	for i := range t.NumField() {
		if key, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ","); key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
