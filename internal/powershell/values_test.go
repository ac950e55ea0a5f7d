package powershell

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// property is a row whose property P is this JSON.
func property(raw string) Row { return Row{"P": json.RawMessage(raw)} }

func TestTime(t *testing.T) {
	moment := time.Date(2026, 11, 22, 9, 15, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		raw  string
		want time.Time // zero: none
		err  bool
	}{
		"seven digits and an offset of nought":   {`"2026-11-22T09:15:00.0000000+00:00"`, moment, false},
		"seven digits and Z":                     {`"2026-11-22T09:15:00.0000000Z"`, moment, false},
		"seven digits that are not nought":       {`"2026-11-22T09:15:00.1234567Z"`, moment.Add(123456700), false},
		"no digits":                              {`"2026-11-22T09:15:00Z"`, moment, false},
		"another zone":                           {`"2026-11-22T10:15:00+01:00"`, moment, false},
		"PowerShell 5.1's":                       {`"/Date(1795338900000)/"`, moment, false},
		"PowerShell 5.1's, escaped":              {`"\/Date(1795338900000)\/"`, moment, false},
		"PowerShell 5.1's, escaped twice":        {`"\\/Date(1795338900000)\\/"`, moment, false},
		"PowerShell 5.1's, with an offset":       {`"/Date(1795338900000+0100)/"`, moment, false},
		"PowerShell 5.1's, with more properties": {`{"value": "/Date(1795338900000)/", "DateTime": "x"}`, moment, false},
		"null":                                   {`null`, time.Time{}, false},
		"nothing":                                {``, time.Time{}, false},
		"an empty text":                          {`""`, time.Time{}, false},
		".NET's zero":                            {`"0001-01-01T00:00:00Z"`, time.Time{}, false},
		".NET's zero in milliseconds":            {`"/Date(-62135596800000)/"`, time.Time{}, false},
		"no zone":                                {`"2026-11-22T09:15:00"`, time.Time{}, true},
		"American":                               {`"11/22/2026 9:15:00 AM"`, time.Time{}, true},
		"words":                                  {`"yesterday"`, time.Time{}, true},
		"a number":                               {`1795338900`, time.Time{}, true},
		"a list":                                 {`[]`, time.Time{}, true},
		"an object":                              {`{}`, time.Time{}, true},
		"too many digits":                        {`"/Date(99999999999999999)/"`, time.Time{}, true},
		"after the year 9999":                    {`"/Date(999999999999999)/"`, time.Time{}, true},
		"JSON that breaks off":                   {`"2026`, time.Time{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := property(c.raw).Time("P")
			assert.Equal(t, c.want, got)
			assert.Equal(t, c.err, err != nil)
		})
	}
}

func TestSize(t *testing.T) {
	for raw, want := range map[string]Size{
		`"35 MB (36,700,160 bytes)"`:           {Bytes: 36700160},
		`"35 MB (36.700.160 bytes)"`:           {Bytes: 36700160},
		`"35 MB (36 700 160 bytes)"`:           {Bytes: 36700160},
		`"35 MB (36\u00a0700\u00a0160 bytes)"`: {Bytes: 36700160},
		`"1 B (1 byte)"`:                       {Bytes: 1},
		`"36700160"`:                           {Bytes: 36700160},
		`36700160`:                             {Bytes: 36700160},
		`"Unlimited"`:                          {Unlimited: true},
	} {
		got, err := property(raw).Size("P")
		require.NoError(t, err, raw)
		assert.Equal(t, want, got, raw)
	}
	for _, raw := range []string{`""`, `null`, `"35 MB"`, `-1`, `"(bytes)"`, `"99999999999999999999 bytes"`, `"35 MB (x bytes)"`, `{}`} {
		_, err := property(raw).Size("P")
		assert.Error(t, err, raw)
	}
}

