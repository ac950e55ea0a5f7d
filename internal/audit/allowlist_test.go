package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
)

func TestRangesAreComparedByAddress(t *testing.T) {
	for name, c := range map[string]struct {
		list, want string
		is         coverage
	}{
		"the same":                       {"40.96.0.0/13", "40.96.0.0/13", covered},
		"two halves":                     {"40.96.0.0/14\n40.100.0.0/14", "40.96.0.0/13", covered},
		"two halves in other order":      {"40.100.0.0/14\n40.96.0.0/14", "40.96.0.0/13", covered},
		"a wider one":                    {"40.0.0.0/8", "40.96.0.0/13", covered},
		"everything":                     {"0.0.0.0/0", "255.255.255.255/32", covered},
		"a narrower one inside a wider":  {"40.0.0.0/8\n40.1.0.0/16", "40.96.0.0/13", covered},
		"first to last":                  {"40.96.0.0 - 40.103.255.255", "40.96.0.0/13", covered},
		"first to last, one short":       {"40.96.0.0-40.103.255.254", "40.96.0.0/13", partly},
		"with bits behind the prefix":    {"40.99.1.2/13", "40.96.0.0/13", covered},
		"one half":                       {"40.100.0.0/14", "40.96.0.0/13", partly},
		"a gap of one address":           {"10.0.0.0\n10.0.0.2\n10.0.0.3", "10.0.0.0/30", partly},
		"single addresses":               {"10.0.0.0\n10.0.0.1\n10.0.0.2\n10.0.0.3", "10.0.0.0/30", covered},
		"another":                        {"40.104.0.0/15", "40.96.0.0/13", uncovered},
		"the last address of IPv4":       {"255.255.255.254/31", "255.255.255.255/32", covered},
		"IPv6":                           {"2603:1006::/41\n2603:1006:80::/41", "2603:1006::/40", covered},
		"IPv6 has nothing to do with v4": {"::/0", "40.96.0.0/13", uncovered},
		"IPv4 has nothing to do with v6": {"0.0.0.0/0", "2603:1006::/40", uncovered},
		"the last IPv4 and the first v6": {"255.255.255.255\n::", "::/128", covered},
	} {
		t.Run(name, func(t *testing.T) {
			list, err := parseAllowList([]byte(c.list))
			require.NoError(t, err)
			assert.Empty(t, list.bad)
			assert.Equal(t, c.is, list.space.covers(netip.MustParsePrefix(c.want)))
		})
	}
}

func TestTheFirewallsListIsRead(t *testing.T) {
	list, err := parseAllowList([]byte("\ufeff# exported 2026-11-30\r\n\r\n40.96.0.0/13 # EXO\r\n; old\r\n10.0.0.1;x\n52.96.0.0 /14\n10.0.0.9-10.0.0.1\n10.0.0.1-::1\nfe80::1%eth0\nset"))
	require.NoError(t, err)
	assert.Equal(t, 2, list.lines)
	assert.Equal(t, []int{6, 7, 8, 9, 10}, list.bad)
	for name, text := range map[string]string{"nothing": "", "comments alone": "# a\n\n", "words alone": "permit any\n"} {
		_, err := parseAllowList([]byte(text))
		require.ErrorContains(t, err, "want one prefix", name)
	}
	_, err = parseAllowList([]byte(strings.Repeat("10.0.0.1\n", maxAllowed+1)))
	require.ErrorContains(t, err, "over 200000 lines")
}

// everyRange is a list that lacks nothing.
const everyRange = "0.0.0.0/0\n::/0"

// without returns a list that has all but a range.
func without(out string) string {
	var lines []string
	for _, p := range slices.Concat(shippedEndpoints().Ranges, autoDetectRanges()) {
		if p.String() != out {
			lines = append(lines, p.String())
		}
	}
	return strings.Join(lines, "\n")
}

