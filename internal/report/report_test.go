package report

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
)

func TestDecodeReadsTheEnvelope(t *testing.T) {
	r, err := Decode([]byte(sample(t)))
	require.NoError(t, err)
	assert.Equal(t, "EX01", r.Host)
	assert.Equal(t, "1.1.0", r.Collector)
	assert.Equal(t, 15*time.Minute, r.Interval)
	assert.Equal(t, sampleTime, r.GeneratedAt)
	assert.Equal(t, 8123*time.Millisecond, r.Took)
	assert.Equal(t, "ex01.json", r.FileName())
	for _, name := range SectionNames() {
		assert.True(t, r.Sections[name].OK, "the sample has every section: %s", name)
	}
	assert.Len(t, r.Sections, len(SectionNames()))
}

func TestDecodeTolerates(t *testing.T) {
	const date = `"2026-11-22T09:15:00.0000000Z"`
	for name, report := range map[string]string{
		"a byte order mark":          "\xef\xbb\xbf" + sample(t),
		"white space around":         "\r\n" + sample(t) + "\r\n",
		"a date as ticks":            replaced(t, date, `"\/Date(1795338900000)\/"`),
		"a date as ticks and offset": replaced(t, date, `"/Date(1795338900000+0100)/"`),
		"a date with an offset":      replaced(t, date, `"2026-11-22T10:15:00.0000000+01:00"`),
		"a date object":              replaced(t, date, `{"value":"\/Date(1795338900000)\/","DisplayHint":2,"DateTime":"Sunday"}`),
		"keys in another case":       replaced(t, `"generatedAt"`, `"GeneratedAt"`),
		"unknown keys":               replaced(t, `"schema"`, `"later": {"a": [1]}, "schema"`),
		"an unknown section":         replaced(t, `"authServers"`, `"later": {"ok": true, "data": 1}, "authServers"`),
	} {
		t.Run(name, func(t *testing.T) {
			r, err := Decode([]byte(report))
			require.NoError(t, err)
			assert.Equal(t, sampleTime, r.GeneratedAt)
			assert.Equal(t, "EX01", r.Host)
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	const date = `"2026-11-22T09:15:00.0000000Z"`
	host := func(h string) string { return replaced(t, `"EX01"`, `"`+h+`"`) }
	for name, c := range map[string]struct{ report, want string }{
		"nothing":                     {"", "is incomplete"},
		"a truncated report":          {sample(t)[:2000], "is incomplete"},
		"a list":                      {"[1]", "not a JSON object"},
		"a web page":                  {"<html>", "not a JSON object"},
		"UTF-16":                      {"\xff\xfe{\x00", "UTF-16"},
		"broken JSON":                 {`{"schema": 1,}`, "not valid JSON: byte 14"},
		"two documents":               {sample(t) + "{}", "not valid JSON"},
		"another schema":              {replaced(t, `"schema": 1`, `"schema": 2`), "unknown schema: got 2, want 1"},
		"no schema":                   {`{}`, "unknown schema: got 0"},
		"a schema in words":           {`{"schema": "one"}`, "schema: got a JSON string"},
		"no host":                     {host(""), "host:"},
		"a host that is a path":       {host("../ex01"), "host:"},
		"a host that is a drive":      {host("C:ex01"), "host:"},
		"a host of dots":              {host(".."), "host:"},
		"a host with a line break":    {host(`ex01\nx`), "host:"},
		"a host with a NUL":           {host(`ex01\u0000`), "host:"},
		"a host that ends in a dot":   {host("ex01."), "host:"},
		"a long host":                 {host(strings.Repeat("a.", 127) + "com"), "host:"},
		"no date":                     {replaced(t, date, "null"), "generatedAt: missing"},
		"a date without zone":         {replaced(t, date, `"2026-11-22T09:15:00"`), "generatedAt: want a date"},
		"a date as a number":          {replaced(t, date, "1795338900000"), "generatedAt: want a date"},
		"no interval":                 {replaced(t, `"intervalSeconds": 900`, `"intervalSeconds": 0`), "intervalSeconds:"},
		"an interval over a day":      {replaced(t, `"intervalSeconds": 900`, `"intervalSeconds": 86401`), "intervalSeconds:"},
		"an interval out of range":    {replaced(t, `"intervalSeconds": 900`, `"intervalSeconds": 1e300`), "intervalSeconds:"},
		"no sections":                 {`{"schema":1,"host":"EX01","intervalSeconds":900,"generatedAt":` + date + `}`, "sections: got 0"},
		"a section name with a brace": {replaced(t, `"authServers"`, `"auth{Servers"`), "sections: want names"},
		"101 sections":                {replaced(t, `"authServers"`, many(101)+`"authServers"`), "sections: got"},
		"too deep":                    {replaced(t, `"data": [`, `"data": `+strings.Repeat("[", 40)), "nests deeper than 32"},
		"too large":                   {sample(t) + strings.Repeat(" ", MaxSize), "over 8388608 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Decode([]byte(c.report))
			require.ErrorContains(t, err, c.want)
			assert.NotContains(t, err.Error(), "\n")
		})
	}
}

// many makes n sections.
func many(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(`"s` + strings.Repeat("x", i%60) + string(rune('a'+i%26)) + string(rune('a'+i/26)) + `": {"ok": true, "data": []}, `)
	}
	return b.String()
}

func TestDecodeTellsTruncatedAndSchemaApart(t *testing.T) {
	_, err := Decode([]byte(sample(t)[:2000]))
	require.ErrorIs(t, err, ErrTruncated)
	_, err = Decode([]byte(replaced(t, `"schema": 1`, `"schema": 2`)))
	require.ErrorIs(t, err, ErrSchema)
	_, err = Decode([]byte(`{"schema": 1,}`))
	require.NotErrorIs(t, err, ErrTruncated)
}

func TestASectionThatCannotBeRead(t *testing.T) {
	for name, c := range map[string]struct{ old, new, want string }{
		"is not there":             {`"authServers"`, `"other"`, "EX01: section authServers: the section is missing"},
		"failed at the collector":  {`{"ok": true, "error": null, "data": [`, `{"ok": false, "error": "Access\nis denied.", "data": [`, "section authServers: the collector could not read it: Access is denied."},
		"has no data":              {`"data": [`, `"daten": [`, "ok, but without data"},
		"is a text":                {`"data": [`, `"data": "none", "old": [`, "row 0: got a text, want an object"},
		"has a row that is a text": {`"data": [`, `"data": ["none",`, "row 0: got a text, want an object"},
		"has no name":              {`"name": "ACS - 7c0f0a4e-7d3a-4b5e-9d0e-0a3c1a5c8f11"`, `"name": null`, "row 0: name: missing"},
		"lacks a flag":             {`"enabled": true`, `"enabled": null`, "row 0: enabled: got nothing, want true or false"},
		"has a number for a flag":  {`"enabled": true`, `"enabled": 1`, "row 0: enabled: got a number, want true or false"},
		"has an object for a text": {`"realm": "5de110f8-2e0f-4d45-891d-bcf2218e253d"`, `"realm": {"a": 1}`, "row 0: realm: got an object, want a text"},
		"has no base64":            {`"AQIDBA=="`, `"-----BEGIN"`, "row 0: certificateStrings: want certificates in base64"},
		"has no ok":                {`"authServers": {"ok": true, `, `"authServers": {`, "section authServers: the collector could not read it: ok: missing"},
		"has a word for ok":        {`"authServers": {"ok": true, `, `"authServers": {"ok": "yes", `, "section authServers: the collector could not read it: ok: got a JSON string"},
		"has a number for error":   {`"error": null, "data": [`, `"error": 7, "data": [`, "section authServers: the collector could not read it: error: got a JSON number"},
		"has objects for texts":    {`["contoso.com"]`, `[{"Domain": "contoso.com"}]`, "row 0: domainName: got an object in a list, want texts"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := Decode([]byte(replaced(t, c.old, c.new)))
			require.NoError(t, err, "the envelope is good")
			got, err := r.AuthServers()
			require.ErrorContains(t, err, c.want)
			assert.Nil(t, got)
			assert.Equal(t, check.ReportInput, check.ClassOf(err))
			assert.NotContains(t, err.Error(), "\n")
		})
	}
	_, err := Report{}.AuthServers()
	require.ErrorIs(t, err, ErrMissing)
}

