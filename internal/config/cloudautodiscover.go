package config

import (
	"fmt"
	"regexp"
	"strings"
)

// maxCloudMailboxes bounds the mailboxes whose place Microsoft is asked for.
const maxCloudMailboxes = 20

// absentForm is the part of an address before the @ that nobody has to quote.
var absentForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// CloudAutodiscover is the settings of the check cloud_autodiscover, which is off
// until checks: {cloud_autodiscover: {enabled: true}} enables it.
type CloudAutodiscover struct {
	URL          URL      `yaml:"url,omitempty"`           // Exchange Online's AutoDiscover, without path
	TenantDomain Host     `yaml:"tenant_domain,omitempty"` // a domain of the tenant's, contoso.onmicrosoft.com
	Mailboxes    []string `yaml:"mailboxes,omitempty"`     // one of each primary SMTP domain; none: the probe mailbox
	AbsentName   string   `yaml:"absent_name,omitempty"`   // of an address that no domain of these has
}

// CloudAutodiscoverNeeds is the setting without which there is no check
// cloud_autodiscover.
const CloudAutodiscoverNeeds = "cloud_autodiscover.tenant_domain"

func (c *CloudAutodiscover) setDefaults() {
	setUnless(&c.URL, "https://outlook.office365.com", readURL)
	setDefault(&c.AbsentName, "hmad-absent")
}

func (c CloudAutodiscover) validate(v validator) {
	v.read("cloud_autodiscover.url", c.URL, wantURL)
	v.read("cloud_autodiscover.tenant_domain", c.TenantDomain, "a domain of the tenant's, such as contoso.onmicrosoft.com")
	v.want(absentForm.MatchString(c.AbsentName), "cloud_autodiscover.absent_name", c.AbsentName, "letters, digits, '.', '-' and '_'")
	if len(c.Mailboxes) > maxCloudMailboxes {
		v.fail("cloud_autodiscover.mailboxes", "got %d, want at most %d: one of each domain", len(c.Mailboxes), maxCloudMailboxes)
		return
	}
	first := map[string]bool{}
	for i, m := range c.Mailboxes {
		path := fmt.Sprintf("cloud_autodiscover.mailboxes[%d]", i)
		v.wantMailbox(path, m)
		domain := strings.ToLower(DomainOf(m))
		if first[domain] && domain != "" {
			v.fail(path, "want one mailbox of each domain, and one before has this domain")
		}
		first[domain] = true
	}
}

// DomainOf returns the part of an address behind its last @; empty where there is
// none.
func DomainOf(address string) string {
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return ""
	}
	return address[at+1:]
}
