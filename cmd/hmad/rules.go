package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/config"
)

// rules prints the alert rules, as they ship, with the links of a site, or with
// their durations scaled for a trial; or the inhibitions of Alertmanager that
// belong to them.
func (c *cli) rules(context.Context) int {
	if !(c.scale > 0 && c.scale <= 1) {
		return c.fail(exitUndecided, errors.New("--scale: want a number above 0 and at most 1"))
	}
	if c.rulesFormat == "alertmanager" {
		fmt.Fprint(c.stdout, catalog.Inhibitions)
		return exitOK
	}
	site := catalog.Site{}
	var err, of error
	site.Runbook, err = linkBase("--runbook-url", c.runbookURL)
	site.Dashboards, of = linkBase("--dashboard-url", c.dashboardURL)
	if err := errors.Join(err, of); err != nil {
		return c.fail(exitUndecided, err)
	}
	site.Job = c.rulesJob
	if c.rulesFormat == "operator" {
		fmt.Fprint(c.stdout, site.OperatorRules(c.scale))
		return exitOK
	}
	fmt.Fprint(c.stdout, site.Rules(c.scale))
	return exitOK
}

// maxLink is the length of the longest URL that a label holds whole.
const maxLink = 200

// linkBase returns a URL that links begin with, without a slash at its end; ""
// stays so. The error never shows credentials.
func linkBase(flag, text string) (string, error) {
	if text == "" {
		return "", nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || strings.ContainsAny(text, "?#") || len(text) > maxLink {
		return "", fmt.Errorf("%s: got %s, want an http or https URL of at most %d bytes, without user, query and fragment, such as https://hmad.contoso.com",
			flag, config.Shown(text), maxLink)
	}
	return strings.TrimRight(u.String(), "/"), nil
}
