package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/transport"
)

const (
	maxEndpoints = 2 << 20 // bytes; the worldwide list has about 60 kB
	maxRanges    = 5000
	changesSince = 90 * 24 * time.Hour // a change is published 30 days before its time
	exchangeSet  = 1                   // the endpoint set of Exchange Online's clients
)

// published is Microsoft's list, as far as hybrid Modern Authentication needs it.
type published struct {
	Version string         // YYYYMMDDNN; empty: not known
	Ranges  []netip.Prefix // of endpoint set 1
	Added   []added        // to it, lately; nil where nobody was asked for changes
	Source  string         // whose list it is, for people
	Served  bool           // by the web service, which knows changes
}

// added is a range that Microsoft adds on a day.
type added struct {
	Prefix netip.Prefix
	From   time.Time
}

// day returns the day of the version; zero where it is not known.
func (p published) day() time.Time {
	if len(p.Version) < 8 {
		return time.Time{}
	}
	day, _ := time.Parse("20060102", p.Version[:8]) // else zero: not known
	return day
}

// What the web service answers (Microsoft, «Microsoft 365 IP address and URL web
// service»).
type (
	versionAnswer struct {
		Latest string `json:"latest"`
	}
	endpointSet struct {
		ID   int      `json:"id"`
		Area string   `json:"serviceArea"`
		IPs  []string `json:"ips"`
	}
	endpointChange struct {
		Set int `json:"endpointSetId"`
		Add struct {
			From string   `json:"effectiveDate"`
			IPs  []string `json:"ips"`
		} `json:"add"`
	}
)

var endpointVersion = regexp.MustCompile(`^[0-9]{10}$`)

func (a versionAnswer) version() (string, error) {
	if !endpointVersion.MatchString(a.Latest) {
		return "", errors.New("latest is no version of ten digits")
	}
	return a.Latest, nil
}

// rangesOf returns the ranges of endpoint set 1.
func rangesOf(sets []endpointSet) ([]netip.Prefix, error) {
	for _, s := range sets {
		if s.ID == exchangeSet && strings.EqualFold(s.Area, "Exchange") && len(s.IPs) > 0 {
			return prefixes(s.IPs)
		}
	}
	return nil, errors.New("no endpoint set 1 of Exchange with addresses")
}

// addedBy returns the ranges that changes add to endpoint set 1.
func addedBy(changes []endpointChange) ([]added, error) {
	out := []added{}
	for _, c := range changes {
		if c.Set != exchangeSet || len(c.Add.IPs) == 0 {
			continue
		}
		from, err := time.Parse("20060102", c.Add.From)
		if err != nil {
			return nil, errors.New("a change without effectiveDate, YYYYMMDD")
		}
		all, err := prefixes(c.Add.IPs)
		if err != nil {
			return nil, err
		}
		for _, p := range all {
			out = append(out, added{p, from})
		}
		if len(out) > maxRanges {
			return nil, errTooManyRanges
		}
	}
	return out, nil
}

var errTooManyRanges = fmt.Errorf("over %d ranges", maxRanges)

