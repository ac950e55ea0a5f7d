package metadata

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/directory"
	"github.com/hmad/hmad/internal/report"
)

// holding is what Exchange holds: every auth server as one source shows it.
type holding struct {
	Servers []report.AuthServer
	At      time.Time // when the source looked
	From    string    // in words: "the report of MBX01", "the directory"
}

// sources are where the stored copy can be read; nil where not configured.
type sources struct {
	reports   func() ([]report.Arrived, error)
	directory func(context.Context) ([]report.AuthServer, error)
	now       func() time.Time
}

func newSources(t config.Target, env check.Env) sources {
	s := sources{now: env.Now}
	if t.OnPrem.Report.Configured() {
		s.reports = report.Of(env, t.OnPrem.Report.Hosts)
	}
	if !t.OnPrem.LDAP.URL.IsZero() {
		s.directory = func(ctx context.Context) ([]report.AuthServer, error) {
			return directory.AuthServers(ctx, env, t.OnPrem.LDAP)
		}
	}
	return s
}

// read returns the stored copy, from the report where it is fresh, else from the
// directory. Notes say what else was seen: a source that failed, and where the
// two disagree about the tenant's auth servers.
func (s sources) read(ctx context.Context, tenant string) (holding, []string, error) {
	byReport, reportErr := s.readReports()
	byDirectory, directoryErr := s.readDirectory(ctx)
	switch {
	case s.directory == nil:
		return byReport, nil, reportErr
	case s.reports == nil:
		return byDirectory, nil, directoryErr
	case reportErr == nil && directoryErr == nil:
		return byReport, disagreements(tenant, byReport, byDirectory), nil
	case reportErr == nil:
		return byReport, []string{"the directory cannot be read, the report is used alone: " + directoryErr.Error()}, nil
	case directoryErr == nil:
		return byDirectory, []string{"the report cannot be read, the directory is used instead: " + reportErr.Error()}, nil
	default:
		return holding{}, nil, check.Joined(reportErr, directoryErr)
	}
}

func (s sources) readDirectory(ctx context.Context) (holding, error) {
	if s.directory == nil {
		return holding{}, nil
	}
	servers, err := s.directory(ctx)
	return holding{servers, s.now(), "the directory"}, classed(check.LDAP, "directory", err)
}

// readReports returns the auth servers of the newest fresh report that has them.
func (s sources) readReports() (holding, error) {
	if s.reports == nil {
		return holding{}, nil
	}
	arrived, err := s.reports()
	if err != nil {
		return holding{}, classed(check.ReportInput, "on-premises report", err)
	}
	held, err := report.Newest(report.EvidenceOf(arrived, s.now()), func(r report.Report) (holding, error) {
		servers, err := r.AuthServers()
		return holding{servers, r.GeneratedAt, "the report of " + r.Host}, err
	})
	return held, classed(check.ReportInput, "on-premises report", err)
}

// certificatesOf describes the stored certificates of an auth server.
func certificatesOf(a report.AuthServer) []Certificate {
	var out []Certificate
	for _, der := range a.Certificates {
		out = append(out, newCertificate(der))
	}
	return distinct(out)
}

// disagreements returns where two sources differ about the tenant's auth servers.
func disagreements(tenant string, a, b holding) []string {
	var notes []string
	differ := func(format string, args ...any) {
		notes = append(notes, check.Clean(fmt.Sprintf("%s and %s disagree: ", a.From, b.From)+fmt.Sprintf(format, args...), maxDetail))
	}
	others := map[string]report.AuthServer{}
	for _, x := range report.OfTenant(b.Servers, tenant) {
		others[strings.ToLower(x.Name)] = x
	}
	for _, x := range report.OfTenant(a.Servers, tenant) {
		y, found := others[strings.ToLower(x.Name)]
		delete(others, strings.ToLower(x.Name))
		if !found {
			differ("only the first has the auth server %s", x.Name)
			continue
		}
		for _, c := range setOf(certificatesOf(x)).without(setOf(certificatesOf(y))) {
			differ("only the first has the certificate %s of %s", c.Thumbprint, x.Name)
		}
		for _, c := range setOf(certificatesOf(y)).without(setOf(certificatesOf(x))) {
			differ("only the second has the certificate %s of %s", c.Thumbprint, x.Name)
		}
		if x.Enabled != y.Enabled || x.Default != y.Default {
			differ("%s is %s there and %s here", x.Name, flags(x), flags(y))
		}
	}
	for _, y := range others {
		differ("only the second has the auth server %s", y.Name)
	}
	slices.Sort(notes)
	return notes
}

func flags(a report.AuthServer) string {
	words := []string{"disabled", "not the default"}
	if a.Enabled {
		words[0] = "enabled"
	}
	if a.Default {
		words[1] = "the default"
	}
	return strings.Join(words, " and ")
}
