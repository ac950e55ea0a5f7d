package catalog_test

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	fence    = regexp.MustCompile("(?ms)^ *```.*?^ *```")
	codeSpan = regexp.MustCompile("`[^`\n]*`")
	link     = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading  = regexp.MustCompile(`(?m)^#+ +(.*?) *$`)
	dropped  = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
	inTree   = regexp.MustCompile(`\b(?:cmd|deploy|docs|internal|scripts|tools)/[A-Za-z0-9_./-]*[A-Za-z0-9]`)
	address  = regexp.MustCompile(`https?://[^\s)]+`)
	recorded = regexp.MustCompile(`\w+:\w+:\w+`)
	family   = regexp.MustCompile(`\bhmad_[a-z0-9_]*[a-z0-9]\b`)
	part     = regexp.MustCompile(`_(bucket|count|sum)$`)
)

// documents returns the documents and those of the root that people read, by path from the root.
func documents(t *testing.T) map[string]string {
	t.Helper()
	docs, err := filepath.Glob("../../docs/*.md")
	require.NoError(t, err)
	require.Greater(t, len(docs), 10)
	texts := map[string]string{}
	for _, file := range append(docs, "../../README.md", "../../CONTRIBUTING.md", "../../SECURITY.md") {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		texts[strings.TrimPrefix(file, "../../")] = string(text)
	}
	return texts
}

// anchors returns the names under which a page's headings are reached, as GitHub
// makes them.
func anchors(text string) map[string]bool {
	names := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		words := dropped.ReplaceAllString(link.ReplaceAllString(m[1], ""), "")
		base := strings.ReplaceAll(strings.ToLower(words), " ", "-")
		name := base
		for n := 1; names[name]; n++ {
			name = fmt.Sprintf("%s-%d", base, n)
		}
		names[name] = true
	}
	return names
}

// Every link from a document into the repository leads to a file, and to a
// heading where it names one.
func TestLinksOfTheDocuments(t *testing.T) {
	texts, seen := documents(t), 0
	for file, text := range texts {
		prose := codeSpan.ReplaceAllString(fence.ReplaceAllString(text, ""), "")
		for _, m := range link.FindAllStringSubmatch(prose, -1) {
			to, err := url.Parse(m[1])
			require.NoError(t, err, "%s: %s", file, m[1])
			if to.Scheme != "" {
				continue
			}
			seen++
			target := file
			if to.Path != "" {
				target = filepath.Join(filepath.Dir(file), to.Path)
			}
			_, err = os.Stat(filepath.Join("../..", target))
			assert.NoError(t, err, "%s: %s", file, m[1])
			if to.Fragment != "" {
				assert.True(t, anchors(texts[target])[to.Fragment], "%s: %s has no such heading", file, m[1])
			}
		}
	}
	assert.Greater(t, seen, 50)
}

// Paths of the repository that the documents name exist.
func TestPathsInTheDocuments(t *testing.T) {
	for file, text := range documents(t) {
		for _, path := range inTree.FindAllString(address.ReplaceAllString(text, ""), -1) {
			_, err := os.Stat(filepath.Join("../..", path))
			assert.NoError(t, err, file)
		}
	}
}

// Families that the documents name are declared: docs/metrics.md, which is
// generated, has them.
func TestFamiliesInTheDocuments(t *testing.T) {
	texts := documents(t)
	declared := map[string]bool{}
	for _, name := range family.FindAllString(texts["docs/metrics.md"], -1) {
		declared[name] = true
	}
	for file, text := range texts {
		for _, name := range family.FindAllString(recorded.ReplaceAllString(text, ""), -1) {
			assert.True(t, declared[name] || declared[part.ReplaceAllString(name, "")], "%s: %s", file, name)
		}
	}
}
