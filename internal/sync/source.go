package sync

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"unicode/utf16"
)

const (
	maxSourceFile = 32 << 20 // bytes
	maxMailboxes  = 500_000
	maxKey        = 254 // bytes
	maxLine       = 4096
	badInNote     = 5
)

// listed is what a file of mailboxes holds.
type listed struct {
	keys []string
	bad  []int // numbers of lines that name no mailbox
}

// note returns a note on the bad lines, without their content.
func (l listed) note(file string) string {
	if len(l.bad) == 0 {
		return ""
	}
	lines := strings.Trim(fmt.Sprint(l.bad[:min(len(l.bad), badInNote)]), "[]")
	return fmt.Sprintf("%s: %d lines name no mailbox, among them line %s", file, len(l.bad), strings.ReplaceAll(lines, " ", ", "))
}

// columns are the names of CSV columns that hold a mailbox's address, in order of
// preference.
var columns = []string{"mailbox", "primarysmtpaddress", "emailaddress", "email", "mail", "address", "smtp", "userprincipalname", "upn"}

// readList reads a file of mailboxes: one address a line, or CSV with commas,
// semicolons or tabs, with or without a line of headings. Empty lines and lines
// that begin with # are ignored.
func readList(data []byte) (listed, error) {
	text, err := plainText(data)
	if err != nil {
		return listed{}, err
	}
	var out listed
	seen, form, first := map[string]bool{}, anyForm, true
	n := 0
	for line := range strings.SplitSeq(text, "\n") {
		n++
		line = strings.Trim(line, " \r")
		if line == "" || line[0] == '#' {
			continue
		}
		if first && !strings.Contains(line, "@") {
			first, form = false, headings(line)
			continue
		}
		first = false
		key, ok := form.address(line)
		switch {
		case !ok:
			out.bad = append(out.bad, n)
		case !seen[key]:
			seen[key] = true
			out.keys = append(out.keys, key)
		}
		if len(out.keys) > maxMailboxes {
			return listed{}, fmt.Errorf("the list has over %d mailboxes", maxMailboxes)
		}
	}
	if len(out.keys) == 0 {
		return out, errors.New("the list names no mailbox")
	}
	return out, nil
}

// plainText returns a file's text without a byte order mark. Windows may write
// UTF-16.
func plainText(data []byte) (string, error) {
	little, big := bytes.HasPrefix(data, []byte{0xff, 0xfe}), bytes.HasPrefix(data, []byte{0xfe, 0xff})
	if !little && !big {
		return string(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))), nil
	}
	if len(data)%2 != 0 {
		return "", errors.New("the list is UTF-16 and ends within a character")
	}
	units := make([]uint16, 0, len(data)/2)
	for i := 2; i < len(data); i += 2 {
		low, high := data[i], data[i+1]
		if big {
			low, high = high, low
		}
		units = append(units, uint16(low)|uint16(high)<<8)
	}
	return string(utf16.Decode(units)), nil
}

// form is the form of a list's lines.
type form struct {
	separators string // any of these
	column     int    // of the address; -1: the first that holds one
}

// anyForm is the form of a list without headings that name the column.
var anyForm = form{",;\t", -1}

// headings returns the form that a line of headings shows: the column of addresses,
// and the separator, which is the same in every line.
func headings(line string) form {
	for _, separator := range anyForm.separators {
		if column := headingOf(splitLine(line, separator)); column >= 0 {
			return form{string(separator), column}
		}
	}
	return anyForm
}

// address returns the address in a line; false: it has none.
func (f form) address(line string) (string, bool) {
	for _, separator := range f.separators {
		if key, ok := addressIn(splitLine(line, separator), f.column); ok {
			return key, true
		}
	}
	return "", false
}

// splitLine returns the fields of one line of CSV; none where it is not CSV.
func splitLine(line string, separator rune) []string {
	if len(line) > maxLine {
		return nil
	}
	if !strings.Contains(line, `"`) { // a csv.Reader allocates 4 kB, and there may be 100,000 lines
		return strings.Split(line, string(separator))
	}
	r := csv.NewReader(strings.NewReader(line))
	r.Comma, r.LazyQuotes, r.TrimLeadingSpace = separator, true, separator != '\t' // a tab at the start is an empty column
	fields, err := r.Read()
	if err != nil {
		return nil
	}
	return fields
}

// headingOf returns the column that holds addresses; -1: no heading names it.
func headingOf(fields []string) int {
	for _, name := range columns {
		at := slices.IndexFunc(fields, func(f string) bool {
			return strings.EqualFold(strings.ReplaceAll(strings.TrimSpace(f), " ", ""), name)
		})
		if at >= 0 {
			return at
		}
	}
	return -1
}

// addressIn returns the address in a column, or with column -1 the first address
// in any; false: there is none.
func addressIn(fields []string, column int) (string, bool) {
	if column >= len(fields) {
		return "", false
	}
	if column >= 0 {
		return addressOf(fields[column])
	}
	for _, f := range fields {
		if key, ok := addressOf(f); ok {
			return key, true
		}
	}
	return "", false
}

// addressOf returns an address as a key of the fleet; false: s is no address.
func addressOf(s string) (string, bool) {
	s = strings.ToLower(strings.TrimSpace(s))
	a, err := mail.ParseAddress(s)
	ok := err == nil && a.Name == "" && a.Address == s && len(s) <= maxKey
	return s, ok
}