func TestASectionOfOneObjectHasExactlyOne(t *testing.T) {
	for name, data := range map[string]string{"none": `[]`, "two": `[{"defaultAccessLevel":"Allow"},{"defaultAccessLevel":"Block"}]`} {
		t.Run(name, func(t *testing.T) {
			_, err := withSection("activeSyncSettings", data).ActiveSyncSettings()
			require.ErrorContains(t, err, "objects, want one")
		})
	}
}

// withSection is a report of one section with the given data.
func withSection(name, data string) Report {
	return Report{Host: "EX01", Sections: map[string]Section{name: {OK: true, Data: []byte(data)}}}
}

func TestFileName(t *testing.T) {
	for _, host := range []string{"EX01", "ex01", "EX01.contoso.com", "Ex01.CONTOSO.test"} {
		assert.Equal(t, "ex01.json", Report{Host: host}.FileName(), host)
	}
}

func TestFromWhenOnALogWasRead(t *testing.T) {
	const since = `"since": "2026-11-21T07:15:00.0000000Z"`
	for name, c := range map[string]struct {
		new  string
		want time.Time
	}{
		"told":     {since, time.Date(2026, 11, 21, 7, 15, 0, 0, time.UTC)},
		"nothing":  {`"since": null`, time.Time{}},
		"not told": {`"later": 1`, time.Time{}},
		"in words": {`"since": "yesterday"`, time.Time{}},
	} {
		r, err := Decode([]byte(replaced(t, since, c.new)))
		require.NoError(t, err, name)
		_, err = r.AuthAdminEvents()
		require.NoError(t, err, name)
		assert.Equal(t, c.want, r.AuthAdminSince(), name)
	}
}
