package report

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The collector cannot be run here: no PowerShell for it is to be had. What
// follows holds what can be read from its text.

func collector(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("../../deploy/exchange/Get-HmadReport.ps1")
	require.NoError(t, err)
	return string(data)
}

// lexed takes comments and texts out of a script; what stands in $( ) of a
// text is code and stays. It gives the code and how its brackets are left open.
func lexed(script string) (code, open string) {
	var out, stack strings.Builder
	push := func(c byte) { s := stack.String() + string(c); stack.Reset(); stack.WriteString(s) }
	top := func() byte {
		if s := stack.String(); s != "" {
			return s[len(s)-1]
		}
		return 0
	}
	pop := func() { s := stack.String(); stack.Reset(); stack.WriteString(s[:max(0, len(s)-1)]) }
	closes := map[byte]byte{')': '(', ']': '[', '}': '{'}
	for i := 0; i < len(script); i++ {
		c, rest := script[i], script[i:]
		switch {
		case top() == '"' && c == '`':
			i++
		case top() == '"' && strings.HasPrefix(rest, "$("):
			push('(')
			out.WriteString(" (")
			i++
		case c == '"':
			if top() == '"' {
				pop()
			} else {
				push('"')
			}
			out.WriteByte(' ')
		case top() == '"':
		case strings.HasPrefix(rest, "<#"):
			i += strings.Index(rest, "#>") + 1
		case c == '#':
			i += strings.IndexByte(rest, '\n') - 1
		case c == '\'':
			end := regexp.MustCompile(`^'(?:[^']|'')*'`).FindString(rest)
			i += max(1, len(end)) - 1
			out.WriteString(" ")
		case strings.IndexByte("([{", c) >= 0:
			push(c)
			out.WriteByte(c)
		case closes[c] != 0:
			if top() != closes[c] {
				return out.String(), "a " + string(c) + " too many after " + lastLine(out.String())
			}
			pop()
			out.WriteByte(c)
		default:
			out.WriteByte(c)
		}
	}
	return out.String(), stack.String()
}

func lastLine(s string) string { return s[strings.LastIndexByte(strings.TrimSpace(s), '\n')+1:] }

func TestTheLexerSeesCodeInTexts(t *testing.T) {
	code, open := lexed("<# Set-A #> Get-B 'Set-C ''x' \"Set-D $(Get-E \"Set-F\") `\" }\" # Set-G\nGet-H")
	assert.Empty(t, open)
	assert.Equal(t, []string{"Get-B", "Get-E", "Get-H"}, regexp.MustCompile(`[A-Z]\w+-[A-Z]`).FindAllString(code, -1))
	_, open = lexed(`if ($a { "}" }`)
	assert.NotEmpty(t, open)
}

func TestTheCollectorIsPlain(t *testing.T) {
	script := collector(t)
	for i, c := range []byte(script) {
		if c >= 0x80 || c == '\t' || c == '\r' {
			t.Fatalf("byte %d is not plain ASCII: PowerShell 5.1 reads a script without mark in the server's code page", i)
		}
	}
	code, open := lexed(script)
	assert.Empty(t, open, "brackets and texts are closed")
	for _, alias := range []string{"%", "?", "select", "where", "sort", "group", "measure", "gc", "gci", "cat", "ls", "dir", "echo", "iwr", "irm", "iex", "icm", "sleep"} {
		assert.NotRegexp(t, `(?im)(^|[|;({=])\s*`+regexp.QuoteMeta(alias)+`(\s|\{|$)`, code, "the alias %s", alias)
	}
	assert.NotRegexp(t, `(?i)\|\s*foreach\s*\{`, code)
}

// plumbing are the cmdlets of Windows PowerShell that the collector may call:
// none of them changes the server.
var plumbing = []string{"Add-Section", "ConvertTo-DirectoryRow", "ConvertTo-Json", "ConvertTo-Moment", "ConvertTo-Text", "ForEach-Object",
	"Format-SyncTime", "Format-Time", "Get-ChildItem", "Get-ColumnForm", "Get-Command", "Get-Date", "Get-Item", "Get-RecentEvent", "Get-RefreshMailbox", "Get-WinEvent", "Group-Object", "Import-PSSession",
	"Invoke-WebRequest", "Join-Path", "Measure-FrontEnd", "Measure-Object", "New-Object", "New-PSSession", "Read-LogTail", "Read-Xml", "Remove-PSSession",
	"Select-Object", "Select-Request", "Sort-Object", "Where-Object"}

