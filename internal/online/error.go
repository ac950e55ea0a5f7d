package online

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/powershell"
)

// Kind is what a failed cmdlet call means for the caller; nil: nothing is known.
type Kind = *kind

type kind struct {
	name  string
	class *check.Class // of such an error where no other cause is known
}

// The kinds.
var (
	NotFound   Kind = &kind{"not_found", check.Other}     // there is no such object: a verdict on what was asked for
	Access     Kind = &kind{"access", check.Permission}   // the app lacks a role; no attempt will do
	Throttled  Kind = &kind{"throttled", check.Throttled} // too many calls: the whole tenant waits for RetryAfter
	Transient  Kind = &kind{"transient", check.Service}   // another attempt may do; where RetryAfter is set, the tenant waits for it
	BadRequest Kind = &kind{"bad_request", check.Other}   // hmad asked wrongly, or the settings name a wrong tenant or host
	Token      Kind = &kind{"token", check.Token}         // no token, or one that is refused
	Invalid    Kind = &kind{"invalid", check.Other}       // what came is not the API's answer
)

// String returns the kind's name; empty where nothing is known.
func (k *kind) String() string {
	if k == nil {
		return ""
	}
	return k.name
}

// CmdletError is a cmdlet call that failed. Its text is one line of hmad's own
// words: Exchange's texts may name people, and are not kept.
type CmdletError struct {
	Cmdlet     string
	Kind       Kind
	Status     int           // of HTTP; 0: no answer
	Type       string        // the .NET exception's short name, where one is known
	Text       string        // what happened
	RetryAfter time.Duration // of Throttled: until then every call of the tenant fails
	RequestID  string        // Exchange's, for Microsoft's support

	cause error
}

func (e *CmdletError) Error() string {
	if e.Status == 0 {
		return e.Cmdlet + ": " + e.Text
	}
	what := []string{e.Kind.String()}
	if e.Type != "" {
		what = append(what, e.Type)
	}
	if e.RequestID != "" {
		what = append(what, "request "+e.RequestID)
	}
	return fmt.Sprintf("%s: Exchange Online answers %d: %s (%s)", e.Cmdlet, e.Status, e.Text, strings.Join(what, ", "))
}

// Unwrap returns the network's error of a call that failed below HTTP.
func (e *CmdletError) Unwrap() error { return e.cause }

func failed(class *check.Class, e *CmdletError) error { return &check.Error{Class: class, Err: e} }

// wireFault is the object error of an answer.
type wireFault struct {
	Message string `json:"message"`
	Details []struct {
		Message string `json:"message"`
	} `json:"details"`
	Inner struct {
		Type     string `json:"type"`
		Internal struct {
			Message string `json:"message"`
			Type    string `json:"type"`
		} `json:"internalexception"`
	} `json:"innererror"`
}

// texts returns the texts of the fault.
func (f wireFault) texts() []string {
	all := []string{f.Inner.Internal.Message}
	for _, d := range f.Details[:min(len(f.Details), 10)] {
		_, text := splitDetail(d.Message)
		all = append(all, text)
	}
	return append(all, f.Message)
}

// types returns the full names of the .NET exceptions, nearest to the cause
// first.
func (f wireFault) types() []string {
	all := []string{f.Inner.Internal.Type}
	for _, d := range f.Details[:min(len(f.Details), 10)] {
		name, _ := splitDetail(d.Message)
		all = append(all, name)
	}
	return append(all, f.Inner.Type)
}

// splitDetail reads "code|Type|text".
func splitDetail(s string) (typeName, text string) {
	parts := strings.SplitN(s, "|", 3)
	if len(parts) < 3 || strings.ContainsAny(parts[1], " \t") {
		return "", s
	}
	return parts[1], parts[2]
}

// refused reads an answer that is no success.
func (q question) refused(a answer) *CmdletError {
	var w struct {
		Error *wireFault `json:"error"`
	}
	body := bytes.TrimPrefix(a.body, []byte("\xef\xbb\xbf"))
	switch {
	case !powershell.TooDeep(body) && json.Unmarshal(body, &w) == nil && w.Error != nil:
		return q.fault(*w.Error, a)
	case tooManyRequests(string(body[:min(len(body), 4096)])): // plain text, whatever the status
		return q.fault(wireFault{Message: string(body[:min(len(body), 4096)])}, a)
	default: // a gateway's page, or the NUL bytes that Exchange sends for a missing role
		return q.fault(wireFault{}, a)
	}
}

// fault classifies an error and words it.
func (q question) fault(f wireFault, a answer) *CmdletError {
	types := append(f.types(), a.header.Get("X-ExceptionType"))
	what, typeName := kindOf(a.status, types, f.texts())
	e := &CmdletError{Cmdlet: q.cmdlet, Kind: what, Status: a.status, Type: typeName, RequestID: check.Line(a.header.Get("Request-Id"), 64)}
	if !config.IsGUID(e.RequestID) {
		e.RequestID = ""
	}
	e.Text = strings.Join(slices.DeleteFunc([]string{knownText(f.texts()), q.hint(a, what)}, func(s string) bool { return s == "" }), "; ")
	if e.Text == "" {
		e.Text = statusText(a.status)
	}
	return e
}

