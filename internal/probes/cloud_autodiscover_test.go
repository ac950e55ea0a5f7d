package probes

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/transport"
)

const cloudProbe = "hmad-probe@contoso.com"

func askedCloud(t testing.TB) *url.URL {
	t.Helper()
	u, err := url.Parse("https://outlook.office365.com/autodiscover/autodiscover.json/v1.0/hmad-probe@contoso.com?Protocol=ActiveSync")
	require.NoError(t, err)
	return u
}

// cloudSays is an answer of Exchange Online's AutoDiscover.
func cloudSays(status int, location, body string) transport.Answer {
	h := http.Header{}
	if location != "" {
		h.Set("Location", location)
		h.Set("Content-Type", "text/html; charset=utf-8") // of «Object moved»
	}
	return transport.Answer{Status: status, Header: h, Body: []byte(body)}
}

func TestAnswersOfExchangeOnlinesAutoDiscover(t *testing.T) {
	const self = "https://outlook.office365.com/autodiscover/autodiscover.json?Email=hmad-probe%40contoso.com&Protocol=Autodiscoverv1&RedirectCount=1"
	for name, c := range map[string]struct {
		answer transport.Answer
		kind   answerKind
		shows  string
		class  *check.Class
	}{
		"a mailbox in the cloud":                   {cloudSays(200, "", `{"Protocol":"ActiveSync","Url":"https://outlook.office365.com/Microsoft-Server-ActiveSync"}`), hasMailbox, "status 200 to outlook.office365.com", nil},
		"a mailbox in the cloud, as of 2020":       {cloudSays(200, "", `{"Protocol":"Autodiscoverv1","Url":"https://outlook.office365.com/autodiscover/autodiscover.xml"}`), hasMailbox, "", nil},
		"a mailbox on premises":                    {cloudSays(302, "https://autodiscover.contoso.com/autodiscover/autodiscover.json?Email=hmad-probe%40contoso.com&Protocol=ActiveSync&RedirectCount=1", "<html>Object moved</html>"), sendsOn, "status 302 to autodiscover.contoso.com/autodiscover/autodiscover.json", nil},
		"an unknown address":                       {cloudSays(302, self, ""), sendsBack, "status 302 to outlook.office365.com", nil},
		"an unknown address, path form":            {cloudSays(302, "/autodiscover/autodiscover.json/v1.0/HMAD-probe@contoso.com?Protocol=ActiveSync", ""), sendsBack, "/autodiscover/autodiscover.json/v1.0/…", nil},
		"a forwarding elsewhere in the cloud":      {cloudSays(302, "https://outlook.office365.com/autodiscover/autodiscover.json?Email=joe%40fabrikam.com", ""), unplaced, "", nil},
		"a limit of redirects":                     {cloudSays(404, "", `{"ErrorCode":"UserNotFound","ErrorMessage":"The given user is not found"}`), unplaced, "status 404, UserNotFound", nil},
		"a bad protocol":                           {cloudSays(400, "", `{"ErrorCode":"ProtocolNotSupported","ErrorMessage":"x"}`), unplaced, "ProtocolNotSupported", nil},
		"an address in the error code":             {cloudSays(400, "", `{"ErrorCode":"hmad-probe@contoso.com"}`), unplaced, "(address)", nil},
		"a redirect to nowhere":                    {cloudSays(302, "", ""), unplaced, "status 302", nil},
		"a redirect that cannot be read":           {cloudSays(302, "https://%zz/", ""), unplaced, "status 302", nil},
		"a URL on premises in place of a redirect": {cloudSays(200, "", `{"Protocol":"ActiveSync","Url":"https://mail.contoso.com/Microsoft-Server-ActiveSync"}`), unplaced, "mail.contoso.com", nil},
		"busy":             {cloudSays(429, "", ""), 0, "", check.Throttled},
		"out of order":     {cloudSays(503, "", ""), 0, "", check.Service},
		"a captive portal": {cloudSays(200, "", "<html>sign in"), 0, "", check.VantageOffline},
		"neither":          {cloudSays(200, "", "ok"), 0, "", check.Service},
		"deep JSON":        {cloudSays(200, "", strings.Repeat("[", 60_000)), 0, "", check.Service},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := readCloudAnswer(c.answer, askedCloud(t), cloudProbe)
			if c.class != nil {
				require.Error(t, err)
				assert.Equal(t, c.class, check.ClassOf(err))
				return
			}
			require.NoError(t, err)
			assert.Equal(t, c.kind, got.kind)
			assert.Contains(t, got.String(), c.shows)
			assert.NotContains(t, got.String(), "contoso.com?")
			assert.NotContains(t, strings.ToLower(got.String()), "hmad-probe")
		})
	}
}

