package entra

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
)

func coded(claims string) string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
}

func TestReadClaims(t *testing.T) {
	c, err := ReadClaims(coded(`{"aud":"https://mail.contoso.com","scp":"a","roles":["b"],"wids":["c"]}`))
	require.NoError(t, err)
	assert.Equal(t, Claims{"https://mail.contoso.com", "a", []string{"b"}, []string{"c"}}, c)
	for name, bad := range map[string]string{"nothing": "", "two parts": "e30.e30", "encrypted": "a.b.c.d.e", "no base64": "e30.!.x", "no JSON": coded("planted"),
		"no audience": coded(`{"roles":[]}`), "roles that are a text": coded(`{"aud":"x","roles":"planted"}`), "huge": coded(`{"aud":"` + strings.Repeat("x", 80<<10) + `"}`)} {
		t.Run(name, func(t *testing.T) {
			_, err := ReadClaims(bad)
			require.Error(t, err)
			assert.Equal(t, check.Token, check.ClassOf(err))
			assert.NotContains(t, err.Error(), "planted")
		})
	}
}

func FuzzReadClaims(f *testing.F) {
	f.Add(coded(`{"aud":"https://mail.contoso.com","roles":["b"]}`))
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, token string) {
		c, err := ReadClaims(token)
		if err != nil {
			checktest.OneLine(t, err)
			return
		}
		assert.NotEmpty(t, c.Audience)
	})
}
