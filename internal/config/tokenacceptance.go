package config

// TokenAcceptance is the settings of the check token_acceptance: an app
// registration of its own, without any permission, and where its token goes.
type TokenAcceptance struct {
	App `yaml:",inline"`

	// URL is that of Exchange Web Services; none: /EWS/Exchange.asmx on
	// activesync's host.
	URL URL `yaml:"url,omitempty"`
}

// TokenAcceptanceNeeds are the settings that the check token_acceptance needs.
const TokenAcceptanceNeeds = "token_acceptance (client_id, and certificate_file or another credential)"

func (a TokenAcceptance) validate(v validator, others ...App) {
	a.App.validate(v, "token_acceptance")
	v.read("token_acceptance.url", a.URL, wantURL)
	for _, other := range others {
		if a.Configured() && other.Configured() && a.ClientID != "" && a.ClientID == other.ClientID {
			v.fail("token_acceptance.client_id", "got the app of another section, want an app of its own that has no permission at all")
		}
	}
}