func TestPlacementVerdicts(t *testing.T) {
	onPremises := cloudAnswer{kind: sendsOn, status: 302, host: "autodiscover.contoso.com"}
	foreign := cloudAnswer{kind: sendsOn, status: 302, host: "autodiscover.contoso.local"}
	plain := cloudAnswer{kind: sendsOn, status: 302, host: "autodiscover.contoso.com", insecure: true}
	self := cloudAnswer{kind: sendsBack, status: 302, host: "outlook.office365.com"}
	cloud := cloudAnswer{kind: hasMailbox, status: 200, host: "outlook.office365.com"}
	odd := cloudAnswer{kind: unplaced, status: 400, code: "ProtocolNotSupported"}
	silent := check.Errorf(check.VantageOffline, "no answer")
	for name, c := range map[string]struct {
		p    placement
		want string // host_wrong has_mailbox unknown insecure unusual
	}{
		"on premises, and the absent one is unknown: proof":     {placement{mailbox: onPremises, absent: self}, "clear clear clear clear clear"},
		"both on premises, the domain is the tenant's":          {placement{mailbox: onPremises, absent: onPremises, owner: oneself}, "clear clear open clear clear"},
		"both on premises, nobody has the domain":               {placement{mailbox: onPremises, absent: onPremises, owner: nobody}, "clear clear found clear clear"},
		"both on premises, another tenant has the domain":       {placement{mailbox: onPremises, absent: onPremises, owner: another}, "clear clear found clear clear"},
		"both on premises, whose the domain is cannot be asked": {placement{mailbox: onPremises, absent: onPremises, ownerErr: silent}, "clear clear undecided clear clear"},
		"both unknown": {placement{mailbox: self, absent: self}, "none clear found none clear"},
		"unknown, and the absent one on premises": {placement{mailbox: self, absent: onPremises}, "none clear open none clear"},
		"in the cloud":                 {placement{mailbox: cloud}, "none found clear none clear"},
		"another host":                 {placement{mailbox: foreign, absent: self}, "found clear clear clear clear"},
		"without TLS":                  {placement{mailbox: plain, absent: self}, "clear clear clear found clear"},
		"an answer that nobody knows":  {placement{mailbox: odd, absent: self}, "open open open open found"},
		"no answer":                    {placement{err: silent}, "undecided undecided undecided undecided undecided"},
		"no answer for the absent one": {placement{mailbox: onPremises, absentErr: silent}, "clear clear undecided clear clear"},
	} {
		t.Run(name, func(t *testing.T) {
			v := CloudAutodiscover.Judge()
			judgePlacement(v, "contoso.com", []string{"Autodiscover.contoso.com"}, c.p)
			assert.Equal(t, c.want, stateWords(v, CloudAutodiscover))
		})
	}
}