func TestTheCollectorOnlyReads(t *testing.T) {
	script := collector(t)
	list := regexp.MustCompile(`(?s)\$exchangeCommands = @\((.*?)\)`).FindStringSubmatch(script)
	require.NotNil(t, list)
	var imported []string
	for _, m := range regexp.MustCompile(`'([^']+)'`).FindAllStringSubmatch(list[1], -1) {
		assert.Regexp(t, `^(Get|Test)-[A-Z][A-Za-z]+$`, m[1])
		imported = append(imported, m[1])
	}
	assert.Equal(t, 1, strings.Count(script, "-CommandName $exchangeCommands"), "nothing else is imported")
	assert.Equal(t, 1, strings.Count(script, "Import-PSSession -"))
	assert.Equal(t, 1, strings.Count(script, "New-PSSession -"), "one session")

	code, _ := lexed(script)
	var called []string
	for _, name := range regexp.MustCompile(`\b[A-Z][A-Za-z]+-[A-Z][A-Za-z]+\b`).FindAllString(code, -1) {
		if !slices.Contains(plumbing, name) {
			called = append(called, name)
		}
	}
	slices.Sort(called)
	slices.Sort(imported)
	assert.Equal(t, imported, slices.Compact(called), "what is called of Exchange is imported, and the other way round")
	for _, never := range []string{"Invoke-Expression", "Add-PSSnapin", "CredSSP", "Authentication Basic", "ServerCertificateValidationCallback",
		"SkipCACheck", "Out-File", "Set-Content", "Start-Process", "ConvertTo-SecureString", "Bypass"} {
		assert.False(t, strings.Contains(script, never), never)
	}
	assert.NotRegexp(t, `(?im)^\s*(&|\.)\s*\S`, code, "no program is started")
}

var sectionCall = regexp.MustCompile(`(?m)^\s*Add-Section '(\w+)'`)

func TestTheCollectorWritesTheSectionsThatAreRead(t *testing.T) {
	var written []string
	for _, m := range sectionCall.FindAllStringSubmatch(collector(t), -1) {
		written = append(written, m[1])
	}
	want := SectionNames()
	slices.Sort(written)
	slices.Sort(want)
	assert.Equal(t, want, written)
}

// The sample under testdata is what the collector writes: the keys of its rows
// are those of the script, section by section.
func TestTheCollectorWritesTheKeysOfTheSample(t *testing.T) {
	r, err := Decode([]byte(sample(t)))
	require.NoError(t, err)
	script := collector(t)
	key := regexp.MustCompile(`(?m)(?:^\s+|[{;] )(\w+) += `)
	keys := func(text string) []string {
		var all []string
		for _, m := range key.FindAllStringSubmatch(text, -1) {
			all = append(all, m[1])
		}
		return all
	}
	body := func(from string) string {
		_, after, ok := strings.Cut(script, from)
		require.True(t, ok, from)
		end := regexp.MustCompile(`(?m)^\s{0,4}\}$`).FindStringIndex(after)
		require.NotNil(t, end)
		return after[:end[1]]
	}
	elsewhere := map[string]string{SectionDirectories: "filter ConvertTo-DirectoryRow", SectionAuthAdminEvents: "[pscustomobject]@{\n            time",
		SectionOAuthEvents: "[pscustomobject]@{\n            time"}
	for _, name := range SectionNames() {
		from, ok := elsewhere[name]
		if !ok {
			from = "Add-Section '" + name + "'"
		}
		if name == SectionMigrationEndpoints {
			continue // the sample has no row of it
		}
		rows := []map[string]any{}
		require.NoError(t, json.Unmarshal(r.Sections[name].Data, &rows), name)
		got := keys(body(from))
		if strings.HasPrefix(from, "[pscustom") {
			got = append(got, "time")
		}
		for _, row := range rows {
			for k := range row {
				assert.Contains(t, got, k, "section %s", name)
			}
		}
	}
	assert.Subset(t, keys(body("Add-Section 'migrationEndpoints'")), []string{"identity", "endpointType", "remoteServer"})
	for _, k := range []string{"schema", "collector", "host", "intervalSeconds", "generatedAt", "durationMs", "sections"} {
		assert.Contains(t, keys(script[strings.Index(script, "$report = "):]), k)
	}
	assert.Regexp(t, `(?m)^    schema +=( 1)$`, script)
}

