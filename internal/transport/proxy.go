package transport

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
)

const (
	proxyFile      = "proxy_credentials_file"
	maxCredentials = 4 << 10 // bytes of that file
	maxOffers      = 5       // schemes of a proxy that an error names
)

// proxyHeader returns the header of a CONNECT that holds the proxy's credentials;
// none where the target has none. The file is read anew for each connection, so
// that a new password needs no reload.
func (w *Way) proxyHeader() (http.Header, error) {
	if w.proxyFile == "" {
		return nil, nil
	}
	data, err := w.env.ReadFile(w.proxyFile, maxCredentials)
	if err != nil {
		return nil, config.Invalid(proxyFile, "%s", err)
	}
	credentials, ok := readCredentials(data)
	if !ok {
		return nil, config.Invalid(proxyFile, "%s: got something else, want one line NAME:PASSWORD", config.ShownFile(w.proxyFile))
	}
	return http.Header{"Proxy-Authorization": {"Basic " + base64.StdEncoding.EncodeToString(credentials)}}, nil
}

// readCredentials returns the one line NAME:PASSWORD of a file. The name has no
// colon (RFC 7617 section 2), neither has control characters.
func readCredentials(data []byte) ([]byte, bool) {
	line := bytes.TrimRight(bytes.TrimPrefix(data, []byte("\ufeff")), "\r\n")
	name, password, found := bytes.Cut(line, []byte(":"))
	isControl := func(c rune) bool { return c < ' ' || c == 0x7f || c == 0xfffd }
	return line, found && len(name) > 0 && len(password) > 0 && bytes.IndexFunc(line, isControl) < 0
}

// connectHeader is proxyHeader for a client.
func (w *Way) connectHeader(_ context.Context, proxy *url.URL, _ string) (http.Header, error) {
	header, err := w.proxyHeader()
	if err != nil {
		return nil, check.Errorf(check.VantageOffline, "the proxy %s cannot be asked: %w", proxy.Host, err)
	}
	return header, nil
}

// refused words a proxy's refusal for a client; http.Transport keeps only its
// status.
func (w *Way) refused(_ context.Context, proxy *url.URL, req *http.Request, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	return check.Errorf(check.VantageOffline, "the proxy %s does not connect us to %s: %s", proxy.Host, req.Host, w.refusal(resp))
}

// refusal words a proxy's refusal. Its own words are left out where they may
// repeat the credentials.
func (w *Way) refusal(resp *http.Response) string {
	answer := "it answers " + check.Clean(resp.Status, 100)
	if w.proxyFile != "" {
		answer = fmt.Sprintf("it answers %d", resp.StatusCode)
	}
	if resp.StatusCode != http.StatusProxyAuthRequired {
		return answer
	}
	offers, basic := proxyOffers(resp.Header)
	switch {
	case offers != "" && !basic:
		return answer + ": it wants " + offers + ", and hmad knows Basic alone: let this host pass without a sign-in"
	case w.proxyFile == "":
		return answer + ": it wants a name and a password: set " + proxyFile
	default:
		return answer + ": it refuses the name and password in " + proxyFile
	}
}

// schemeForm is the name of an authentication scheme.
var schemeForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,19}$`)

// proxyOffers returns the names of the schemes of which a proxy wants one (RFC 9110
// section 11.7.1), and whether Basic is among them.
func proxyOffers(h http.Header) (names string, basic bool) {
	var all []string
	for part := range strings.SplitSeq(strings.Join(h.Values("Proxy-Authenticate"), ","), ",") {
		scheme, _, _ := strings.Cut(strings.TrimSpace(part), " ")
		if schemeForm.MatchString(scheme) {
			all = append(all, scheme)
			basic = basic || strings.EqualFold(scheme, "Basic")
		}
	}
	return strings.Join(all[:min(len(all), maxOffers)], ", "), basic
}
