package lab

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/mail"
	"net/url"
	"strconv"
	"strings"
)

const autodiscoverPath = "/autodiscover/autodiscover.json"

// endpoint is AutoDiscover v2's good answer. Protocol is spelt as the caller
// spelt it.
type endpoint struct {
	Protocol string
	URL      string `json:"Url,omitempty"`
}

// discoveryError is AutoDiscover v2's JSON error.
type discoveryError struct {
	status int

	ErrorCode    string
	ErrorMessage string
}

var userNotFound = discoveryError{http.StatusNotFound, "UserNotFound", "The given user is not found"}

// question is what was asked of AutoDiscover v2, in either form of the
// request.
type question struct {
	email, protocol string
	redirects       int
}

// serveAutodiscover answers AutoDiscover v2's questions, without credentials,
// for every address of the estate's domain: Exchange takes the next user in
// sort order for an address that it does not know.
func (l *Lab) serveAutodiscover(b *behaviour, w http.ResponseWriter, r *http.Request) {
	q, ok := readQuestion(r.URL)
	if !ok {
		iisError(http.StatusNotFound, "File or directory not found.")(w, r)
		return
	}
	if e := q.refuse(); e != nil {
		writeDiscoveryError(*e)(w, r)
		return
	}
	answer := endpoint{q.protocol, l.facts.ActiveSyncURL}
	if strings.EqualFold(q.protocol, "Ews") {
		answer.URL = strings.Replace(answer.URL, activeSyncPath, "/EWS/Exchange.asmx", 1)
	}
	if b.protocol != nil {
		answer.Protocol = *b.protocol
	}
	if b.url != nil {
		answer.URL = *b.url
	}
	backEndHeader(w, r)
	writeJSON(w, http.StatusOK, answer)
}

// readQuestion reads …/autodiscover.json?Email=… and the older
// …/autodiscover.json/v1.0/{email}; IIS and ASP.NET ignore case in both.
func readQuestion(u *url.URL) (q question, ok bool) {
	rest, ok := cutPrefixFold(u.Path, autodiscoverPath)
	if !ok {
		return q, false
	}
	for key, values := range u.Query() {
		switch strings.ToLower(key) {
		case "email":
			q.email = values[0]
		case "protocol":
			q.protocol = values[0]
		case "redirectcount":
			q.redirects, _ = strconv.Atoi(values[0]) // what is no number counts as none
		}
	}
	if email, v1 := cutPrefixFold(rest, "/v1.0/"); v1 {
		q.email, rest = email, ""
	}
	return q, rest == ""
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// refuse returns the error that Exchange answers, or nil.
func (q question) refuse() *discoveryError {
	parsed, err := mail.ParseAddress(q.email)
	switch {
	case q.email == "" || q.protocol == "":
		name := "Email"
		if q.email != "" {
			name = "Protocol"
		}
		return &discoveryError{http.StatusBadRequest, "MandatoryParameterMissing", fmt.Sprintf("A valid value must be provided for the query parameter '%s'", name)}
	case err != nil || parsed.Address != q.email:
		return &discoveryError{http.StatusBadRequest, "InvalidUserId", fmt.Sprintf("The given SMTP address is invalid '%s'", q.email)}
	case q.redirects >= 10:
		return &userNotFound
	case strings.EqualFold(q.protocol, "Rest"):
		return &discoveryError{http.StatusNotFound, "MailboxNotEnabledForRESTAPI", "The mailbox is not enabled for the REST API"}
	case !strings.EqualFold(q.protocol, "ActiveSync") && !strings.EqualFold(q.protocol, "Ews"):
		return &discoveryError{http.StatusBadRequest, "InvalidProtocol",
			fmt.Sprintf("The given protocol value '%s' is invalid. Supported values are 'ActiveSync, Ews'", q.protocol)}
	case !strings.EqualFold(q.email[strings.LastIndexByte(q.email, '@')+1:], domain):
		return &discoveryError{http.StatusNotFound, "DomainNotFound", "The given domain is not found"}
	default:
		return nil
	}
}

func writeDiscoveryError(e discoveryError) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		backEndHeader(w, r)
		w.Header()["jsonerror"] = []string{"true"}
		writeJSON(w, e.status, e)
	}
}

// redirect answers 302 as AutoDiscover does, to where the function says.
func redirect(to func(*http.Request) string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		backEndHeader(w, r)
		w.Header().Set("Location", to(r))
		w.WriteHeader(http.StatusFound)
	}
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own types
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may have gone
}