// The expression by which the collector finds a column, tried on lines as
// Exchange writes them.
func TestTheCollectorFindsColumns(t *testing.T) {
	m := regexp.MustCompile(`(?m)^    \$field = '(.+)'$`).FindStringSubmatch(collector(t))
	require.NotNil(t, m)
	const line = `2026-11-22T09:10:01.123Z,7b,15,"a, ""b""",,OutlookService/1.0,200,tail`
	for i, want := range []string{"2026-11-22T09:10:01.123Z", "7b", "15", `"a, ""b"""`, "", "OutlookService/1.0", "200", "tail"} {
		form := regexp.MustCompile("^(?:" + m[1] + ",){" + strconv.Itoa(i) + "}(" + m[1] + ")")
		assert.Equal(t, want, form.FindStringSubmatch(line)[1], "column %d", i)
	}
}

// Of the front end's log, which names users and addresses, the report has times,
// statuses and counts alone.
func TestTheCollectorTakesTwoColumnsOfTheLog(t *testing.T) {
	script := collector(t)
	_, after, ok := strings.Cut(script, "function Read-LogTail")
	require.True(t, ok)
	body, _, ok := strings.Cut(after, "# --- Delivery")
	require.True(t, ok)
	var columns []string
	for _, m := range regexp.MustCompile(`'(\w+)'`).FindAllStringSubmatch(regexp.MustCompile(`(?m)^.*Get-ColumnForm \$Tail.*$`).FindString(body), -1) {
		columns = append(columns, m[1])
	}
	assert.Equal(t, []string{"DateTime"}, columns)
	assert.Equal(t, 3, strings.Count(body, "Get-ColumnForm $Tail.columns"))
	for _, never := range []string{"AuthenticatedUser", "AnchorMailbox", "ClientIpAddress"} {
		assert.NotContains(t, body, never)
	}
	assert.Contains(t, body, "-Limit $left", "reading is bounded")
	assert.Contains(t, body, "$time = Get-ColumnForm $tail.columns 'DateTime'")
	assert.Contains(t, body, "$tail.begins = ConvertTo-Moment $at", "wherever that column stands")
	assert.NotContains(t, body, ".Split(',')[0]")
}

func TestTheGuideNamesSectionsParametersAndAnswers(t *testing.T) {
	data, err := os.ReadFile("../../docs/onprem-report.md")
	require.NoError(t, err)
	guide := string(data)
	for _, name := range SectionNames() {
		assert.True(t, strings.Contains(guide, "`"+name+"`"), "section %s", name)
	}
	head, _, _ := strings.Cut(collector(t), "\n)\n")
	for _, m := range regexp.MustCompile(`(?m)\] \$(\w+)`).FindAllStringSubmatch(head, -1) {
		assert.True(t, strings.Contains(guide, "-"+m[1]), "parameter %s", m[1])
	}
	for _, code := range []string{"204", "401", "409", "413", "415", "422", "429", "507"} {
		assert.True(t, strings.Contains(guide, "| "+code+" |"), "answer %s", code)
	}
	assert.Contains(t, guide, "/api/v1/onprem-report")
}

// A failure before the sections begin would leave no report at all, and a cast
// makes a number of nothing.
func TestTheCollectorTellsWhatItDoesNotKnow(t *testing.T) {
	head, body, found := strings.Cut(collector(t), "\n)\n")
	require.True(t, found)
	assert.NotContains(t, head, "GetHostEntry", "parameters ask nothing")
	before, _, found := strings.Cut(body, "GetHostEntry(")
	require.True(t, found)
	assert.Regexp(t, `(?s)\ntry \{\n[^}]*$`, before, "the name is looked up within a try")
	assert.NotRegexp(t, `= \[int\] \$_\.`, body)
}

func TestTheCollectorTellsHowFarItRead(t *testing.T) {
	script := collector(t)
	for _, name := range []string{SectionAuthAdminEvents, SectionOAuthEvents} {
		_, after, found := strings.Cut(script, "Add-Section '"+name+"' -Local {")
		require.True(t, found)
		next, _, _ := strings.Cut(after, "Add-Section")
		assert.Contains(t, next, "$sections['"+name+"'].since = Format-Time $reach")
	}
	_, body, _ := strings.Cut(script, "function Get-RecentEvent")
	assert.Regexp(t, `-LogName 'Application' -Oldest -MaxEvents 1`, body)
	assert.Regexp(t, `\$events\.Count -ge \$Limit\) \{ \$start = \$events\[-1\]\.TimeCreated`, body)
}
