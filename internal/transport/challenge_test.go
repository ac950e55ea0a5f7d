package transport

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// exchangesBearer is a challenge of Exchange's.
const exchangesBearer = `Bearer client_id="00000002-0000-0ff1-ce00-000000000000", ` +
	`trusted_issuers="00000001-0000-0000-c000-000000000000@5de110f8-2e0f-4d45-891d-bcf2218e253d", ` +
	`token_types="app_asserted_user_v1 service_asserted_app_v1", authorization_uri="https://login.windows.net/common/oauth2/authorize"`

func params(kv ...string) (ps []Param) {
	for i := 0; i < len(kv); i += 2 {
		ps = append(ps, Param{kv[i], kv[i+1]})
	}
	return ps
}

func TestParseChallenges(t *testing.T) {
	basic := Challenge{Scheme: "Basic", Params: params("realm", "x")}
	for name, tc := range map[string]struct {
		fields []string
		want   []Challenge
	}{
		"nothing":                           {nil, nil},
		"an empty field":                    {[]string{""}, nil},
		"only commas and blanks":            {[]string{" , ,\t,"}, nil},
		"a scheme alone":                    {[]string{"Negotiate"}, []Challenge{{Scheme: "Negotiate"}}},
		"schemes alone in one field":        {[]string{"Negotiate,NTLM , Bearer"}, []Challenge{{Scheme: "Negotiate"}, {Scheme: "NTLM"}, {Scheme: "Bearer"}}},
		"a trailing blank":                  {[]string{"Bearer "}, []Challenge{{Scheme: "Bearer"}}},
		"a blank before a comma":            {[]string{"Bearer ,Basic realm=x"}, []Challenge{{Scheme: "Bearer"}, basic}},
		"a token as value":                  {[]string{"Basic realm=x"}, []Challenge{basic}},
		"blanks round the equals sign":      {[]string{"Basic realm\t= \"x\""}, []Challenge{basic}},
		"two fields":                        {[]string{"Basic realm=x", "NTLM"}, []Challenge{basic, {Scheme: "NTLM"}}},
		"a scheme twice":                    {[]string{"Basic realm=x, Basic realm=x"}, []Challenge{basic, basic}},
		"commas inside quotes":              {[]string{`Bearer a="x,Basic realm=y",b=""`}, []Challenge{{Scheme: "Bearer", Params: params("a", "x,Basic realm=y", "b", "")}}},
		"escapes":                           {[]string{`Bearer a="\"\\\x"`}, []Challenge{{Scheme: "Bearer", Params: params("a", `"\x`)}}},
		"bytes above ASCII":                 {[]string{"Basic realm=\"Z\xfcrich\""}, []Challenge{{Scheme: "Basic", Params: params("realm", "Z\xfcrich")}}},
		"empty elements between parameters": {[]string{"Bearer a=1,, ,b=2,"}, []Challenge{{Scheme: "Bearer", Params: params("a", "1", "b", "2")}}},
		"repeated parameters are kept":      {[]string{"Bearer a=1, A=2"}, []Challenge{{Scheme: "Bearer", Params: params("a", "1", "A", "2")}}},
		"token68":                           {[]string{"Negotiate YII-._~+/== , NTLM TlRM"}, []Challenge{{Scheme: "Negotiate", Token68: "YII-._~+/=="}, {Scheme: "NTLM", Token68: "TlRM"}}},
		"a parameter that begins like one":  {[]string{"Digest a=b"}, []Challenge{{Scheme: "Digest", Params: params("a", "b")}}},
		"parameters after a comma":          {[]string{"Bearer, a=1"}, []Challenge{{Scheme: "Bearer", Params: params("a", "1")}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseChallenges(tc.fields)
			require.NoError(t, err)
			assert.Empty(t, cmp.Diff(tc.want, got))
		})
	}
}

