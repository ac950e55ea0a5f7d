package config

import "time"

// AutoDetect is the settings of the check autodetect. It asks nobody until Ask is
// set.
type AutoDetect struct {
	Ask bool `yaml:"ask,omitempty"` // send the probe mailbox's address to Microsoft's AutoDetect
	URL URL  `yaml:"url,omitempty"` // of AutoDetect
	// FallbackURL is asked where DNS has no such name as the URL's: Microsoft has
	// moved AutoDetect before.
	FallbackURL URL `yaml:"fallback_url,omitempty"`
	// Every is the shortest time between two questions; default 1h.
	Every time.Duration `yaml:"every,omitempty"`
}

// AutoDetectNeeds are the settings any of which makes a check autodetect.
const AutoDetectNeeds = "autodetect.ask: true, " + ReportNeeds

func (a *AutoDetect) setDefaults() {
	setUnless(&a.URL, "https://prod.autodetect.outlook.cloud.microsoft/autodetect/detect", readURL)
	setUnless(&a.FallbackURL, "https://prod-autodetect.outlookmobile.com/autodetect/detect", readURL)
	setDuration(&a.Every, time.Hour)
}

func (a AutoDetect) validate(v validator) {
	v.read("autodetect.url", a.URL, wantURL)
	v.read("autodetect.fallback_url", a.FallbackURL, wantURL)
	if a.Every < 0 {
		v.fail("autodetect.every", "got %s, want a duration of at least 0", a.Every)
	}
}
