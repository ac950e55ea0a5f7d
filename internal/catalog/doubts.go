package catalog

import (
	"fmt"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/config"
)

// exampleDomain is that of the example, which Microsoft keeps for examples.
const exampleDomain = "contoso.com"

// untouched doubts a target that is still the example's, at its first setting
// that is.
func (b *builder) untouched(path string, t config.Target) {
	url := ""
	if u := t.ActiveSync.URL.Value(); u != nil {
		url = u.Hostname()
	}
	for _, s := range []struct{ setting, value string }{{"mailbox", t.Mailbox}, {"autodiscover.host", t.Autodiscover.Host.String()}, {"activesync.url", url}} {
		domain := s.value[strings.LastIndex(s.value, "@")+1:]
		if domain == exampleDomain || strings.HasSuffix(domain, "."+exampleDomain) {
			b.doubt(path+s.setting, "still the example's %s: put in your own", exampleDomain)
			return
		}
	}
}

// waivers doubts those of a check that are over, or that are not the only one of a
// reason.
func (b *builder) waivers(path string, all []config.Waiver, now time.Time) {
	first := map[string]int{}
	for i, w := range all {
		at := fmt.Sprintf("%s.accept[%d]", path, i)
		if _, double := first[w.Reason]; double {
			b.doubt(at+".reason", "accept[%d] is for the same reason, and whichever ends last counts", first[w.Reason])
		} else {
			first[w.Reason] = i
		}
		if !w.Until.IsZero() && !w.Covers(w.Reason, now) {
			b.doubt(at+".until", "the waiver has ended, and the finding counts again: take the waiver out, or say until when it is accepted")
		}
	}
}
