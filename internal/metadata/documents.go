package metadata

import (
	"context"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/report"
	"github.com/hmad/hmad/internal/transport"
)

// DocumentNeeds are the settings without which no published document is of use:
// one of them shows the stored certificates to compare it with.
const DocumentNeeds = "onprem.report.listen, onprem.report.file or onprem.ldap.url"

// Documents gets the documents that Exchange fetches, once and without judging
// anything: none where the check is not configured. Errors name the document.
func Documents(ctx context.Context, t config.Target, env check.Env) ([]Published, error) {
	if !configured(t) {
		return nil, nil
	}
	way, err := transport.New(t, env)
	if err != nil {
		return nil, err
	}
	e := buildEvoSTS(t, env, overHTTP(way.Client()))
	o := observation{tenant: t.Tenant, override: t.Metadata.URL.Of(t.Tenant), ledger: new(ledger)}
	held, _, _ := e.sources.read(ctx, o.tenant) // what cannot be read leaves the tenant's own document
	o.servers = report.OfTenant(held.Servers, o.tenant)
	var all []Published
	for _, at := range o.places() {
		p, err := e.library.published(ctx, at)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}