func TestText(t *testing.T) {
	for name, c := range map[string]struct{ raw, want, err string }{
		"a text":               {`"a"`, "a", ""},
		"two lines":            {`"a\r\nb"`, "a  b", ""},
		"a number":             {`7.50`, "7.50", ""},
		"a flag":               {`true`, "true", ""},
		"null":                 {`null`, "", ""},
		"nothing":              {``, "", ""},
		"a wrapped one":        {`{"value": "a", "Count": 1}`, "a", ""},
		"a list":               {`["a"]`, "", "got an array, want a text"},
		"an object":            {`{"a": 1}`, "", "got an object, want a text"},
		"a long one":           {`"` + strings.Repeat("x", 2*MaxText) + `"`, strings.Repeat("x", MaxText-1) + "…", ""},
		"JSON that breaks off": {`"a`, "", "the JSON is not valid"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := property(c.raw).Text("P")
			assert.Equal(t, c.want, got)
			assert.Equal(t, c.want, property(c.raw).String("P"))
			if c.err == "" {
				assert.NoError(t, err)
			} else {
				assert.EqualError(t, err, c.err)
			}
		})
	}
}

func TestTexts(t *testing.T) {
	for name, c := range map[string]struct {
		raw  string
		want []string
		err  string
	}{
		"a list":            {`["a","b, c",7]`, []string{"a", "b, c", "7"}, ""},
		"an empty list":     {`[]`, nil, ""},
		"one text":          {`"a"`, []string{"a"}, ""},
		"several in one":    {`"a, b,,c "`, []string{"a", "b", "c"}, ""},
		"null":              {`null`, nil, ""},
		"a wrapped list":    {`{"value": ["a"], "Count": 1}`, []string{"a"}, ""},
		"a list of objects": {`[{"a": 1}]`, nil, "got an object in a list, want texts"},
		"an object":         {`{"a": 1}`, nil, "got an object in a list, want texts"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := property(c.raw).Texts("P")
			assert.Equal(t, c.want, got)
			if c.err == "" {
				assert.NoError(t, err)
			} else {
				assert.EqualError(t, err, c.err)
			}
		})
	}
}

func TestInt(t *testing.T) {
	for raw, want := range map[string]int64{`7`: 7, `"8"`: 8, `" 8 "`: 8, `-1`: -1, `{"value": 9, "Count": 1}`: 9} {
		got, err := property(raw).Int("P")
		require.NoError(t, err, raw)
		assert.Equal(t, want, got, raw)
	}
	for raw, want := range map[string]string{`7.5`: "got a number", `null`: "got nothing", ``: "got nothing", `[7]`: "got an array", `"x"`: "got a text", `1e300`: "got a number"} {
		_, err := property(raw).Int("P")
		assert.EqualError(t, err, want+", want a whole number", raw)
	}
}

func TestFlag(t *testing.T) {
	for raw, want := range map[string]bool{`true`: true, `false`: false, `"True"`: true, `"FALSE"`: false} {
		got, err := property(raw).Flag("P")
		require.NoError(t, err, raw)
		assert.Equal(t, want, got, raw)
	}
	for _, raw := range []string{`null`, ``, `1`, `"yes"`, `[true]`} {
		_, err := property(raw).Flag("P")
		assert.ErrorContains(t, err, "want true or false", raw)
	}
}

func TestDER(t *testing.T) {
	for raw, want := range map[string][][]byte{`["AQI=","Aw=="]`: {{1, 2}, {3}}, `"AQI="`: {{1, 2}}, `["A\r\n QI="]`: {{1, 2}}, `[]`: nil} {
		got, err := property(raw).DER("P")
		require.NoError(t, err, raw)
		assert.Equal(t, want, got, raw)
	}
	for _, raw := range []string{`null`, ``, `["x"]`, `[""]`, `[7]`, `[null]`} {
		_, err := property(raw).DER("P")
		assert.Error(t, err, raw)
	}
}

