package check

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Class is one kind of error of a closed vocabulary: why hmad could not tell.
// An error is always about hmad's own side, never a verdict on the estate.
type Class struct {
	Name  string // as in hmad_check_errors_total, JSON and `hmad explain`
	Means string // a clause for people: what hmad lacked
	Look  string // where to look, one or two sentences
}

// The classes.
var (
	VantageOffline = &Class{"vantage_offline", "hmad's own way out is closed, so the state of the servers behind it is not known",
		"A firewall, a proxy, the resolver or the network of hmad's host. `hmad check vantage` shows how far it gets."}
	Resolver = &Class{"resolver", "the DNS resolver did not answer",
		"The resolver of hmad's host, or the `resolver` of its config, cannot be asked, or answers neither about the endpoint nor about Microsoft's " +
			"sign-in host. Query it from this host."}
	Token = &Class{"token", "Entra issued no token, or the token was refused",
		"An AADSTS code in the error names the cause; the app registration needs Exchange.ManageAsApp with admin consent. `hmad doctor` tries the " +
			"credential."}
	Permission = &Class{"permission", "the credential works, but a permission is missing",
		"The service principal needs a role group with View-Only Recipients. `hmad doctor` tries each cmdlet; docs/exchange-online.md has the steps."}
	Throttled = &Class{"throttled", "Microsoft asked hmad to wait",
		"Exchange Online is busy, or the budget of calls was not enough: see `exchange_online.rate` and docs/sizing.md. It goes away by itself."}
	Service = &Class{"service", "a Microsoft service is not available",
		"No fault on your side is known. See the service health page of Microsoft 365."}
	Metadata = &Class{"metadata", "Microsoft's metadata could not be read",
		"`hmad doctor` fetches each document and shows which one fails: look at the firewall and the proxy."}
	LDAP = &Class{"ldap", "the directory could not be read",
		"See `onprem.ldap`: address, certificate and the rights of the account. `hmad doctor` tries them."}
	ReportInput = &Class{"report", "an on-premises report is missing, too old or unreadable",
		"See the check onprem_report, and docs/onprem-report.md: does the task run, and what does its log file show?"}
	Local = &Class{"local", "a resource of hmad's host is exhausted (file descriptors, memory, ports), or its firewall refused the connection",
		"On hmad's host: `journalctl -u hmad`, `LimitNOFILE` of the unit, free memory, the local firewall."}
	State = &Class{"state", "hmad does not know enough yet, or its own state could not be used",
		"The error says which. After a first start it goes away by itself. If it lasts, check hmad_state_healthy and the disk."}
	Timeout = &Class{"timeout", "the run reached its deadline",
		"A slow network, or a server that is busy. The status page shows which step took the time."}
	Panic = &Class{"panic", "a defect in hmad stopped the run",
		"The log has the stack: `journalctl -u hmad`. Please report it."}
	Internal = &Class{"internal", "a defect in hmad: something was not judged",
		"Please report the text of the error."}
	Other = &Class{"other", "the cause has no separate class",
		"See the text of the error: `hmad check`, or the status page."}
)

// Classes lists every Class.
var Classes = []*Class{VantageOffline, Resolver, Token, Permission, Throttled, Service, Metadata, LDAP, ReportInput, Local, State, Timeout,
	Panic, Internal, Other}

// String returns the class's name.
func (c *Class) String() string { return c.Name }

// ClassNamed returns the class of that name, Other where there is none.
func ClassNamed(name string) *Class {
	if i := slices.IndexFunc(Classes, func(c *Class) bool { return c.Name == name }); i >= 0 {
		return Classes[i]
	}
	return Other
}

// ErrSkipped is the error of a run whose input another check failed to give.
var ErrSkipped = errors.New("skipped")

// Skip returns an error that says why a run was skipped.
func Skip(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrSkipped, fmt.Sprintf(format, args...))
}

// Error is an error with its class.
type Error struct {
	Class *Class
	Err   error
}

// Error returns the text of the error below.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the error below.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an error of a class; the verbs are those of fmt.Errorf.
func Errorf(class *Class, format string, args ...any) error {
	return &Error{class, fmt.Errorf(format, args...)}
}

// ClassOf returns the class of an error from a run: its own, timeout for a
// deadline that passed, else other.
func ClassOf(err error) *Class {
	var e *Error
	switch {
	case errors.As(err, &e) && e.Class != nil:
		return e.Class
	case errors.Is(err, context.DeadlineExceeded):
		return Timeout
	default:
		return Other
	}
}

// Joined returns nil where every error is nil, a single one as it is, and
// otherwise one error of one line, with every text once and the class of the
// first.
func Joined(errs ...error) error {
	errs = slices.DeleteFunc(slices.Clone(errs), func(err error) bool { return err == nil })
	switch len(errs) {
	case 0:
		return nil
	case 1:
		return errs[0]
	}
	var texts []string
	for _, err := range errs {
		if !slices.Contains(texts, err.Error()) {
			texts = append(texts, err.Error())
		}
	}
	return &Error{ClassOf(errs[0]), &shown{Clean(strings.Join(texts, "; "), maxError), errs}}
}

// shown is several errors under one text.
type shown struct {
	text string
	errs []error
}

func (s *shown) Error() string   { return s.text }
func (s *shown) Unwrap() []error { return s.errs }