func TestParseChallengesRefuses(t *testing.T) {
	many := strings.Repeat("NTLM,", maxChallenges)
	for name, tc := range map[string]struct {
		fields []string
		want   string
		read   int
	}{
		"a control character in a value":     {[]string{"Basic realm=\"a\x00b\""}, "control character", 1},
		"an escaped control character":       {[]string{"Basic realm=\"a\\\x01b\""}, "control character", 1},
		"a control character outside":        {[]string{"Basic realm=x\x7f"}, "byte 14: control character", 1},
		"a line break":                       {[]string{"NTLM\r\nBasic"}, "byte 5: control character", 1},
		"an open quote":                      {[]string{`NTLM, Basic realm="x`}, "field 1, byte 21: unterminated", 2},
		"an open quote after a backslash":    {[]string{`Basic realm="x\`}, "unterminated", 1},
		"no comma":                           {[]string{`Basic realm="x" NTLM`}, "comma", 1},
		"text after token68":                 {[]string{"Negotiate a== b"}, "value", 1},
		"a value that is no token":           {[]string{"Bearer authorization_uri=https://x"}, "comma", 1},
		"no value":                           {[]string{"Bearer a=1, b="}, "value", 1},
		"a parameter without a scheme":       {[]string{"Bearer", "a=1"}, "field 2, byte 3: a parameter without a scheme", 1},
		"a parameter after token68":          {[]string{"Negotiate abc, a=1"}, "after a token68", 1},
		"a quoted string where a name is":    {[]string{`"Bearer"`}, "name is expected", 0},
		"more challenges than 32":            {[]string{many, "Basic realm=x"}, "more than 32 challenges", 32},
		"more parameters than 64":            {[]string{"Bearer " + strings.Repeat("a=1,", maxParams+1)}, "more than 64 parameters", 1},
		"two fields that break off":          {[]string{"Bearer a=1, b=", `NTLM, Basic realm="`, "Negotiate"}, "field 1, byte 15: a value", 4},
		"a limit behind a broken field":      {[]string{"Bearer a=1, b=", many}, "more than 32 challenges", 32},
		"a control character behind one":     {[]string{"Bearer a=1, b=", "NTLM \x01", "Basic"}, "field 2, byte 6: control character", 2},
		"a huge field":                       {[]string{"NTLM", "Basic realm=\"" + strings.Repeat("x", maxChallengeLength) + "\""}, "longer than", 1},
		"many fields that are huge together": {slices.Repeat([]string{strings.Repeat(",", 1<<10)}, 33), "longer than", 0},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseChallenges(tc.fields)
			require.ErrorContains(t, err, tc.want)
			assert.Len(t, got, tc.read, "what stands before the error is kept")
		})
	}
}

// A broken field takes nothing from the others, and the challenge in which it
// broke is known.
func TestParseChallengesMarksWhereAFieldBroke(t *testing.T) {
	for name, tc := range map[string]struct {
		fields []string
		want   []bool // Broken, of each challenge
	}{
		"in the field before":     {[]string{`Basic realm="x`, "Bearer a=1"}, []bool{true, false}},
		"in the field behind":     {[]string{"Bearer a=1", `Basic realm="x`}, []bool{false, true}},
		"in the same field":       {[]string{`Bearer a=1, Basic realm="x`}, []bool{false, true}},
		"in the Bearer":           {[]string{`Bearer a="1, Basic realm=x`}, []bool{true}},
		"right behind":            {[]string{`Bearer a=1, "x"`}, []bool{true}},
		"in a field of no scheme": {[]string{"Bearer a=1", "b=2"}, []bool{false}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseChallenges(tc.fields)
			require.Error(t, err)
			var broken []bool
			for _, c := range got {
				broken = append(broken, c.Broken)
			}
			assert.Equal(t, tc.want, broken)
		})
	}
}

func TestParseChallengesTakesExactlyTheLimit(t *testing.T) {
	got, err := ParseChallenges([]string{strings.Repeat("NTLM,", maxChallenges)})
	require.NoError(t, err)
	assert.Len(t, got, maxChallenges)
}

func TestChallengeNamesIgnoreCase(t *testing.T) {
	got, err := ParseChallenges([]string{`bEARER Client_ID="1"`})
	require.NoError(t, err)
	assert.True(t, got[0].Is("Bearer"))
	assert.Equal(t, "1", got[0].Param("client_id"))
	assert.Empty(t, got[0].Param("realm"))
}

func FuzzParseChallenges(f *testing.F) {
	for _, s := range []string{"", exchangesBearer, exchangesBearer + "\n" + `Basic realm="mail.contoso.com"`, "Bearer ", `Bearer a="\"\\", b=c`, "Negotiate YII==", "Basic realm=\"\x00\"", "a=,b", strings.Repeat("NTLM,", 40)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got, err := ParseChallenges(strings.Split(in, "\n"))
		require.LessOrEqual(t, len(got), maxChallenges)
		size := 0
		var rendered []string
		for _, c := range got {
			require.NotEmpty(t, c.Scheme)
			require.LessOrEqual(t, len(c.Params), maxParams)
			require.False(t, c.Token68 != "" && c.Params != nil, "token68 and parameters at once")
			require.False(t, HasControl(c.String()), "control character in %q", c)
			size += len(c.Scheme) + len(c.Token68)
			for _, p := range c.Params {
				size += len(p.Name) + len(p.Value)
			}
			rendered = append(rendered, c.String())
		}
		require.LessOrEqual(t, size, len(in), "more read than was there")
		if err != nil || len(in) > maxChallengeLength/4 {
			return // quoting may make the rendered text too long to be read
		}
		one, err := ParseChallenges([]string{strings.Join(rendered, ", ")})
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(got, one), "joined into one field")
		each, err := ParseChallenges(rendered)
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(got, each), "a field each")
	})
}

// The parser runs in every probe: it must not copy what it reads.
func TestParseChallengesAllocatesLittle(t *testing.T) {
	fields := []string{exchangesBearer, `Basic realm="mail.contoso.com"`}
	allocs := testing.AllocsPerRun(100, func() { _, _ = ParseChallenges(fields) })
	assert.LessOrEqual(t, allocs, 4.0, "a slice of challenges, grown once, and one of parameters for each")
}
