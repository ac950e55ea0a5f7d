package lab

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
)

// seenURL is the URL of a request as Exchange gets it from what stands in
// front.
type seenURL struct{ scheme, host string }

func (u seenURL) String() string { return u.scheme + "://" + u.host }

// claims are those of an access token that Exchange looks at.
type claims struct {
	Version  string `json:"ver"`
	Scope    string `json:"scp"`
	Audience string `json:"aud"`
	Issuer   string `json:"iss"`
	Tenant   string `json:"tid"`
	Expires  int64  `json:"exp"`
}

// refuseToken says why Exchange refuses a token at the ActiveSync directory, in
// the order in which it looks: form, profile, audience, issuer, signature. The
// lab's Exchange knows no user's key, so no token gets further.
func (c challenge) refuseToken(token string, seen seenURL) challenge {
	t, ok := readToken(token)
	audience := strings.TrimSuffix(t.Audience, "/")
	switch {
	case !ok:
		return c.refused(2000001, "Unable to read or process token.", "invalid_token")
	case t.Version != "1.0" || t.Scope == "": // ActiveSync takes V1AppActAs alone
		return c.refused(2000001, "This token profile is not applicable for the current protocol.", "invalid_token")
	case !strings.EqualFold(audience, seen.String()):
		return c.refused(2000003, fmt.Sprintf("The hostname component of the audience claim value is invalid. Expected '%s'. Actual '%s'.",
			audience, seen), "invalid_resource")
	case t.Issuer != "https://sts.windows.net/"+c.tenant+"/":
		return c.refused(2000001, fmt.Sprintf("The issuer of the token is unknown. Issuer was '%s'.", t.Issuer), "invalid_token")
	default:
		return c.refused(2000000, "The token has an invalid signature.", "invalid_signature")
	}
}

// readToken reads the claims of a token in JWS compact form (RFC 7515, section
// 7.1), without looking at its signature.
func readToken(token string) (c claims, ok bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return c, false
	}
	return c, decodePart(parts[1], &c)
}

// encodePart writes one part of a JWT.
func encodePart(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own maps
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// decodePart reads one part of a JWT.
func decodePart(part string, into any) bool {
	text, err := base64.RawURLEncoding.DecodeString(part)
	return err == nil && json.Unmarshal(text, into) == nil
}
