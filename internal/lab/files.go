package lab

import (
	"crypto/rand"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
)

// writeFiles writes what a config names, and tells where.
func (l *Lab) writeFiles() error {
	dir, err := filepath.Abs(l.opt.Dir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	proof, err := l.client.pem()
	if err != nil {
		return err
	}
	f := &l.facts
	f.CAFile, f.CertificateFile, f.SecretFile = filepath.Join(dir, "ca.pem"), filepath.Join(dir, "client.pem"), filepath.Join(dir, "client-secret")
	f.ClientID, f.Hosts, f.AllowListFile = clientID, servers, filepath.Join(dir, "allow-list.txt")
	return errors.Join(
		os.WriteFile(f.CAFile, l.ca.rootPEM(), 0o644),
		os.WriteFile(f.CertificateFile, proof, 0o600),
		os.WriteFile(f.AllowListFile, []byte(allowedRanges), 0o644),
		os.WriteFile(f.SecretFile, []byte(l.client.secret+"\n"), 0o600),
	)
}

// setUpPush writes what hmad's listener needs, and makes the servers push.
func (l *Lab) setUpPush() error {
	chain, key, err := l.Issue(pushHost, Good)
	if err != nil {
		return err
	}
	dir, token := filepath.Dir(l.facts.CAFile), rand.Text()
	p := Push{l.opt.Push, filepath.Join(dir, "listener.pem"), filepath.Join(dir, "listener-key.pem"), filepath.Join(dir, "push-token")}
	roots := x509.NewCertPool()
	roots.AddCert(l.ca.root.cert)
	l.facts.Push, l.courier = p, toListener(p.Listen, token, roots)
	return errors.Join(
		os.WriteFile(p.CertFile, chain, 0o644),
		os.WriteFile(p.KeyFile, key, 0o600),
		os.WriteFile(p.TokenFile, []byte(token+"\n"), 0o600),
	)
}
