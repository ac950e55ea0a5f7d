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

// listed is what a file of mailboxes says.
type listed struct {
	keys []string
	bad  []int // numbers of lines that name no mailbox
}

// note words the bad lines, without what stands there.
func (l listed) note(file string) string {
	if len(l.bad) == 0 {
		return ""
	}
	lines := strings.Trim(fmt.Sprint(l.bad[:min(len(l.bad), badInNote)]), "[]")
	return fmt.Sprintf("%s: %d lines name no mailbox, among them line %s", file, len(l.bad), strings.ReplaceAll(lines, " ", ", "))
}

// columns are the names of CSV columns that hold a mailbox's address, the best
// first.
var columns = []string{"mailbox", "primarysmtpaddress", "emailaddress", "email", "mail", "address", "smtp", "userprincipalname", "upn"}

// readList reads a file of mailboxes: one address a line, or CSV with commas,
// semicolons or tabs, with or without a line of headings. Lines that begin with
// # and empty ones are passed over.
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

// plainText gives a file's text; Windows writes UTF-16 or a byte order mark.
func plainText(data []byte) (string, error) {
	little, big := bytes.HasPrefix(data, []byte{0xff, 0xfe}), bytes.HasPrefix(data, []byte{0xfe, 0xff})
	if !little && !big {
		return string(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))), nil
	}
	if len(data)%2 != 0 {
		return "", errors.New("the list is no whole UTF-16")
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

// form is how the lines of a list are to be read.
type form struct {
	separators string // one of them
	column     int    // of the address; -1: the first that has one
}

// anyForm is that of a list whose headings do not say.
var anyForm = form{",;\t", -1}

// headings reads a line of headings: what separates the column of addresses from
// the others there does so in every line.
func headings(line string) form {
	for _, separator := range anyForm.separators {
		if column := headingOf(splitLine(line, separator)); column >= 0 {
			return form{string(separator), column}
		}
	}
	return anyForm
}

// address gives the address in a line.
func (f form) address(line string) (string, bool) {
	for _, separator := range f.separators {
		if key, ok := addressIn(splitLine(line, separator), f.column); ok {
			return key, true
		}
	}
	return "", false
}

// splitLine reads one line as CSV; none for one that is not.
func splitLine(line string, separator rune) []string {
	if len(line) > maxLine {
		return nil
	}
	if !strings.Contains(line, `"`) { // a csv.Reader takes 4 kB, and there may be 100,000 lines
		return strings.Split(line, string(separator))
	}
	r := csv.NewReader(strings.NewReader(line))
	r.Comma, r.LazyQuotes, r.TrimLeadingSpace = separator, true, separator != '\t' // an empty column is none to be left out
	fields, err := r.Read()
	if err != nil {
		return nil
	}
	return fields
}

// headingOf gives the column that holds addresses; -1: the headings do not say.
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

// addressIn gives the address in a column, or the first in any.
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

// addressOf gives an address as the fleet keys it.
func addressOf(s string) (string, bool) {
	s = strings.ToLower(strings.TrimSpace(s))
	a, err := mail.ParseAddress(s)
	ok := err == nil && a.Name == "" && a.Address == s && len(s) <= maxKey
	return s, ok
}
