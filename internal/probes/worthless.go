package probes

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// shownToken stands in notes where the worthless token was.
const shownToken = "<worthless token>"

// foreignAudience is no host of anybody's (RFC 2606, section 2), so Exchange
// compares it with the URL that it saw and says both.
const foreignAudience = "https://hmad-probe.invalid/"

// worthlessToken makes the token of the recipe (domain notes, section 7): the
// profile that ActiveSync allows (ver 1.0 with scp is V1AppActAs), an audience
// that fits nowhere, and bytes in the signature's place that are obviously none.
func worthlessToken(tenant string, now time.Time) string {
	part := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			panic(err) // maps of text and numbers
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	return strings.Join([]string{
		part(map[string]string{"alg": "RS256", "typ": "JWT"}),
		part(map[string]any{
			"ver": "1.0", "scp": "EAS.AccessAsUser.All", "tid": tenant,
			"iss": "https://sts.windows.net/" + tenant + "/", "aud": foreignAudience,
			"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		}),
		base64.RawURLEncoding.EncodeToString([]byte("hmad tls_offload probe: this is not a signature")),
	}, ".")
}

// withoutToken takes the token out of what the visit will show: out of the
// request, and of headers that echo it.
func (v Visit) withoutToken(token string) Visit {
	for i, req := range v.asked {
		shown := *req
		shown.Header = req.Header.Clone()
		shown.Header.Set("Authorization", "Bearer "+shownToken)
		v.asked[i] = &shown
	}
	for _, a := range v.Answers {
		a.Header = replaced(a.Header, token, shownToken)
	}
	return v
}

func replaced(h http.Header, old, new string) http.Header {
	out := make(http.Header, len(h))
	for name, values := range h {
		for _, value := range values {
			out[name] = append(out[name], strings.ReplaceAll(value, old, new))
		}
	}
	return out
}
