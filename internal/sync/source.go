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

// The sources of mailboxes, as bits.
const (
	fromList uint8 = 1 << iota
	fromFile
	fromInventory
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
	seen, column, first := map[string]bool{}, -1, true
	n := 0
	for line := range strings.SplitSeq(text, "\n") {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		fields, ok := splitLine(line)
		if first && ok && !strings.Contains(line, "@") {
			first, column = false, headingOf(fields)
			continue
		}
		first = false
		key, found := addressIn(fields, column)
		switch {
		case !ok || !found:
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

// splitLine reads one line as CSV.
func splitLine(line string) ([]string, bool) {
	if len(line) > maxLine {
		return nil, false
	}
	r := csv.NewReader(strings.NewReader(line))
	r.LazyQuotes, r.TrimLeadingSpace = true, true
	if i := strings.IndexAny(line, ",;\t"); i >= 0 {
		r.Comma = rune(line[i])
	}
	fields, err := r.Read()
	return fields, err == nil
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
	if column >= 0 {
		if column >= len(fields) {
			return "", false
		}
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
