package online

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
)

const (
	maxParams   = 20
	maxIdentity = 1024     // bytes of an identity or anchor
	maxQuestion = 64 << 10 // bytes of a request's body
	maxNextLink = 16 << 10
)

// systemMailbox is the organisation's own mailbox, to which questions about no
// mailbox in particular are anchored.
const systemMailbox = "SystemMailbox{bb558c35-97f1-4cb9-8ff7-d53741dc928c}"

var (
	cmdletForm   = regexp.MustCompile(`^(Get|Test)-[A-Z][A-Za-z0-9]{1,80}$`)
	propertyForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]{0,80}$`)

	// identities are the parameters that name the one that is asked for. Null
	// or nothing there makes Exchange answer with everybody.
	identities = []string{"identity", "mailbox", "user"}
	// forbidden are parameters of reading cmdlets that send mail or give
	// secrets away.
	forbidden = []string{"getmailboxlog", "showrecoverypassword"}
	// single are cmdlets that only make sense of one mailbox.
	single = []string{"Get-MailboxLocation", "Get-MailboxStatistics", "Get-MobileDeviceStatistics"}
)

// question is one cmdlet call, ready to be sent.
type question struct {
	cmdlet string
	anchor string // X-AnchorMailbox
	routed bool   // the anchor is the mailbox that is asked for
	body   []byte
	keep   map[string]bool // properties in lower case; nil: all
}

// newQuestion refuses whatever is not known to read only, before anything is
// sent. With an error, too, the question has its cmdlet's name.
func newQuestion(tenant, cmdlet string, params map[string]any, o Options) (question, error) {
	q := question{cmdlet: cmdlet}
	if !cmdletForm.MatchString(cmdlet) {
		q.cmdlet = check.Line(cmdlet, 80)
		return q, errors.New("only cmdlets of the verbs Get and Test are sent")
	}
	if err := q.take(params); err != nil {
		return q, err
	}
	for _, name := range o.Select {
		if !propertyForm.MatchString(name) {
			return q, errors.New("a selected property is not a name of letters and digits")
		}
		if q.keep == nil {
			q.keep = map[string]bool{}
		}
		q.keep[strings.ToLower(name)] = true
	}
	var err error
	q.anchor, err = anchor(tenant, o.Anchor)
	q.routed = err == nil && !strings.HasPrefix(q.anchor, "APP:")
	return q, err
}

// take checks the parameters and writes the body.
func (q *question) take(params map[string]any) error {
	if len(params) > maxParams {
		return fmt.Errorf("got %d parameters, want at most %d", len(params), maxParams)
	}
	named := false
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if err := checkParam(name, params[name]); err != nil {
			return err
		}
		named = named || abbreviates(name, identities)
	}
	if !named && slices.Contains(single, q.cmdlet) {
		return errors.New("no mailbox is named: without one the request would return all of them")
	}
	if params == nil {
		params = map[string]any{} // the API refuses null
	}
	type input struct {
		CmdletName string
		Parameters map[string]any
	}
	body, err := json.Marshal(struct{ CmdletInput input }{input{q.cmdlet, params}})
	if err != nil || len(body) > maxQuestion {
		return errors.New("the parameters cannot be encoded as a request")
	}
	q.body = body
	return nil
}

// checkParam judges one parameter. PowerShell ignores case in names and lets
// them be abbreviated.
func checkParam(name string, v any) error {
	s, isText := v.(string)
	switch {
	case !propertyForm.MatchString(name):
		return errors.New("a parameter's name does not consist of letters and digits")
	case v == nil:
		return fmt.Errorf("parameter %s is null", name)
	case abbreviates(name, forbidden):
		return fmt.Errorf("parameter %s is never sent", name)
	case abbreviates(name, identities) && (!isText || !validIdentity(s)):
		return fmt.Errorf("parameter %s is empty or not an identity: Exchange would answer for all mailboxes", name)
	}
	return nil
}

func abbreviates(name string, full []string) bool {
	return slices.ContainsFunc(full, func(f string) bool { return strings.HasPrefix(f, strings.ToLower(name)) })
}

// validIdentity reports whether s can name one object: no wildcard, no white
// space around it, nothing unprintable.
func validIdentity(s string) bool {
	return s != "" && !strings.EqualFold(s, "$null") && len(s) <= maxIdentity && s == check.Line(s, maxIdentity) && !strings.Contains(s, "*")
}

// anchor words X-AnchorMailbox: the mailbox by GUID or address, or the
// organisation.
func anchor(tenant, mailbox string) (string, error) {
	if mailbox == "" {
		return "APP:" + systemMailbox + "@" + tenant, nil
	}
	for _, c := range []byte(mailbox) {
		if c <= ' ' || c > '~' {
			return anchor(tenant, "") // a header cannot carry it: routing is a help, not a need
		}
	}
	switch {
	case len(mailbox) > maxIdentity:
		return "", errors.New("the anchor is too long")
	case strings.Contains(mailbox, ":"):
		return mailbox, nil
	case config.IsGUID(mailbox):
		return "MBX:" + mailbox + "@" + tenant, nil
	case strings.Contains(mailbox, "@"):
		return "SMTP:" + mailbox, nil
	default:
		return "", errors.New("the anchor is neither a GUID nor an address")
	}
}

// first is where the first page is asked for.
func (o *Client) first(properties []string) string {
	u := *o.home
	if len(properties) > 0 {
		u.RawQuery = "$select=" + strings.Join(properties, ",")
	}
	return u.String()
}

// follow checks the URL of the next page. The token is sent to the configured
// host only.
func (o *Client) follow(next string) (string, error) {
	if len(next) > maxNextLink {
		return "", errors.New("the next page's URL is too long")
	}
	u, err := o.home.Parse(next)
	switch {
	case err != nil:
		return "", errors.New("the next page's URL cannot be read")
	case u.Scheme != "https" || u.User != nil || !strings.EqualFold(hostPort(u), hostPort(o.home)):
		return "", errors.New("the next page is at another host, which is not asked")
	case !strings.HasPrefix(u.Path, "/adminapi/"):
		return "", errors.New("the next page does not belong to this API")
	}
	u.Fragment = ""
	return u.String(), nil
}

func hostPort(u *url.URL) string {
	if u.Port() == "" {
		return u.Hostname() + ":443"
	}
	return u.Host
}
