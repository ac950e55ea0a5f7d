package config

import (
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"
)

// lines maps a setting's path ("targets[0].activesync.url") to its line.
type lines map[string]int

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
		l[path] = n.Line
	}
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := join(path, n.Content[i].Value)
			l[key] = n.Content[i].Line
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
		if line, ok := l[path]; ok {
			return line
		}
		cut := strings.LastIndexAny(path, ".[")
		if cut < 0 {
			return l[""]
		}
		path = path[:cut]
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
