package config

// App is an app registration of the tenant with exactly one credential. On a jump
// host that is usually a certificate. The authority defaults to the worldwide
// cloud's.
type App struct {
	ClientID              string `yaml:"client_id,omitempty"`
	CertificateFile       string `yaml:"certificate_file,omitempty"`        // PEM with key, RSA
	SecretFile            string `yaml:"secret_file,omitempty"`             // last resort
	ManagedIdentity       bool   `yaml:"managed_identity,omitempty"`        // Azure VM or Arc
	WorkloadIdentityFile  string `yaml:"workload_identity_file,omitempty"`  // federated token
	AuthorityHost         URL    `yaml:"authority_host,omitempty"`          // default https://login.microsoftonline.com/
	DisableAuthorityCheck bool   `yaml:"disable_authority_check,omitempty"` // for an authority that Microsoft does not list
}

// Configured reports whether hmad has a credential.
func (a App) Configured() bool { return a.credentials() > 0 }

// credentials returns how many credentials are given.
func (a App) credentials() (n int) {
	for _, given := range []bool{a.CertificateFile != "", a.SecretFile != "", a.ManagedIdentity, a.WorkloadIdentityFile != ""} {
		if given {
			n++
		}
	}
	return n
}

func (a *App) setDefaults() {
	setUnless(&a.AuthorityHost, "https://login.microsoftonline.com/", readURL)
}

// validate validates the settings of the section at path.
func (a App) validate(v validator, path string) {
	kinds := a.credentials()
	if kinds > 1 {
		v.fail(path, "got %d credentials, want one of certificate_file, managed_identity, workload_identity_file, secret_file", kinds)
	}
	if kinds == 1 && !a.ManagedIdentity {
		v.want(IsGUID(a.ClientID), path+".client_id", a.ClientID, "the app registration's id, a GUID")
	}
	v.read(path+".authority_host", a.AuthorityHost, wantURL)
}
