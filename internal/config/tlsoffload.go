package config

import "time"

// TLSOffload are the settings of the tls_offload check, which is off until
// checks: {tls_offload: {enabled: true}} switches it on.
type TLSOffload struct {
	// URL is the ActiveSync URL to ask; empty: activesync's own, with its
	// members. Where the phones' way leads over another name than hmad's, it
	// names theirs.
	URL string `yaml:"url,omitempty"`
	// Every is the least time between two questions to one address; default 1h.
	Every time.Duration `yaml:"every,omitempty"`
}

func (o TLSOffload) validate(v validator) {
	if o.URL != "" {
		v.wantHTTPS("tls_offload.url", o.URL)
	}
	if o.Every < 0 {
		v.fail("tls_offload.every", "got %s, want a duration of at least 0", o.Every)
	}
}
