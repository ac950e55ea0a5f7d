package config

import (
	"errors"
	"io/fs"
	"os"
	"slices"
)

// NamedFile is a file, or a folder, that a target's settings name.
type NamedFile struct {
	Setting  string // below the target
	Name     string
	Secret   bool   // it holds a secret
	Later    bool   // it may come after the start; any other one must be there
	Folder   bool   // it may be a folder
	By, When string // who reads it and when, for the documents
}

// FileSettings returns every setting that names a file, with the target's values.
func (t Target) FileSettings() []NamedFile {
	const (
		directory  = "what asks the domain controller"
		credential = "the credential of Exchange Online"
		tenant     = "the credential of Microsoft Graph"
		accepted   = "`token_acceptance`"
		listener   = "the listener of reports"
		loaded     = "at start and reload"
		lists      = "`allow_list`"
	)
	r, l, e, a, g, p := t.OnPrem.Report, t.OnPrem.LDAP, t.ExchangeOnline, t.AllowList, t.Graph, t.TokenAcceptance
	return []NamedFile{
		{Setting: "ca_file", Name: t.CAFile, By: "every check of the target", When: loaded},
		{Setting: "proxy_credentials_file", Name: t.ProxyCredentialsFile, Secret: true, By: "every check of the target", When: loaded + ", and for each connection"},
		{Setting: "onprem.report.cert_file", Name: r.CertFile, By: listener, When: loaded + ", and for each connection"},
		{Setting: "onprem.report.key_file", Name: r.KeyFile, Secret: true, By: listener, When: loaded + ", and for each connection"},
		{Setting: "onprem.report.client_ca_file", Name: r.ClientCAFile, By: listener, When: loaded + ", and for each connection"},
		{Setting: "onprem.report.token_file", Name: r.TokenFile, Secret: true, By: listener, When: loaded + ", and for each push"},
		{Setting: "onprem.report.file", Name: r.Folder, Later: true, Folder: true, By: "the checks that read reports", When: "at each run"},
		{Setting: "onprem.ldap.password_file", Name: l.PasswordFile, Secret: true, By: directory, When: loaded + ", and for each connection"},
		{Setting: "onprem.ldap.ca_file", Name: l.CAFile, By: directory, When: loaded + ", and for each connection"},
		{Setting: "exchange_online.certificate_file", Name: e.CertificateFile, Secret: true, By: credential, When: loaded + ", and for each token"},
		{Setting: "exchange_online.secret_file", Name: e.SecretFile, Secret: true, By: credential, When: loaded + ", and for each token"},
		{Setting: "exchange_online.workload_identity_file", Name: e.WorkloadIdentityFile, Secret: true, By: credential, When: loaded + ", and for each token"},
		{Setting: "graph.certificate_file", Name: g.CertificateFile, Secret: true, By: tenant, When: loaded + ", and for each token"},
		{Setting: "graph.secret_file", Name: g.SecretFile, Secret: true, By: tenant, When: loaded + ", and for each token"},
		{Setting: "graph.workload_identity_file", Name: g.WorkloadIdentityFile, Secret: true, By: tenant, When: loaded + ", and for each token"},
		{Setting: "token_acceptance.certificate_file", Name: p.CertificateFile, Secret: true, By: accepted, When: loaded + ", and for each token"},
		{Setting: "token_acceptance.secret_file", Name: p.SecretFile, Secret: true, By: accepted, When: loaded + ", and for each token"},
		{Setting: "token_acceptance.workload_identity_file", Name: p.WorkloadIdentityFile, Secret: true, By: accepted, When: loaded + ", and for each token"},
		{Setting: "allow_list.file", Name: a.File, Later: true, By: lists, When: "at each run"},
		{Setting: "allow_list.endpoints_file", Name: a.EndpointsFile, Later: true, By: lists, When: "at each run"},
		{Setting: "allow_list.version_file", Name: a.VersionFile, Later: true, By: lists, When: "at each run"},
		{Setting: "sync.file", Name: t.Sync.File, Later: true, By: "`mailbox_sync`", When: "at each run"},
	}
}

// Files returns the files that the target names.
func (t Target) Files() []NamedFile {
	var named []NamedFile
	for _, f := range t.FileSettings() {
		if f.Name != "" {
			named = append(named, f)
		}
	}
	return named
}

// SecretFiles returns the files with secrets that the target names, each once.
func (t Target) SecretFiles() []NamedFile {
	var secret []NamedFile
	for _, f := range t.Files() {
		if f.Secret && !slices.ContainsFunc(secret, func(other NamedFile) bool { return other.Name == f.Name }) {
			secret = append(secret, f)
		}
	}
	return secret
}

// Readable returns why this process cannot read the file; nil if it can. The error
// does not name the file.
func (f NamedFile) Readable() error {
	if info, err := os.Stat(f.Name); err == nil && info.IsDir() && f.Folder {
		_, err := os.ReadDir(f.Name)
		return FileError(err)
	}
	file, err := openFile(f.Name)
	if err != nil {
		return err
	}
	return file.Close()
}

// Waits reports whether hmad starts in spite of the error of Readable, since the
// file may come later, or may be opened to this user.
func (f NamedFile) Waits(err error) bool {
	return f.Later && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission))
}
