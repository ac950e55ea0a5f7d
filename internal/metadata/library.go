package metadata

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
)

// fullEvery is how often a document is fetched without naming the copy that
// is there: a device on the way that answers «not modified» for ever would
// hide every new certificate.
const fullEvery = 4 * time.Hour

// Published is a document with the place and the time at which it was had.
type Published struct {
	Document
	URL string
	At  time.Time
}

// Place returns the document's address, fit to be shown.
func (p Published) Place() string { return shownURL(p.URL) }

// library fetches documents and keeps the last good copy of each in memory, so
// that a server need only send what changed. It is used by one run at a time.
type library struct {
	fetch fetch
	now   func() time.Time
	kept  map[string]*kept
}

// kept is the copy of one document.
type kept struct {
	document       Document
	etag, modified string
	full           time.Time // when it came
}

func newLibrary(f fetch, now func() time.Time) *library {
	return &library{fetch: f, now: now, kept: map[string]*kept{}}
}

// published returns the document at the URL, in the format that Exchange expects
// there (domain notes, section 6.2). Of an OpenID configuration it follows the
// address of the keys.
func (l *library) published(ctx context.Context, at string) (Published, error) {
	d, err := l.get(ctx, at, parserOf(at))
	if err == nil && d.KeysURL != "" {
		var keys Document
		keys, err = l.get(ctx, d.KeysURL, ParseKeys)
		d.Certificates = keys.Certificates
	}
	return Published{d, at, l.now()}, err
}

// parserOf returns the parser of the format by the URL, as Exchange does.
func parserOf(at string) func([]byte) (Document, error) {
	at = strings.ToLower(at)
	switch {
	case strings.Contains(at, "openid-configuration"):
		return ParseOpenID
	case strings.Contains(at, "metadata/json"):
		return ParseACS
	default:
		return ParseFederation
	}
}

// get fetches one document and parses it, unless the copy at hand still holds.
func (l *library) get(ctx context.Context, at string, parse func([]byte) (Document, error)) (Document, error) {
	if !isHTTPS(at) {
		return Document{}, check.Errorf(check.Metadata, "%s: want an https URL without credentials", check.Clean(shownURL(at), maxDetail))
	}
	r, k := request{URL: at}, l.kept[at]
	if k != nil {
		if age := l.now().Sub(k.full); age >= 0 && age < fullEvery {
			r.ETag, r.Modified = k.etag, k.modified
		}
	}
	a, err := l.fetch(ctx, r)
	if err != nil {
		return Document{}, err
	}
	if a.Unchanged && k != nil {
		return k.document, nil
	}
	d, err := parse(a.Body)
	if err != nil {
		return Document{}, classed(check.Metadata, shownURL(at), err)
	}
	l.kept[at] = &kept{d, a.ETag, a.Modified, l.now()}
	return d, nil
}

func isHTTPS(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil
}