func TestAllowListVerdicts(t *testing.T) {
	today := time.Date(2026, 8, 20, 6, 11, 0, 0, time.UTC)
	served := func(adds ...added) published {
		p := shippedEndpoints()
		p.Source, p.Served, p.Added = "endpoints.office.com", true, adds
		return p
	}
	coming := func(days int) added { return added{netip.MustParsePrefix("20.0.0.0/16"), today.AddDate(0, 0, days)} }
	gone := errors.New("no answer")
	copied := shippedEndpoints()
	undated := published{Ranges: copied.Ranges, Source: "endpoints.json"}
	for name, c := range map[string]struct {
		list string
		o    allowed
		want string // reason=state, in order
		text string
	}{
		"all is there":           {everyRange, allowed{published: served()}, "incomplete=clear change_due=clear source_old=clear", ""},
		"a range is missing":     {without("52.96.0.0/14"), allowed{published: served()}, "incomplete=found change_due=clear source_old=clear", "lacks 52.96.0.0/14 (Exchange Online); by Microsoft's list of 2026-08-14 (endpoints.office.com)"},
		"half a range":           {without("52.96.0.0/14") + "\n52.96.0.0/15", allowed{published: served()}, "incomplete=found change_due=clear source_old=clear", "52.96.0.0/14 (Exchange Online, in part)"},
		"AutoDetect's range":     {without("52.127.96.0/23"), allowed{published: served()}, "incomplete=found change_due=clear source_old=clear", "52.127.96.0/23 (AutoDetect)"},
		"a range of one's own":   {without(""), allowed{published: served(), extra: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}, "incomplete=found change_due=clear source_old=clear", "192.0.2.0/24 (allow_list.extra)"},
		"IPv6, and no IPv6 name": {without("2603:1006::/40"), allowed{published: served()}, "incomplete=clear change_due=clear source_old=clear", ""},
		"IPv6, and an IPv6 name": {without("2603:1006::/40"), allowed{published: served(), ipv6: true}, "incomplete=found change_due=clear source_old=clear", "2603:1006::/40"},
		"IPv6, and DNS is silent": {without("2603:1006::/40"), allowed{published: served(), unresolved: gone}, "incomplete=undecided change_due=undecided source_old=clear",
			"no answer"},
		"a new range in ten days": {without(""), allowed{published: served(coming(10))}, "incomplete=clear change_due=found source_old=clear", "20.0.0.0/16 (Exchange Online from 2026-08-30)"},
		"a new range in 40 days":  {without(""), allowed{published: served(coming(40))}, "incomplete=clear change_due=clear source_old=clear", "needed later, and missing: 20.0.0.0/16"},
		"a new range of yesterday that Microsoft has withdrawn": {without(""), allowed{published: served(coming(-1))},
			"incomplete=clear change_due=clear source_old=clear", ""},
		"a new range that is let through already": {without("") + "\n20.0.0.0/8", allowed{published: served(coming(10))}, "incomplete=clear change_due=clear source_old=clear", ""},
		"a cache answers in place of the service": {everyRange, allowed{now: today.AddDate(0, 5, 0), published: served()}, "incomplete=clear change_due=clear source_old=found", "of 2026-08-14, over 120 days old"},
		"a copy": {everyRange, allowed{published: copied}, "incomplete=clear change_due=none source_old=clear", ""},
		"an old copy": {everyRange, allowed{now: today.AddDate(0, 3, 0), published: copied}, "incomplete=clear change_due=none source_old=found",
			"over 60 days old (the copy that ships with hmad)"},
		"a copy of unknown age": {everyRange, allowed{published: undated}, "incomplete=clear change_due=none source_old=open", "set allow_list.version_file"},
		"the service is gone, and an older list shows nothing": {everyRange, allowed{published: copied, unread: gone},
			"incomplete=undecided change_due=undecided source_old=undecided", "no answer"},
		"the service is gone, and an older list shows a gap": {without("52.96.0.0/14"), allowed{published: copied, unread: gone},
			"incomplete=found change_due=undecided source_old=undecided", "lacks 52.96.0.0/14"},
		"a line that cannot be read may be the missing one": {without("52.96.0.0/14") + "\nEXO-group", allowed{published: served()},
			"incomplete=undecided change_due=clear source_old=clear", "line 29 is no range"},
		"a line that cannot be read, and nothing is missing": {everyRange + "\nEXO-group", allowed{published: served()},
			"incomplete=clear change_due=clear source_old=clear", "the first is line 3"},
	} {
		t.Run(name, func(t *testing.T) {
			list, err := parseAllowList([]byte(c.list))
			require.NoError(t, err)
			if c.o.list = list; c.o.now.IsZero() {
				c.o.now = today
			}
			v := AllowList.Judge()
			judgeAllowList(v, c.o)
			got, texts := states(v)
			assert.Equal(t, c.want, got)
			assert.Contains(t, texts, c.text)
		})
	}
}

