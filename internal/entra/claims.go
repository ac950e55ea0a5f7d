package entra

import (
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/hmad/hmad/internal/check"
)

// Claims are what a token of Entra says that lets its bearer do something
// (learn.microsoft.com, «Access token claims reference»).
type Claims struct {
	Audience string   `json:"aud"`
	Scope    string   `json:"scp"`
	Roles    []string `json:"roles"`
	Wids     []string `json:"wids"` // template ids of directory roles
}

// ReadClaims reads the claims of a token in JWS compact form (RFC 7515, section
// 7.1), without judging its signature. No error holds any part of the token.
func ReadClaims(token string) (Claims, error) {
	var c Claims
	parts := strings.Split(token, ".")
	if len(parts) != 3 || len(parts[1]) > maxTokenBody {
		return c, check.Errorf(check.Token, "the token is not a signed JWT")
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(raw, &c) != nil || c.Audience == "" {
		return Claims{}, check.Errorf(check.Token, "the token's claims cannot be read")
	}
	return c, nil
}
