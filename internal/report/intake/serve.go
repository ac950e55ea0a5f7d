package intake

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/netutil"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/transport"
)

const (
	maxTokenFile   = 4096
	maxKeyFile     = 64 << 10 // of a certificate or key
	minToken       = 16       // characters
	maxConnections = 64
)

// admit accepts a sender with the bearer token or a verified client certificate.
func (in *Server) admit(w http.ResponseWriter, r *http.Request) error {
	if in.cfg.ClientCAFile != "" && r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		return nil
	}
	var shown proof
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") {
		shown = sha256.Sum256([]byte(strings.TrimSpace(token)))
	}
	if !in.outer.allow(r, shown) {
		w.Header().Set("Retry-After", "10")
		return refuse(http.StatusTooManyRequests, "too many pushes without a good token")
	}
	err := in.authorise(shown)
	in.outer.judged(shown, err == nil)
	return err
}

// authorise wants the bearer token. Its file is read for each push, so a new
// token needs no reload.
func (in *Server) authorise(shown proof) error {
	if in.cfg.TokenFile == "" {
		return refuse(http.StatusUnauthorized, "want a client certificate")
	}
	want, err := in.token()
	if err != nil {
		return err
	}
	// Hashes have one length: comparing them does not disclose the token's.
	good := sha256.Sum256([]byte(want.Reveal()))
	if subtle.ConstantTimeCompare(shown[:], good[:]) != 1 {
		return refuse(http.StatusUnauthorized, "want the bearer token")
	}
	return nil
}

func (in *Server) token() (config.Secret, error) {
	data, err := in.env.ReadFile(in.cfg.TokenFile, maxTokenFile)
	if err != nil {
		return config.Secret{}, &config.FieldError{Path: "onprem.report.token_file", Msg: err.Error()}
	}
	token := bytes.TrimSpace(data)
	if len(token) < minToken {
		return config.Secret{}, &config.FieldError{Path: "onprem.report.token_file",
			Msg: fmt.Sprintf("%s: want at least %d characters", config.ShownFile(in.cfg.TokenFile), minToken)}
	}
	return config.NewSecret(string(token)), nil
}

// Check reads the files that the config names, so that every fault shows at the
// start and not at the first push.
func (in *Server) Check() []error {
	var all []error
	if in.cfg.TokenFile != "" {
		_, err := in.token()
		all = append(all, err)
	}
	_, err := in.certificate()
	all = append(all, err)
	if in.cfg.ClientCAFile != "" {
		all = append(all, transport.AddRoots(x509.NewCertPool(), "onprem.report.client_ca_file", in.cfg.ClientCAFile, in.env))
	}
	return slices.DeleteFunc(all, func(err error) bool { return err == nil })
}

// Serve takes pushes on ln, which it closes, until ctx ends. Certificate, key
// and client CA are read for each connection, so that new ones need no reload.
func (in *Server) Serve(ctx context.Context, ln net.Listener) error {
	srv := &http.Server{
		Handler:           in,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      time.Minute,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          log.New(handshakes{in}, "", 0),
	}
	down := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(down)
		patience, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if srv.Shutdown(patience) != nil {
			srv.Close()
		}
	})
	ln = tls.NewListener(netutil.LimitListener(ln, maxConnections), &tls.Config{GetConfigForClient: in.tlsConfig, MinVersion: tls.VersionTLS12})
	err := srv.Serve(ln)
	if stop() {
		srv.Close()
		return err
	}
	<-down
	return nil
}

// certificate reads the listener's certificate and its key.
func (in *Server) certificate() (tls.Certificate, error) {
	cert, err := in.env.ReadFile(in.cfg.CertFile, maxKeyFile)
	if err != nil {
		return tls.Certificate{}, &config.FieldError{Path: "onprem.report.cert_file", Msg: err.Error()}
	}
	key, err := in.env.ReadFile(in.cfg.KeyFile, maxKeyFile)
	if err != nil {
		return tls.Certificate{}, &config.FieldError{Path: "onprem.report.key_file", Msg: err.Error()}
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return tls.Certificate{}, &config.FieldError{Path: "onprem.report.cert_file", Msg: config.ShownQuotes(err.Error())}
	}
	return pair, nil
}

// tlsConfig reads the listener's files. Where the token is the only proof, no
// client certificate is asked for; where the certificate is, none is missing.
func (in *Server) tlsConfig(*tls.ClientHelloInfo) (*tls.Config, error) {
	pair, err := in.certificate()
	if err != nil {
		return nil, err
	}
	c := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	if in.cfg.ClientCAFile == "" {
		return c, nil
	}
	c.ClientCAs = x509.NewCertPool()
	c.ClientAuth = tls.VerifyClientCertIfGiven
	if in.cfg.TokenFile == "" {
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return c, transport.AddRoots(c.ClientCAs, "onprem.report.client_ca_file", in.cfg.ClientCAFile, in.env)
}

// CertificateNotAfter returns when the certificate that the listener of cfg shows
// expires; false where there is no listener, or where its files cannot be used.
func CertificateNotAfter(cfg config.Report, env check.Env) (time.Time, bool) {
	if cfg.Listen.IsZero() {
		return time.Time{}, false
	}
	c, err := (&Server{cfg: cfg, env: env}).tlsConfig(nil)
	if err != nil {
		return time.Time{}, false
	}
	return c.Certificates[0].Leaf.NotAfter, true
}
