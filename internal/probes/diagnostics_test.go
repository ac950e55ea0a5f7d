package probes

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/transport"
)

const offloadedDiagnostics = `2000003;reason="The hostname component of the audience claim value is invalid. Expected 'https://mail.contoso.com'. Actual 'http://mail.contoso.com'.";error_category="invalid_resource"`

func TestParseDiagnostics(t *testing.T) {
	for name, tc := range map[string]struct {
		in   string
		want Diagnostics
	}{
		"the guide's": {offloadedDiagnostics, Diagnostics{2000003,
			"The hostname component of the audience claim value is invalid. Expected 'https://mail.contoso.com'. Actual 'http://mail.contoso.com'.", "invalid_resource"}},
		"flighting":                    {`4000000;reason="Flighting is not enabled for domain 'mail.contoso.test'.";error_category="oauth_not_available"`, Diagnostics{4000000, "Flighting is not enabled for domain 'mail.contoso.test'.", "oauth_not_available"}},
		"no reason":                    {`2000001;error_category="invalid_token"`, Diagnostics{2000001, "", "invalid_token"}},
		"a part that is not known":     {`2000004;..;error_category="invalid_tenant"`, Diagnostics{2000004, "", "invalid_tenant"}},
		"semicolons in the reason":     {`2000001;reason="a; b;c";error_category="x"`, Diagnostics{2000001, "a; b;c", "x"}},
		"quotes in the reason":         {`2000001;reason="value 'a' for "b" is bad";error_category="x"`, Diagnostics{2000001, `value 'a' for "b" is bad`, "x"}},
		"category first, other case":   {`2000001; Error_Category="x"; REASON="y"`, Diagnostics{2000001, "y", "x"}},
		"no quotes":                    {`2000001;reason=y ;error_category= x`, Diagnostics{2000001, "y", "x"}},
		"the number alone":             {` 2000020 `, Diagnostics{Number: 2000020}},
		"a semicolon at the end":       {`2000020;`, Diagnostics{Number: 2000020}},
		"an equals sign in the reason": {`1;reason="a=b";error_category="x"`, Diagnostics{1, "a=b", "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseDiagnostics(tc.in)
			require.NoError(t, err)
			assert.Equal(t, tc.want, got)
		})
	}
}

func TestParseDiagnosticsRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		in   string
		want error
		read int
	}{
		"no number":           {`reason="x"`, errDiagnosticsNumber, 0},
		"a negative number":   {`-1;reason="x"`, errDiagnosticsNumber, 0},
		"too large a number":  {`99999999999`, errDiagnosticsNumber, 0},
		"an open quote":       {`2000001;reason="x;error_category=y`, transport.ErrUnterminated, 2000001},
		"a control character": {"2000001;reason=\"x\x1by\"", transport.ErrControl, 2000001},
		"a huge field":        {"1;" + strings.Repeat("x", maxDiagnosticsLength), errDiagnosticsLong, 0},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseDiagnostics(tc.in)
			require.ErrorIs(t, err, tc.want)
			assert.Equal(t, Diagnostics{Number: tc.read}, got)
		})
	}
}

func TestDiagnosticsOfTakesTheFirstThatHasANumber(t *testing.T) {
	h := http.Header{"X-Ms-Diagnostics": {"nonsense", `2000001;error_category="a"`, `4000000;error_category="b"`}}
	assert.Equal(t, Diagnostics{Number: 2000001, Category: "a"}, diagnosticsOf(h))
	assert.Equal(t, Diagnostics{}, diagnosticsOf(http.Header{}))
}

func FuzzParseDiagnostics(f *testing.F) {
	for _, s := range []string{"", "1", offloadedDiagnostics, `2000004;..;error_category="invalid_tenant"`, `1;reason="a;"b"";error_category=x`, `1;reason=a";`, "1;reason=\"\x00\""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got, err := ParseDiagnostics(in)
		require.GreaterOrEqual(t, got.Number, 0)
		require.LessOrEqual(t, len(got.Reason)+len(got.Category), len(in))
		require.False(t, transport.HasControl(got.Reason+got.Category))
		if err != nil {
			return
		}
		again, err := ParseDiagnostics(got.String())
		require.NoError(t, err)
		require.Equal(t, got, again)
	})
}
