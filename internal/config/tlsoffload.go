package config

import "time"

// TLSOffload is the settings of the check tls_offload, which is off until
// checks: {tls_offload: {enabled: true}} enables it.
type TLSOffload struct {
	// URL is the ActiveSync URL to ask, if phones use another name than hmad
	// does; none: that of activesync, with its members.
	URL URL `yaml:"url,omitempty"`
	// Every is the shortest time between two requests to one address; default 1h.
	Every time.Duration `yaml:"every,omitempty"`
}

func (o TLSOffload) validate(v validator) {
	v.read("tls_offload.url", o.URL, wantURL)
	if o.Every < 0 {
		v.fail("tls_offload.every", "got %s, want a duration of at least 0", o.Every)
	}
}