// states words what a verdict says of each reason, and lists all its texts.
func states(v *check.Verdict) (string, string) {
	r, err := v.Report()
	is := map[*check.Reason]string{}
	texts := r.Texts()
	for _, f := range r.Findings {
		is[f.Reason] = "found"
		texts = append(texts, f.Detail)
	}
	for _, u := range r.Unjudged {
		is[u.Reason] = map[bool]string{true: "none", false: "open"}[u.Ends]
		if err != nil && strings.Contains(err.Error(), u.Why) {
			is[u.Reason] = "undecided"
		}
		texts = append(texts, u.Why)
	}
	var words []string
	for _, reason := range AllowList.Reasons {
		state := is[reason]
		if state == "" {
			state = "clear"
		}
		words = append(words, reason.Name+"="+state)
	}
	return strings.Join(words, " "), strings.Join(texts, "\n")
}

func TestMicrosoftsListIsRead(t *testing.T) {
	for name, c := range map[string]struct{ sets, fault string }{
		"set 1 among others":   {`[{"id":2,"serviceArea":"Exchange","ips":["1.0.0.0/8"]},{"id":1,"serviceArea":"exchange","ips":["40.96.0.0/13","2603:1006::/40"]}]`, ""},
		"none":                 {`[]`, "no endpoint set 1"},
		"without addresses":    {`[{"id":1,"serviceArea":"Exchange"}]`, "no endpoint set 1"},
		"of another area":      {`[{"id":1,"serviceArea":"Skype","ips":["40.96.0.0/13"]}]`, "no endpoint set 1"},
		"a name in the ranges": {`[{"id":1,"serviceArea":"Exchange","ips":["outlook.office.com"]}]`, `"outlook.office.com" is no range`},
		"a mail address there": {`[{"id":1,"serviceArea":"Exchange","ips":["joe@contoso.com"]}]`, `"(address)" is no range`},
		"a million": {`[{"id":1,"serviceArea":"Exchange","ips":[` + strings.Repeat(`"10.0.0.0/8",`, maxRanges) + `"10.0.0.0/8"]}]`,
			"over 5000 ranges"},
	} {
		t.Run(name, func(t *testing.T) {
			var sets []endpointSet
			require.NoError(t, json.Unmarshal([]byte(c.sets), &sets))
			ranges, err := rangesOf(sets)
			if c.fault != "" {
				require.ErrorContains(t, err, c.fault)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, "[40.96.0.0/13 2603:1006::/40]", fmt.Sprint(ranges))
		})
	}
	var changes []endpointChange
	require.NoError(t, json.Unmarshal([]byte(`[{"endpointSetId":1,"disposition":"Change","impact":"AddedIp","add":{"effectiveDate":"20260930","ips":["20.0.0.0/16"]}},
		{"endpointSetId":9,"add":{"effectiveDate":"20260930","ips":["30.0.0.0/16"]}},{"endpointSetId":1,"disposition":"remove","remove":{"ips":["40.0.0.0/16"]}}]`), &changes))
	got, err := addedBy(changes)
	require.NoError(t, err)
	assert.Equal(t, []added{{netip.MustParsePrefix("20.0.0.0/16"), time.Date(2026, 9, 30, 0, 0, 0, 0, time.UTC)}}, got)
	_, err = addedBy([]endpointChange{{Set: 1, Add: struct {
		From string   `json:"effectiveDate"`
		IPs  []string `json:"ips"`
	}{"soon", []string{"1.0.0.0/8"}}}})
	require.ErrorContains(t, err, "effectiveDate")
}

func TestTheCopyThatShipsIsWhole(t *testing.T) {
	assert.Len(t, shippedEndpoints().Ranges, 27)
	assert.Equal(t, "2026-08-14", check.Day(shippedEndpoints().day()))
}

// office is the web service, and counts what it is asked.
type office struct {
	version, body string
	status        int
	asked         []string
	clients       map[string]bool
}

func (o *office) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.asked = append(o.asked, r.URL.Path)
	o.clients[r.URL.Query().Get("ClientRequestId")] = true
	if o.status != 0 {
		w.WriteHeader(o.status)
		return
	}
	switch {
	case strings.HasPrefix(r.URL.Path, "/version/"):
		fmt.Fprintf(w, `{"instance":"Worldwide","latest":%q}`, o.version)
	case strings.HasPrefix(r.URL.Path, "/endpoints/"):
		fmt.Fprint(w, o.body)
	default:
		fmt.Fprint(w, `[]`)
	}
}

