package config

import (
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

var (
	nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$`)
	hostForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$`)
)

// validator collects the errors of one part of the file, whose path is path.
type validator struct {
	file   *File
	path   string
	errors *Errors
}

func (v validator) fail(path, format string, args ...any) {
	*v.errors = append(*v.errors, v.file.At(join(v.path, path), format, args...))
}

// want adds an error for the setting at path unless it is ok.
func (v validator) want(ok bool, path, got, want string) {
	if !ok {
		v.fail(path, "got %s, want %s", Shown(got), want)
	}
}

// setting is a value that was judged when it was decoded.
type setting interface {
	refusal() refusal
	IsZero() bool
}

// read reports a setting that was refused, and returns whether it was read. It
// may be left out.
func (v validator) read(path string, s setting, want string) bool {
	r := s.refusal()
	if r.got != "" {
		v.fail(path, "%s", r.text(want))
	}
	return r.got == "" && !s.IsZero()
}

// must is read for a setting that may not be left out.
func (v validator) must(path string, s setting, want string) {
	v.read(path, s, want)
	v.want(!s.IsZero(), path, "", want)
}

func (f *File) validate() Errors {
	var es Errors
	v := validator{f, "", &es}
	if f.ConfirmAfter < 0 {
		v.fail("confirm_after", "got %s, want a duration of at least 0", f.ConfirmAfter)
	}
	if len(f.Targets) == 0 {
		v.fail("targets", "got none, want at least one target")
	}
	first, listens := map[string]int{}, map[AddrPort]int{}
	for i := range f.Targets {
		t := &f.Targets[i]
		tv := validator{f, fmt.Sprintf("targets[%d]", i), &es}
		if line, taken := first[t.Name]; taken && t.Name != "" {
			tv.fail("name", "got %s, want another name: the target in line %d has this one", Shown(t.Name), line)
		} else {
			first[t.Name] = f.lines.of(tv.path + ".name")
		}
		t.validate(tv)
		if l := t.OnPrem.Report.Listen; l.Value().IsValid() {
			if line, taken := listens[l]; taken {
				tv.fail("onprem.report.listen", "got %q, want another address: the target in line %d listens here", l, line)
			}
			listens[l] = f.lines.of(tv.path + ".name")
		}
	}
	f.validateTenants(&es)
	return es
}

func (t *Target) validate(v validator) {
	v.want(nameForm.MatchString(t.Name), "name", t.Name, "a name of letters, digits, '.', '-' and '_'")
	v.want(isAddress(t.Mailbox), "mailbox", t.Mailbox, "the address of a mailbox on premises, such as hmad-probe@contoso.com")
	v.want(IsGUID(t.Tenant), "tenant", t.Tenant, "the tenant's id, a GUID")
	v.want(t.Vantage == Internal || t.Vantage == External, "vantage", t.Vantage, "internal or external")
	v.want(t.Addresses == FirstAddress || t.Addresses == AllAddresses, "addresses", t.Addresses, "first or all")
	v.must("autodiscover.host", t.Autodiscover.Host, "a host name, such as autodiscover.contoso.com")
	for i, h := range t.Autodiscover.RedirectHosts {
		v.must(fmt.Sprintf("autodiscover.redirect_hosts[%d]", i), h, "a host name")
	}
	v.read("activesync.url", t.ActiveSync.URL, wantURL)
	v.read("entra.openid_configuration", t.Entra.OpenIDConfiguration, wantURL)
	t.validateWay(v)
	t.validateOnPrem(v)
	t.Sync.validate(v, t.ExchangeOnline)
	t.TLSOffload.validate(v)
	t.AllowList.validate(v)
	t.CloudAutodiscover.validate(v)
	t.AutoDetect.validate(v)
	t.validateChecks(v)
}

// validateWay validates the settings on how hosts are reached.
func (t *Target) validateWay(v validator) {
	for i, m := range t.ActiveSync.Members {
		const want = "an address with port, such as 10.0.0.11:443"
		path := fmt.Sprintf("activesync.members[%d]", i)
		v.must(path, m, want)
		v.want(m.text == "" || m.Value().Port() > 0, path, m.text, want)
	}
	v.read("resolver", t.Resolver, "a DNS server with port, such as 10.0.0.53:53")
	for _, c := range t.ConnectTo {
		v.must(c.path, c.From, `a key "host:port"`)
		v.must(c.path, c.To, `a value "address:port"`)
	}
	if strings.ContainsAny(t.UserAgent, "\r\n") || len(t.UserAgent) > 256 {
		v.fail("user_agent", "got %d bytes, want one line of at most 256", len(t.UserAgent))
	}
	v.read("proxy", t.Proxy, wantProxy)
	if t.Proxy.IsZero() {
		v.want(t.ProxyCredentialsFile == "", "proxy", "", wantProxy+" with proxy_credentials_file")
		return
	}
	if len(t.ConnectTo) > 0 || len(t.ActiveSync.Members) > 0 || t.Addresses == AllAddresses {
		v.fail("proxy", "a proxy chooses the address itself: with it, want no connect_to, no activesync.members, and addresses: first")
	}
}

func (t *Target) validateChecks(v validator) {
	for name, c := range t.Checks {
		path := ShownCheck(name)
		v.read(path+".schedule", c.Schedule, "")
		if _, given := v.file.lines[join(v.path, path+".timeout")]; given && c.Timeout <= 0 {
			v.fail(path+".timeout", "got %s, want a duration over 0", c.Timeout)
		}
		for i, w := range c.Accept {
			at := fmt.Sprintf("%s.accept[%d]", path, i)
			v.want(w.Reason != "", at+".reason", w.Reason, "the name of a reason, such as certificate_expiring")
			if w.Until.IsZero() {
				v.fail(at+".until", "got nothing, want the last day of the waiver, such as 2027-03-31")
			}
		}
	}
}

func isAddress(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Name == "" && a.Address == s
}

// isHost reports whether s is a host name or IP address, with or without port.
func isHost(s string) bool {
	if host, port, err := net.SplitHostPort(s); err == nil {
		return isPort(port) && isBareHost(host)
	}
	if inner, ok := strings.CutPrefix(s, "["); ok {
		ip, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		return err == nil && ip.Is6() && strings.HasSuffix(s, "]")
	}
	return isBareHost(s) && !strings.Contains(s, ":")
}

func isBareHost(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil || len(s) <= 253 && hostForm.MatchString(s)
}

func isPort(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n > 0 && n < 1<<16
}
