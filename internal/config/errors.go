package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/hmad/hmad/internal/near"
)

// Error is one error of a config. Its text is one line: file, line, setting, what
// it is and what it should be.
type Error struct {
	File string
	Line int    // 0: unknown
	Path string // "targets[0].activesync.url"; empty: the file as a whole
	Msg  string
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
	}
	b.WriteString(": ")
	if e.Path != "" {
		b.WriteString(e.Path + ": ")
	}
	b.WriteString(strings.ReplaceAll(e.Msg, "\n", " "))
	return b.String()
}

// Errors is all errors of a config, ordered by line. Its text has one line for
// each.
type Errors []*Error

func (es Errors) Error() string {
	texts := make([]string, len(es))
	for i, e := range es {
		texts[i] = e.Error()
	}
	return strings.Join(texts, "\n")
}

// sorted returns es ordered by line, or nil if there are none.
func (es Errors) sorted() error {
	if len(es) == 0 {
		return nil
	}
	slices.SortStableFunc(es, func(a, b *Error) int { return a.Line - b.Line })
	return es
}

// FieldError is an error that a check found in a setting of its target. Path is
// relative to the target ("activesync.url").
type FieldError struct{ Path, Msg string }

func (e *FieldError) Error() string { return e.Path + ": " + e.Msg }

// Invalid returns a FieldError. The format is that of fmt.Sprintf.
func Invalid(path, format string, args ...any) error {
	return &FieldError{path, fmt.Sprintf(format, args...)}
}

// At returns an Error for the setting at path ("targets[0].checks.vantage"), with
// its line in this file.
func (f *File) At(path, format string, args ...any) *Error {
	return &Error{File: f.path, Line: f.lines.of(path), Path: path, Msg: fmt.Sprintf(format, args...)}
}

// InTarget returns err, with which a check refused target i, as an Error of this
// file.
func (f *File) InTarget(i int, err error) *Error {
	path := fmt.Sprintf("targets[%d]", i)
	var field *FieldError
	if errors.As(err, &field) {
		return f.At(path+"."+field.Path, "%s", field.Msg)
	}
	return f.At(path, "%s", err)
}

// Of returns those of the errors that are about target i, without repetitions.
func (f *File) Of(i int, es []*Error) []*FieldError {
	var of []*FieldError
	for _, e := range es {
		path, ok := strings.CutPrefix(e.Path, fmt.Sprintf("targets[%d].", i))
		field := &FieldError{path, e.Msg}
		if ok && !slices.ContainsFunc(of, func(o *FieldError) bool { return *o == *field }) {
			of = append(of, field)
		}
	}
	return of
}

// Join returns the errors of the file and es together as an Errors, ordered by
// line and without repetitions; nil if there are none.
func (f *File) Join(es ...*Error) error {
	var once Errors
	es = append(slices.Clone(f.faults), es...)
	told := map[Error]bool{}
	for _, e := range es {
		if !told[*e] {
			once = append(once, e)
		}
		told[*e] = true
	}
	return once.sorted()
}

var (
	yamlLine      = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?(.*)$`)
	yamlUnknown   = regexp.MustCompile(`^field (.*) not found in type (.*)$`)
	unquotedForm  = regexp.MustCompile(`(?i)^(.*\bfield |.*\b(?:unknown|invalid) [a-z ]{0,20}: )(\S+)(.*)$`)
	quotedForm    = regexp.MustCompile("'.*'|\".*\"|`.*`")
	yamlWrongType = regexp.MustCompile("^cannot unmarshal (.*) into (.*)$")
	gotForm       = regexp.MustCompile(`^got "([^"]*)", want `) // a typed value's own error
	yamlScalar    = regexp.MustCompile("^!!(?:str|int|float|bool|timestamp) `(.*)`$")
)

// fromYAML returns the errors in an error of the YAML library, with the paths
// that their lines have.
func fromYAML(file string, err error, l lines) Errors {
	var typed *yaml.TypeError
	if !errors.As(err, &typed) {
		return Errors{yamlError(file, err.Error(), l)}
	}
	var es Errors
	for _, text := range typed.Errors {
		es = append(es, yamlError(file, text, l))
	}
	return es
}

// unquoted finds a value that begins with a character that YAML keeps for itself.
var unquoted = regexp.MustCompile(`^[ -]*(?:[^#\n]*[{,] *)?["']?([a-z_]+)["']?: +[*@%&!]`)

// unreadable returns the error of a text that is no YAML. What people do most
// often is told in plain words where the text has it: a value without its quotes,
// such as the schedule */5 * * * * or @hourly, a tab, or an indent that does not
// fit.
func unreadable(file string, data []byte, err error) Errors {
	es := fromYAML(file, err, nil)
	texts := bytes.Split(data, []byte("\n"))
	for n, text := range texts {
		anyLine := strings.HasPrefix(es[0].Msg, "unknown anchor") // the library names no line
		if key := unquoted.FindSubmatch(text); key != nil && (anyLine || n+1 == max(es[0].Line, 1)) {
			return Errors{{File: file, Line: n + 1, Msg: withoutQuotes(string(key[1]))}}
		}
	}
	line := 0
	if len(data) <= maxSearched {
		line = firstBad(texts)
	}
	if line == 0 {
		return es
	}
	es[0].Line = line
	switch text := texts[line-1]; {
	case tabIndent.Match(text):
		es[0].Msg = "got a tab before the setting, want blanks"
	case slices.ContainsFunc(indentWords, func(s string) bool { return strings.Contains(es[0].Msg, s) }):
		es[0].Msg = fmt.Sprintf("the indent does not fit (%d blanks): the settings of a mapping begin in the same column", len(text)-len(bytes.TrimLeft(text, " ")))
	}
	return es
}

