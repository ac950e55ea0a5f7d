package catalog_test

import (
	"bytes"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
)

var update = flag.Bool("update", false, "write the golden files anew")

// wrongConfigs are changes of six lines that are in order, each with a name.
var wrongConfigs = []struct{ name, old, new string }{
	{"a mistyped key", "    activesync:", "    activsync:"},
	{"a key of another section", "{host: autodiscover.fabrikam.com}", "{url: https://autodiscover.fabrikam.com}"},
	{"a key that is like no other", "", "    colour: red\n"},
	{"a mistyped check", "", "    checks: {activesinc: {enabled: false}}\n"},
	{"a mistyped reason", "", "    checks: {activesync: {accept: [{reason: bearer_mising, until: 2099-12-31}]}}\n"},
	{"a waiver without end", "", "    checks: {activesync: {accept: [{reason: bearer_missing}]}}\n"},
	{"a waiver until Christmas", "", "    checks: {activesync: {accept: [{reason: bearer_missing, until: Christmas}]}}\n"},
	{"a schedule without quotes", "", "    checks: {activesync: {schedule: */5 * * * *}}\n"},
	{"a schedule with @, without quotes", "", "    checks: {activesync: {schedule: @hourly}}\n"},
	{"a schedule of four fields", "", "    checks: {activesync: {schedule: '5 * * *'}}\n"},
	{"a timeout without unit", "", "    checks: {activesync: {timeout: 20}}\n"},
	{"a tab for an indent", "    activesync:", "\tactivesync:"},
	{"an indent too much", "    activesync:", "      activesync:"},
	{"an indent too little", "    activesync:", "  activesync:"},
	{"no targets", "targets:\n  - name: contoso\n    mailbox:", "mailbox:"},
	{"a target that is no list", "  - name: contoso", "    name: contoso"},
	{"the tenant by name", "5de110f8-2e0f-4d45-891d-bcf2218e253d", "fabrikam.onmicrosoft.com"},
	{"a URL without https", "https:", "http:"},
	{"yes for a switch", "", "    sync: {inventory: maybe}\n"},
	{"a vantage that there is not", "", "    vantage: outside\n"},
	{"a number in words", "", "    sync: {stale_count: ten}\n"},
	{"a list for a text", "name: contoso", "name: [contoso]"},
}

// wrong returns a wrong config's text.
func wrong(old, changed string) string {
	if old == "" {
		return six + changed
	}
	return strings.Replace(six, old, changed, 1)
}

// The golden file is to be read: each config that is wrong, what hmad says of it,
// and whether the schema tells an editor.
func TestWrongConfigsAreToldInOneLine(t *testing.T) {
	schema := compiledSchema(t)
	var b strings.Builder
	for _, c := range wrongConfigs {
		text := wrong(c.old, c.new)
		require.NotEqual(t, six, text, c.name)
		b.WriteString("# " + c.name + "\n" + changedLines(text) + "→ " + strings.Join(errorsOf(text), "\n→ ") + "\n")
		if document, err := plain(text); err == nil && schema.Validate(document) == nil {
			b.WriteString("  (an editor does not see it)\n")
		}
		b.WriteString("\n")
	}
	const golden = "testdata/wrong-configs.txt"
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(b.String()), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	assert.Equal(t, string(want), b.String(), "renew it with -update, and read it")
}

// changedLines returns the lines that the six lines in order do not have.
func changedLines(text string) string {
	var b strings.Builder
	for _, line := range strings.SplitAfter(text, "\n") {
		if !slices.Contains(strings.SplitAfter(six, "\n"), line) {
			b.WriteString("    " + strings.ReplaceAll(line, "\t", "⇥"))
		}
	}
	return b.String()
}

// errorsOf returns what hmad says of a config, an error in each line.
func errorsOf(text string) []string {
	file, err := config.Parse("hmad.yaml", []byte(text))
	if file != nil {
		_, err = catalog.Build(file, func(config.Target, string) check.Env { return check.Env{Memory: noMemory{}, Now: time.Now} })
	}
	if err == nil {
		return []string{"nothing"}
	}
	return strings.Split(err.Error(), "\n")
}

// compiledSchema returns the schema of the config as an editor reads it.
func compiledSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := catalog.Schema()
	require.NoError(t, err)
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	require.NoError(t, compiler.AddResource("config.schema.json", document))
	schema, err := compiler.Compile("config.schema.json")
	require.NoError(t, err)
	return schema
}

// plain returns a YAML text as JSON's values; a date is a text there.
func plain(text string) (document any, err error) {
	var node yaml.Node
	if err := yaml.Unmarshal([]byte(text), &node); err != nil {
		return nil, err
	}
	asTexts(&node)
	err = node.Decode(&document)
	return document, err
}

func asTexts(n *yaml.Node) {
	if n.Tag == "!!timestamp" {
		n.Tag = "!!str"
	}
	for _, child := range n.Content {
		asTexts(child)
	}
}

func TestTheSchemaTakesTheExample(t *testing.T) {
	schema := compiledSchema(t)
	for name, text := range paragraphs(t) {
		document, err := plain(text)
		require.NoError(t, err, name)
		assert.NoError(t, schema.Validate(document), name)
	}
}