// build returns a run of the check against a web service, at a moment that the
// test moves.
func (o *office) build(t *testing.T, list string, at *time.Time) func() (check.Report, error) {
	t.Helper()
	ca := checktest.NewCA(t)
	port := checktest.Serve(t, ca, "endpoints.contoso.com", o)
	env := checktest.Env(func() time.Time { return *at })
	env.Memory = new(checktest.Memory)
	target := config.Target{Name: "contoso", CAFile: ca.File, Autodiscover: config.Autodiscover{Host: checktest.Setting[config.Host]("autodiscover.contoso.com")},
		AllowList: config.AllowList{Every: time.Hour, File: checktest.Written(t, "list.txt", list), Endpoints: checktest.Setting[config.URL]("https://endpoints.contoso.com:" + port)}}
	parts, err := AllowList.New(target, env)
	require.NoError(t, err)
	return func() (check.Report, error) { return AllowList.Look(t.Context(), parts.Run) }
}

func TestTheWebServiceIsAskedRarely(t *testing.T) {
	at := time.Now()
	version := at.UTC().Format("20060102") + "00"
	o := &office{version: version, body: `[{"id":1,"serviceArea":"Exchange","ips":["40.96.0.0/13"]}]`, clients: map[string]bool{}}
	run := o.build(t, "40.96.0.0/13\n52.125.128.0/20\n52.127.96.0/23", &at)
	passes := func(asked ...string) {
		t.Helper()
		o.asked = nil
		r, err := run()
		require.NoError(t, err)
		assert.Empty(t, r.Findings)
		assert.Equal(t, asked, o.asked)
	}
	since := at.UTC().Add(-changesSince).Format("20060102") + "00"
	passes("/version/Worldwide", "/endpoints/Worldwide", "/changes/Worldwide/"+since)
	passes() // within the hour
	at = at.Add(2 * time.Hour)
	passes("/version/Worldwide") // which has not changed
	assert.Len(t, o.clients, 1, "one number for ever")
	for client := range o.clients {
		assert.True(t, config.IsGUID(client))
	}
	at, o.status = at.Add(2*time.Hour), 503
	_, err := run()
	assert.Equal(t, check.Service, check.ClassOf(err))
	o.status = 429
	_, err = run()
	assert.Equal(t, check.Throttled, check.ClassOf(err))
}

func TestHostileAnswersOfTheWebService(t *testing.T) {
	for name, body := range map[string]string{
		"deep JSON": strings.Repeat("[", 100_000), "over the limit": `[{"id":1,"serviceArea":"` + strings.Repeat("x", maxEndpoints) + `"}]`,
		"a page": "<html>", "nothing": "", "an object": "{}", "null": "null",
	} {
		t.Run(name, func(t *testing.T) {
			at := time.Now()
			run := (&office{version: "2026113000", body: body, clients: map[string]bool{}}).build(t, everyRange, &at)
			r, err := run()
			require.Error(t, err)
			checktest.OneLine(t, err)
			assert.NotContains(t, err.Error(), "ClientRequestId")
			for _, f := range r.Findings { // the copy that ships is dated
				assert.Equal(t, "source_old", f.Reason.Name)
			}
		})
	}
}

func TestFilesInPlaceOfTheWebService(t *testing.T) {
	good := checktest.Written(t, "endpoints.json", `[{"id":1,"serviceArea":"Exchange","ips":["40.96.0.0/13"]}]`)
	version := checktest.Written(t, "version.json", `{"instance":"Worldwide","latest":"2026081400"}`)
	bad := checktest.Written(t, "bad.json", `{"latest":"yesterday"}`)
	env := checktest.Env(time.Now)
	p, err := readEndpointFiles(env, good, version)
	require.NoError(t, err)
	assert.Equal(t, "2026-08-14", check.Day(p.day()))
	p, err = readEndpointFiles(env, good, "")
	require.NoError(t, err)
	assert.True(t, p.day().IsZero())
	for _, c := range [][3]string{{"/absent.json", "", "endpoints_file"}, {bad, "", "endpoints_file"}, {good, bad, "version_file"}, {good, "/absent.json", "version_file"}} {
		p, err = readEndpointFiles(env, c[0], c[1])
		require.ErrorContains(t, err, c[2])
		assert.Len(t, p.Ranges, 27, "the copy that ships")
	}
}

func TestAListThatCannotBeReadIsNoFinding(t *testing.T) {
	at := time.Now()
	o := &office{clients: map[string]bool{}}
	run := o.build(t, "permit any any", &at)
	r, err := run()
	require.ErrorContains(t, err, "want one prefix")
	assert.Empty(t, r.Findings)
	assert.Empty(t, o.asked)
}