// maxSearched is the size in bytes of a text in which the bad line is looked for,
// by reading it some fifteen times.
const maxSearched = 1 << 20

// tabIndent finds a line that a tab begins.
var tabIndent = regexp.MustCompile(`^ *\t`)

// indentWords are the library's for a line that begins in another column than it
// should.
var indentWords = []string{"did not find expected key", "did not find expected '-' indicator", "mapping values are not allowed in this context"}

func withoutQuotes(key string) string {
	if key == "schedule" {
		return `got a schedule without quotes: put the schedule in quotes, such as schedule: "*/5 * * * *" or "@hourly"`
	}
	return "got a value that begins with *, @, %, & or ! without quotes: put the value of " + key + " in quotes"
}

// firstBad returns the number of the line with which a text ceases to be YAML,
// which the library often does not name; 0 where it cannot be told.
func firstBad(texts [][]byte) int {
	bad := func(n int) bool { return yaml.Unmarshal(bytes.Join(texts[:n], []byte("\n")), new(yaml.Node)) != nil }
	n := sort.Search(len(texts), func(n int) bool { return bad(n + 1) }) + 1
	if n > len(texts) || !bad(n) || bad(n-1) {
		return 0
	}
	return n
}

func yamlError(file, text string, l lines) *Error {
	m := yamlLine.FindStringSubmatch(strings.ReplaceAll(text, "\n", " "))
	line, _ := strconv.Atoi(m[1])
	path := l.only(line, cmp.Or(firstOf(yamlScalar, firstOf(yamlWrongType, m[2])), firstOf(gotForm, m[2])))
	if strings.HasPrefix(m[2], "cannot unmarshal !!seq") || strings.HasPrefix(m[2], "cannot unmarshal !!map") {
		path = path[:max(strings.LastIndexAny(path, ".["), 0)] // the setting, not what is in it
	}
	if unknown := yamlUnknown.FindStringSubmatch(m[2]); unknown != nil {
		path = l.above(line, unknown[1])
	}
	return &Error{File: file, Line: line, Path: path, Msg: yamlMessage(m[2])}
}

// firstOf returns the first group of a form that text has, else an empty text.
func firstOf(form *regexp.Regexp, text string) string {
	if m := form.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

// wanted describes Go types for the author of the file.
var wanted = map[string]string{
	"time.Duration": `a duration such as "20s"`, "string": "a text", "bool": "true or false", "int": "a whole number",
	"float64": "a number", "[]string": "a list of texts", "[]config.Host": "a list of texts", "[]config.AddrPort": "a list of texts",
	"[]config.Prefix": "a list of texts",
}

func yamlMessage(text string) string {
	if m := yamlUnknown.FindStringSubmatch(text); m != nil {
		return "unknown key " + Shown(m[1]) + near.Hint(m[1], keysOf(m[2]))
	}
	if m := yamlWrongType.FindStringSubmatch(text); m != nil {
		want, ok := wanted[m[2]]
		if !ok {
			want = map[bool]string{true: "a list", false: "a mapping"}[strings.HasPrefix(m[2], "[]")]
		}
		return fmt.Sprintf("got %s, want %s", yamlGot(m[1]), want)
	}
	if strings.HasPrefix(text, "did not find expected ") { // a fixed text, whose quotes hold no value
		return text
	}
	return ShownQuotes(text)
}

// yamlGot says what the library found: a tag and a value in quotes, of which it
// writes the first bytes only where it is long. Of a list or a mapping it writes
// no quotes.
func yamlGot(text string) string {
	for tag, kind := range map[string]string{"!!seq": "a list", "!!map": "a mapping", "!!null": "nothing"} {
		if strings.HasPrefix(text, tag) {
			return kind
		}
	}
	m := yamlScalar.FindStringSubmatch(text)
	switch {
	case m == nil:
		return "a value with a tag"
	case strings.HasSuffix(m[1], "..."): // cut: its form cannot be judged
		return withheld
	default:
		return Shown(m[1])
	}
}

// ShownQuotes returns the text of an error of a YAML library, or of one that
// judges what it read, in which the values are shown as far as they may be. The
// types of PEM blocks that crypto/tls skipped are left out.
func ShownQuotes(text string) string {
	text, _, _ = strings.Cut(text, " after skipping PEM blocks of the following types")
	if m := unquotedForm.FindStringSubmatch(text); m != nil {
		text = m[1] + strings.Trim(Shown(m[2]), `"`) + m[3]
	}
	return quotedForm.ReplaceAllStringFunc(text, func(s string) string { return Shown(s[1 : len(s)-1]) })
}