// stateWords words what a verdict says of each reason of a Def, in order.
func stateWords(v *check.Verdict, def *check.Def) string {
	r, err := v.Report()
	var words []string
	for _, reason := range def.Reasons {
		word := "clear"
		for _, u := range r.Unjudged {
			switch {
			case u.Reason != reason:
			case u.Ends:
				word = "none"
			case err != nil && strings.Contains(err.Error(), u.Why):
				word = "undecided"
			default:
				word = "open"
			}
		}
		if slices.ContainsFunc(r.Findings, func(f check.Finding) bool { return f.Reason == reason }) {
			word = "found"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// outlook stands for Exchange Online's AutoDiscover and the sign-in host; it keeps
// the addresses that it is asked for.
type outlook struct {
	answers map[string]func(http.ResponseWriter, *http.Request) // by the part before the @
	asked   []string
}

func (o *outlook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.asked = append(o.asked, r.URL.Path)
	name, _, _ := strings.Cut(r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:], "@")
	if answer, ok := o.answers[name]; ok {
		answer(w, r)
		return
	}
	http.NotFound(w, r)
}

func TestWhichAddressesExchangeOnlineIsAskedFor(t *testing.T) {
	redirect := func(to string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) }
	}
	self := func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.String(), http.StatusFound) }
	o := &outlook{answers: map[string]func(http.ResponseWriter, *http.Request){
		migrationMailbox: func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"Url":"https://outlook.office365.com/x"}`)
		},
		"probe": redirect("https://autodiscover.contoso.com/autodiscover/autodiscover.json?Email=probe%40contoso.com"),
		"joe":   self, "nobody": self,
	}}
	ca := checktest.NewCA(t)
	port := checktest.Serve(t, ca, "outlook.contoso.com", o)
	target := config.Target{Name: "contoso", Mailbox: "probe@contoso.com", CAFile: ca.File, Tenant: "5de110f8-2e0f-4d45-891d-bcf2218e253d",
		Autodiscover: config.Autodiscover{Host: checktest.Setting[config.Host]("autodiscover.contoso.com")},
		CloudAutodiscover: config.CloudAutodiscover{URL: checktest.Setting[config.URL]("https://outlook.contoso.com:" + port), AbsentName: "nobody",
			TenantDomain: checktest.Setting[config.Host]("contoso.onmicrosoft.com"), Mailboxes: []string{"probe@contoso.com", "joe@fabrikam.com"}}}
	parts, err := CloudAutodiscover.New(target, checktest.Env(time.Now))
	require.NoError(t, err)
	r, err := CloudAutodiscover.Look(t.Context(), parts.Run)
	require.NoError(t, err)
	const at = "/autodiscover/autodiscover.json/v1.0/"
	assert.Equal(t, []string{at + migrationMailbox + "@contoso.onmicrosoft.com", at + "probe@contoso.com", at + "nobody@contoso.com", at + "joe@fabrikam.com",
		at + "nobody@fabrikam.com"}, o.asked, "no redirect is followed")
	require.Len(t, r.Findings, 1)
	assert.Equal(t, "mailbox_unknown_in_cloud", r.Findings[0].Reason.Name)
	assert.Equal(t, []string{"fabrikam.com"}, r.Findings[0].About)
	for _, text := range append(r.Texts(), r.Findings[0].Detail) {
		assert.NotContains(t, text, "joe")
	}

	delete(o.answers, migrationMailbox)
	r, err = CloudAutodiscover.Look(t.Context(), parts.Run)
	require.Error(t, err)
	assert.Empty(t, r.Findings, "without the control nothing means anything")
}

func TestAnEnabledCheckWantsATenantDomain(t *testing.T) {
	on := true
	target := config.Target{Mailbox: cloudProbe, Checks: map[string]config.CheckSettings{"cloud_autodiscover": {Enabled: &on}}}
	_, err := CloudAutodiscover.New(target, checktest.Env(time.Now))
	var field *config.FieldError
	require.True(t, errors.As(err, &field))
	assert.Equal(t, "cloud_autodiscover.tenant_domain", field.Path)
}

func FuzzCloudAnswer(f *testing.F) {
	f.Add(302, "https://outlook.office365.com/a?Email=x", "")
	f.Add(200, "", `{"Protocol":"ActiveSync","Url":"https://outlook.office365.com/x"}`)
	f.Add(302, "//[::1]:80/@", "<html>")
	f.Add(302, "https://a/hmad-probe@contoso.com", "")
	f.Fuzz(func(t *testing.T, status int, location, body string) {
		a, err := readCloudAnswer(cloudSays(status, location, body), askedCloud(t), cloudProbe)
		if err != nil {
			checktest.OneLine(t, err)
			return
		}
		if s := a.String(); strings.Contains(s, cloudProbe) || strings.ContainsAny(s, "?\n") || len(s) > 500 {
			t.Fatalf("%q shows the address or a query", s)
		}
	})
}
