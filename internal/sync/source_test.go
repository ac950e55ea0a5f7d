package sync

import (
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// utf16File is a text as PowerShell 5.1 writes it.
func utf16File(s string) string {
	out := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(s)) {
		out = append(out, byte(u), byte(u>>8))
	}
	return string(out)
}

func TestFilesOfMailboxes(t *testing.T) {
	both := []string{"jane@contoso.com", "joe@contoso.com"}
	for name, c := range map[string]struct {
		text string
		want []string
		bad  []int
	}{
		"one a line":                           {"jane@contoso.com\njoe@contoso.com\n", both, nil},
		"Windows lines, upper case":            {"Jane@Contoso.com\r\nJOE@contoso.com\r\n", both, nil},
		"comments and empty lines":             {"# ours\n\njane@contoso.com\n  joe@contoso.com\n", both, nil},
		"twice":                                {"jane@contoso.com\njoe@contoso.com\nJANE@contoso.com\n", both, nil},
		"a byte order mark":                    {"\xef\xbb\xbfjane@contoso.com\njoe@contoso.com", both, nil},
		"UTF-16":                               {utf16File("jane@contoso.com\r\njoe@contoso.com\r\n"), both, nil},
		"Export-Csv":                           {"#TYPE Selected\n\"Name\",\"PrimarySmtpAddress\"\n\"Doe, Jane\",\"jane@contoso.com\"\n\"Joe\",\"joe@contoso.com\"\n", both, nil},
		"semicolons":                           {"Name;Email Address\nJane;jane@contoso.com\nJoe;joe@contoso.com\n", both, nil},
		"a comma in a name between semicolons": {"Name;Mail\nDoe, Jane;jane@contoso.com\nDoe, Joe;joe@contoso.com\n", both, nil},
		"between tabs":                         {"Name\tMail\nDoe, Jane\tjane@contoso.com\nDoe; Joe\tjoe@contoso.com\n", both, nil},
		"an empty column of tabs":              {"Name\tMail\n\tjane@contoso.com\nJoe\tjoe@contoso.com\t\n\t\n", both, []int{4}},
		"without headings":                     {"Doe, Jane;jane@contoso.com\nDoe, Joe\tjoe@contoso.com\n", both, nil},
		"headings that do not say":             {"Wer;Wo\nDoe, Jane;jane@contoso.com\nDoe, Joe;joe@contoso.com\n", both, nil},
		"a line with fewer columns":            {"Name,Mail\njane@contoso.com\nJane,jane@contoso.com\nJoe,joe@contoso.com\n", both, []int{2}},
		"the column that is named":             {"UserPrincipalName,Mail\nx@contoso.com,jane@contoso.com\ny@contoso.com,joe@contoso.com\n", both, nil},
		"no headings":                          {"Jane,jane@contoso.com\nJoe,joe@contoso.com\n", both, nil},
		"bad lines":                            {"jane@contoso.com\njane\n@contoso.com\njoe@contoso.com\n" + strings.Repeat("x", 5000) + "\n", both, []int{2, 3, 5}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := readList([]byte(c.text))
			require.NoError(t, err)
			assert.Equal(t, c.want, got.keys)
			assert.Equal(t, c.bad, got.bad)
		})
	}
	for name, text := range map[string]string{"empty": "", "no address": "jane\njoe\n", "half a UTF-16": "\xff\xfej"} {
		t.Run(name, func(t *testing.T) {
			_, err := readList([]byte(text))
			assert.Error(t, err)
		})
	}
}

func TestNotesOnAFileShowNoAddress(t *testing.T) {
	l, err := readList([]byte("jane@contoso.com\nJane Doe <jane.doe@contoso.com\n1\n2\n3\n4\n5\n"))
	require.NoError(t, err)
	note := l.note("mailboxes.csv")
	assert.Equal(t, "mailboxes.csv: 6 lines name no mailbox, among them line 2, 3, 4, 5, 6", note)
}

func FuzzReadList(f *testing.F) {
	f.Add([]byte("Name,Mail\nJane,jane@contoso.com\n"))
	f.Add([]byte(utf16File("jane@contoso.com")))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := readList(data)
		if err == nil {
			require.NotEmpty(t, l.keys)
		}
		for _, k := range l.keys {
			require.LessOrEqual(t, len(k), maxKey)
			require.Contains(t, k, "@")
		}
	})
}