// hint returns what an answer means for the operator; empty where nothing is known.
func (q question) hint(a answer, kind Kind) string {
	switch {
	case kind == Access:
		return fmt.Sprintf("the app has no role with this cmdlet: %s should hold it, and Get-ManagementRole -Cmdlet %s names those that do",
			roleFor(q.cmdlet), q.cmdlet)
	case kind == Token && insufficientClaims(a.header):
		return "a policy of the tenant refuses the token (continuous access evaluation, insufficient_claims): look at conditional access for workload " +
			"identities, and at the sign-in log of service principals"
	case kind == Token:
		return "the token is refused: the app needs the application permission Exchange.ManageAsApp with admin consent"
	case kind == NotFound:
		return "there is no such object"
	case a.status == http.StatusServiceUnavailable && kind == Transient:
		return "Exchange Online is not available at the moment"
	case a.status/100 == 3:
		return "a redirect, which is not followed"
	case a.status == http.StatusNotFound && kind == BadRequest:
		return "is the tenant right, and exchange_online.host?"
	default:
		return ""
	}
}

func statusText(status int) string {
	switch text := http.StatusText(status); {
	case status == http.StatusOK:
		return "an error in place of an answer"
	case text == "":
		return "a status that is not known"
	default:
		return strings.ToLower(text)
	}
}

var recipientNoun = regexp.MustCompile(`-.*(Mailbox|MobileDevice|Recipient|User|Contact|Group)`)

// roleFor returns the least role that should hold a cmdlet.
func roleFor(cmdlet string) string {
	if recipientNoun.MatchString(cmdlet) {
		return "View-Only Recipients"
	}
	return "View-Only Configuration"
}

// transientTypes are the .NET exceptions that another attempt may cure.
var transientTypes = []string{"DCOverloadedException", "SuitabilityDirectoryException", "ServerInMMException", "ADServerSettingsChangedException",
	"TransientException", "CmdletProxyNotAvailableFailure", "CmdletProxyNotAvailableException", "ServerBusyException", "BackendCommunicationException"}

// kindOf classifies an error. The status says little: nearly everything is
// 400 or 403. The .NET type says most.
func kindOf(status int, types, texts []string) (Kind, string) {
	known := ""
	for _, full := range types {
		name := shortType(full)
		if known == "" && name != "ODataServiceException" { // which wraps all others
			known = name
		}
		if k := kindOfType(name); k != nil && status != http.StatusTooManyRequests && status != http.StatusUnauthorized {
			return k, name
		}
	}
	if slices.ContainsFunc(texts, tooManyRequests) {
		return Throttled, known
	}
	return kindOfStatus(status), known
}

// typeForm is a .NET exception's name, its namespaces before it.
var typeForm = regexp.MustCompile(`^(?:[A-Za-z0-9_]+[.+])*([A-Z][A-Za-z0-9]{0,100}(?:Exception|Failure|NotFound))$`)

// shortType returns the last part of an exception's name, or nothing.
func shortType(full string) string {
	full, _, _ = strings.Cut(full, ",") // the assembly
	m := typeForm.FindStringSubmatch(strings.TrimSpace(full))
	if m == nil {
		return ""
	}
	return m[1]
}

func kindOfType(name string) Kind {
	ends := func(suffix string) bool { return strings.HasSuffix(name, suffix) }
	has := func(part string) bool { return strings.Contains(name, part) }
	switch {
	case name == "":
		return nil
	case slices.ContainsFunc(transientTypes, ends):
		return Transient
	case has("OverBudget"), has("Throttl"), has("TooManyRequests"):
		return Throttled
	case has("CommandNotFound"), has("AccessDenied"), has("Unauthorized"), has("Authorization"):
		return Access
	case ends("ObjectNotFoundException"), ends("MapiExceptionNotFound"), ends("UserNotFoundException"), ends("MailboxNotFoundException"):
		return NotFound
	case has("Parameter"), has("Argument"), has("Ambiguous"):
		return BadRequest
	default:
		return nil
	}
}

// tooManyRequests knows the tenant's limit on calls at once by its text.
func tooManyRequests(text string) bool { return knownText([]string{text}) == concurrencyText }

func kindOfStatus(status int) Kind {
	switch status {
	case http.StatusUnauthorized:
		return Token
	case http.StatusForbidden:
		return Access
	case http.StatusTooManyRequests:
		return Throttled
	case http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return Transient
	}
	if status/100 == 4 || status == http.StatusOK {
		return BadRequest
	}
	return Invalid
}
