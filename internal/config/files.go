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
		directory = "what asks the domain controller"
		listener  = "the listener of reports"
		lists     = "`allow_list`"
	)
	r, l, a := t.OnPrem.Report, t.OnPrem.LDAP, t.AllowList
	all := []NamedFile{
		{Setting: "ca_file", Name: t.CAFile, By: "every check of the target", When: loaded},
		{Setting: "proxy_credentials_file", Name: t.ProxyCredentialsFile, Secret: true, By: "every check of the target", When: loaded + ", and for each connection"},
		{Setting: "onprem.report.cert_file", Name: r.CertFile, By: listener, When: loaded + ", and for each connection"},
		{Setting: "onprem.report.key_file", Name: r.KeyFile, Secret: true, By: listener, When: loaded + ", and for each connection"},
		{Setting: "onprem.report.client_ca_file", Name: r.ClientCAFile, By: listener, When: loaded + ", and for each connection"},
		{Setting: "onprem.report.token_file", Name: r.TokenFile, Secret: true, By: listener, When: loaded + ", and for each push"},
		{Setting: "onprem.report.file", Name: r.Folder, Later: true, Folder: true, By: "the checks that read reports", When: "at each run"},
		{Setting: "onprem.ldap.password_file", Name: l.PasswordFile, Secret: true, By: directory, When: loaded + ", and for each connection"},
		{Setting: "onprem.ldap.ca_file", Name: l.CAFile, By: directory, When: loaded + ", and for each connection"},
	}
	all = append(all, appFiles("exchange_online", t.ExchangeOnline.App, "the credential of Exchange Online")...)
	all = append(all, appFiles("graph", t.Graph.App, "the credential of Microsoft Graph")...)
	all = append(all, appFiles("token_acceptance", t.TokenAcceptance.App, "`token_acceptance`")...)
	return append(all,
		NamedFile{Setting: "allow_list.file", Name: a.File, Later: true, By: lists, When: "at each run"},
		NamedFile{Setting: "allow_list.endpoints_file", Name: a.EndpointsFile, Later: true, By: lists, When: "at each run"},
		NamedFile{Setting: "allow_list.version_file", Name: a.VersionFile, Later: true, By: lists, When: "at each run"},
		NamedFile{Setting: "sync.file", Name: t.Sync.File, Later: true, By: "`mailbox_sync`", When: "at each run"})
}

// loaded is when files that must be there are read first.
const loaded = "at start and reload"

// appFiles returns the settings that name the file of an app's credential.
func appFiles(section string, a App, by string) []NamedFile {
	files := []NamedFile{{Setting: "certificate_file", Name: a.CertificateFile}, {Setting: "secret_file", Name: a.SecretFile},
		{Setting: "workload_identity_file", Name: a.WorkloadIdentityFile}}
	for i := range files {
		f := &files[i]
		f.Setting, f.Secret, f.By, f.When = section+"."+f.Setting, true, by, loaded+", and for each token"
	}
	return files
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
