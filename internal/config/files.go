package config

// SecretFile is a file that holds a secret: the setting that names it, and its
// name.
type SecretFile struct{ Setting, Name string }

// SecretFiles returns the files with secrets that the target names.
func (t Target) SecretFiles() []SecretFile {
	var named []SecretFile
	for _, f := range []SecretFile{
		{"proxy_credentials_file", t.ProxyCredentialsFile},
		{"onprem.report.key_file", t.OnPrem.Report.KeyFile},
		{"onprem.report.token_file", t.OnPrem.Report.TokenFile},
		{"onprem.ldap.password_file", t.OnPrem.LDAP.PasswordFile},
		{"exchange_online.certificate_file", t.ExchangeOnline.CertificateFile},
		{"exchange_online.secret_file", t.ExchangeOnline.SecretFile},
		{"exchange_online.workload_identity_file", t.ExchangeOnline.WorkloadIdentityFile},
	} {
		if f.Name != "" {
			named = append(named, f)
		}
	}
	return named
}