func prefixes(texts []string) ([]netip.Prefix, error) {
	if len(texts) > maxRanges {
		return nil, errTooManyRanges
	}
	var out []netip.Prefix
	for _, text := range texts {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("%q is no range of addresses", check.Line(check.Redact(text), 60))
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

// endpointService is Microsoft's web service, and what it answered last.
type endpointService struct {
	base   *url.URL
	client *http.Client
	env    check.Env
	every  time.Duration
}

// endpointsKept is what the memory keeps of the web service.
type endpointsKept struct {
	Client    string // a random number that names this target to it
	Asked     time.Time
	Published published
}

const endpointsKey = "allow_list_endpoints"

// ask returns the web service's list, asked for no more often than every and got only
// where the version is new. With an error comes the list that was got last, or
// the copy that ships.
func (s *endpointService) ask(ctx context.Context) (published, error) {
	var kept endpointsKept
	s.env.Memory.Get(endpointsKey, &kept)
	now := s.env.Now()
	if ago := now.Sub(kept.Asked); len(kept.Published.Ranges) > 0 && ago >= 0 && ago < s.every {
		return kept.Published, nil
	}
	if kept.Client == "" {
		kept.Client = uuid.NewString()
	}
	fresh, err := s.fetch(ctx, kept)
	if err != nil {
		if len(kept.Published.Ranges) == 0 {
			return shippedEndpoints(), err
		}
		return kept.Published, err
	}
	kept.Asked, kept.Published = now, fresh
	s.env.Memory.Put(endpointsKey, kept)
	return fresh, nil
}

// fetch asks for the version, and where it is another for the list and its
// changes.
func (s *endpointService) fetch(ctx context.Context, kept endpointsKept) (published, error) {
	var version versionAnswer
	if err := s.get(ctx, "version/Worldwide", kept.Client, &version); err != nil {
		return published{}, err
	}
	latest, err := version.version()
	if err == nil && latest == kept.Published.Version {
		return kept.Published, nil
	}
	var sets []endpointSet
	var changes []endpointChange
	since := s.env.Now().Add(-changesSince).UTC().Format("20060102") + "00"
	if err == nil {
		err = s.get(ctx, "endpoints/Worldwide", kept.Client, &sets)
	}
	if err == nil {
		err = s.get(ctx, "changes/Worldwide/"+since, kept.Client, &changes)
	}
	if err != nil {
		return published{}, s.classed(err)
	}
	p := published{Version: latest, Source: s.base.Hostname(), Served: true}
	if p.Ranges, err = rangesOf(sets); err == nil {
		p.Added, err = addedBy(changes)
	}
	return p, s.classed(err)
}

func (s *endpointService) get(ctx context.Context, path, client string, into any) error {
	u := s.base.JoinPath(path)
	u.RawQuery = url.Values{"ClientRequestId": {client}}.Encode()
	return s.classed(transport.GetJSON(ctx, s.client, transport.Request{URL: u.String(), Max: maxEndpoints}, into))
}

// classed returns an error with its class and the service's name; nil for none.
func (s *endpointService) classed(err error) error {
	var known *check.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	class := check.Metadata
	var status *transport.StatusError
	switch {
	case errors.As(err, &status) && status.Status == http.StatusTooManyRequests:
		class = check.Throttled
	case errors.As(err, &status) && status.Status/100 == 5:
		class = check.Service
	}
	return check.Errorf(class, "Microsoft's list of addresses at %s: %w", s.base.Hostname(), err)
}

// readEndpointFiles reads what the web service answered elsewhere.
func readEndpointFiles(env check.Env, endpoints, version string) (published, error) {
	p := published{Source: config.ShownFile(endpoints)}
	fail := func(setting string, err error) (published, error) {
		return shippedEndpoints(), check.Errorf(check.ClassOf(err), "allow_list.%s: %w", setting, err)
	}
	var sets []endpointSet
	err := readJSON(env, endpoints, &sets)
	if err == nil {
		p.Ranges, err = rangesOf(sets)
	}
	if err != nil {
		return fail("endpoints_file", err)
	}
	if version == "" {
		return p, nil
	}
	var v versionAnswer
	if err = readJSON(env, version, &v); err == nil {
		p.Version, err = v.version()
	}
	if err != nil {
		return fail("version_file", err)
	}
	return p, nil
}

func readJSON(env check.Env, name string, into any) error {
	data, err := env.ReadFile(name, maxEndpoints)
	if err != nil {
		return fmt.Errorf("%s cannot be read: %w", config.ShownFile(name), err)
	}
	if json.Unmarshal(bytes.TrimPrefix(data, []byte("\ufeff")), into) != nil {
		return fmt.Errorf("%s: %w, as the web service answers it", config.ShownFile(name), transport.ErrNotJSON)
	}
	return nil
}

// shippedEndpoints returns endpoint set 1 as Microsoft's page «Microsoft 365 URLs
// and IP address ranges» of 2026-08-14 has it.
func shippedEndpoints() published {
	all, err := prefixes(strings.Fields(`13.107.6.152/31 13.107.18.10/31 13.107.128.0/22 23.103.160.0/20 40.96.0.0/13 40.104.0.0/15
		52.96.0.0/14 131.253.33.215/32 132.245.0.0/16 150.171.32.0/22 204.79.197.215/32 2603:1006::/40 2603:1016::/36 2603:1026::/36
		2603:1036::/36 2603:1046::/36 2603:1056::/36 2620:1ec:4::152/128 2620:1ec:4::153/128 2620:1ec:c::10/128 2620:1ec:c::11/128
		2620:1ec:d::10/128 2620:1ec:d::11/128 2620:1ec:8f0::/46 2620:1ec:900::/46 2620:1ec:a92::152/128 2620:1ec:a92::153/128`))
	if err != nil {
		panic(err) // a test would see it
	}
	return published{Version: "2026081400", Ranges: all, Source: "the copy that ships with hmad"}
}

// autoDetectRanges returns the addresses of AutoDetect, by Microsoft's page
// «Additional endpoints not included in the web service», row 10. Its service has
// moved since, so that these may no longer be all: no page of Microsoft says so.
func autoDetectRanges() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("52.125.128.0/20"), netip.MustParsePrefix("52.127.96.0/23")}
}
