package metadata

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/report"
)

// maxDetail bounds in bytes a note and what an error quotes.
const maxDetail = 300

// defaultMetadata is the tenant's document, as the Hybrid Configuration Wizard
// enters it (domain notes, section 6.1).
const defaultMetadata = "https://login.windows.net/{tenant}/federationmetadata/2007-06/federationmetadata.xml"

// observation is what one run saw of both sides, and the ledger up to and with
// it.
type observation struct {
	now               time.Time
	tenant            string
	override          *url.URL // metadata.url of the config; nil: none
	window, pageAfter time.Duration

	held    holding
	heldErr error               // the stored copy could not be read
	servers []report.AuthServer // the tenant's

	published    map[string]Published // by URL
	publishedErr error                // some document could not be fetched
	known        set                  // published in any document, the OpenID keys included

	credential bool         // there is one
	usedNow    *Thumbprint  // the key of hmad's own token; nil where there was none that is new
	used       []Thumbprint // keys of its tokens in the last 24 hours
	keyErr     error

	ledger *ledger
	notes  []string
}

func (o *observation) note(format string, args ...any) {
	o.notes = append(o.notes, check.Clean(fmt.Sprintf(format, args...), maxDetail))
}

// asOf returns the moment that the stored copy describes: what is missing in a
// report of ten minutes ago had been missing for so long ten minutes ago.
func (o *observation) asOf() time.Time {
	if o.held.At.After(o.now) {
		return o.now
	}
	return o.held.At
}

// recognised reports whether a key is published or stored anywhere.
func (o *observation) recognised(k Thumbprint) bool {
	if _, known := o.known[k]; known {
		return true
	}
	return slices.ContainsFunc(o.servers, func(s report.AuthServer) bool {
		return slices.ContainsFunc(s.Certificates, func(der []byte) bool { return ThumbprintOf(der) == k })
	})
}

// enabled returns the tenant's auth servers that are in use.
func (o *observation) enabled() []report.AuthServer {
	return slices.DeleteFunc(slices.Clone(o.servers), func(s report.AuthServer) bool { return !s.Enabled })
}

// place returns where an auth server's document is: where the config says, else
// the server's own address, else the tenant's.
func (o *observation) place(s report.AuthServer) string {
	switch {
	case o.override != nil:
		return o.override.String()
	case s.MetadataURL != "":
		return s.MetadataURL
	}
	return strings.ReplaceAll(defaultMetadata, "{tenant}", o.tenant)
}

// places returns the documents to fetch: one for each auth server; where none is
// known the last ones, else the tenant's own.
func (o *observation) places() []string {
	servers := o.enabled()
	if len(servers) == 0 && o.override == nil && len(o.ledger.Places) > 0 {
		return o.ledger.Places
	}
	if len(servers) == 0 {
		servers = []report.AuthServer{{}}
	}
	var out []string
	for _, s := range servers {
		if at := o.place(s); !slices.Contains(out, at) {
			out = append(out, at)
		}
	}
	return out
}

// comparison is an auth server's stored copy and what is published for it.
type comparison struct {
	server         report.AuthServer
	document       Published
	stored         []Certificate
	missing, extra []Certificate
	ages           []age // how long each of missing has been
	since          since // when the oldest of missing began to be
}

// holds reports whether the stored copy has a key.
func (c comparison) holds(k Thumbprint) bool {
	return slices.ContainsFunc(c.stored, func(s Certificate) bool { return s.Thumbprint == k })
}

// comparisons returns one for every enabled auth server whose document is there.
func (o *observation) comparisons() []comparison {
	var out []comparison
	for _, s := range o.enabled() {
		p, there := o.published[o.place(s)]
		if !there {
			continue
		}
		stored := certificatesOf(s)
		c := comparison{server: s, document: p, stored: stored,
			missing: setOf(p.Certificates).without(setOf(stored)),
			extra:   setOf(stored).without(setOf(p.Certificates))}
		for _, m := range c.missing {
			from := o.ledger.missingSince(s.Name, m.Thumbprint)
			c.ages = append(c.ages, from.at(o.asOf()))
			if c.since.At.IsZero() || from.At.Before(c.since.At) {
				c.since = from
			}
		}
		out = append(out, c)
	}
	return out
}