func TestRows(t *testing.T) {
	for name, c := range map[string]struct {
		raw  string
		want []string // of the property P
		err  string
	}{
		"a list":                {`[{"P":"a"},{"p":"b"}]`, []string{"a", "b"}, ""},
		"a list of one":         {`{"P":"a"}`, []string{"a"}, ""},
		"a wrapped list":        {`{"value":[{"P":"a"}],"Count":1}`, []string{"a"}, ""},
		"an empty list":         {`[]`, []string{}, ""},
		"null":                  {`null`, nil, ""},
		"null, wrapped":         {`{"value":null,"Count":0}`, nil, ""},
		"a text":                {`"a"`, nil, "row 0: got a text, want an object"},
		"a text among others":   {`[{"P":"a"},"b"]`, nil, "row 1: got a text, want an object"},
		"null among others":     {`[null]`, nil, "row 0: got nothing, want an object"},
		"JSON that breaks off":  {`[{"P":"a"}`, nil, "unexpected end of JSON input"},
		"JSON that is followed": {`[] []`, nil, "invalid character '[' after top-level value"},
	} {
		t.Run(name, func(t *testing.T) {
			rows, err := Rows(json.RawMessage(c.raw))
			if c.err != "" {
				assert.EqualError(t, err, c.err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, c.want == nil, rows == nil)
			for i, want := range c.want {
				assert.Equal(t, want, rows[i].String("P"))
			}
			assert.Len(t, rows, len(c.want))
		})
	}
}

func TestHas(t *testing.T) {
	for raw, want := range map[string]bool{`null`: false, ``: false, `false`: true, `""`: true, `[]`: true, `{"value":null,"Count":0}`: false} {
		assert.Equal(t, want, property(raw).Has("p"), raw)
	}
}

func TestTheSamePropertyInTwoSpellings(t *testing.T) {
	r := Row{"DEVICEID": json.RawMessage(`"A"`), "DeviceID": json.RawMessage(`"B"`)}
	for range 20 {
		assert.Equal(t, "A", r.String("deviceid"), "not by chance")
	}
	assert.Equal(t, "B", r.String("DeviceID"), "the exact one first")
}

func TestFieldsKeepTheFirstError(t *testing.T) {
	f := Fields{Row: Row{"Text": json.RawMessage(`"a"`), "List": json.RawMessage(`[]`), "Null": json.RawMessage(`null`), "Nought": json.RawMessage(`0`)}}
	assert.Equal(t, "a", f.Need("text"))
	assert.Equal(t, 1, f.Count("Null"), "nothing is one")
	f.Named("null")
	require.NoError(t, f.Err)
	for name, c := range map[string]struct {
		read func(*Fields)
		want string
	}{
		"a needed text":     {func(f *Fields) { f.Need("Null") }, "Null: missing"},
		"a needed time":     {func(f *Fields) { f.NeedTime("Null") }, "Null: missing"},
		"no such property":  {func(f *Fields) { f.Named("Other") }, "Other: missing"},
		"a count of nought": {func(f *Fields) { f.Count("Nought") }, "Nought: want at least 1"},
		"two errors":        {func(f *Fields) { f.Text("List"); f.Flag("Text") }, "List: got an array, want a text"},
		"an error twice":    {func(f *Fields) { f.Need("List") }, "List: got an array, want a text"},
	} {
		t.Run(name, func(t *testing.T) {
			wrong := Fields{Row: f.Row}
			c.read(&wrong)
			assert.EqualError(t, wrong.Err, c.want)
		})
	}
}

func TestTooDeep(t *testing.T) {
	nested := func(n int) []byte { return []byte(strings.Repeat(`[{"a":`, n/2) + "1" + strings.Repeat(`}]`, n/2)) }
	assert.False(t, TooDeep(nested(MaxDepth)))
	assert.True(t, TooDeep(nested(MaxDepth+2)))
	assert.False(t, TooDeep([]byte(`"`+strings.Repeat(`[\"`, 100)+`"`)), "brackets in a text")
}

// Of a date that cannot be read its form is told, and nothing of it.
func TestTheFormOfADate(t *testing.T) {
	for raw, want := range map[string]string{
		`"2026-11-29T20:45:00"`:             "9999-99-99T99:99:99",
		`"11/29/2026 8:45:00 PM"`:           "99/99/9999 9:99:99 AA",
		`"29. Nov. 2026"`:                   "99. AAA. 9999",
		`"TT2026T"`:                         "AA9999A",
		`"jane@contoso.com"`:                "AAAA@AAAAAAA.AAA",
		`"٢٠٢٦-١١-٢٩"`:                      "9999-99-99",
		`"` + strings.Repeat("x", 99) + `"`: strings.Repeat("A", maxForm-1) + "…",
		`7`:                                 "", `{}`: "", `true`: "",
	} {
		_, err := property(raw).Time("P")
		var date *DateError
		require.ErrorAs(t, err, &date, raw)
		assert.Equal(t, want, date.Form, raw)
		assert.Contains(t, err.Error(), "want a date such as 2026-11-22T09:15:00Z")
	}
}
