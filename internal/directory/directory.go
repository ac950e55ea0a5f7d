// Package directory reads Exchange's objects from Active Directory by LDAP.
package directory

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/report"
	"github.com/hmad/hmad/internal/transport"
)

const (
	// maxDirectory bounds what a directory server may send, in bytes, TLS
	// included: an auth server object has about 20 kB. A hostile one makes the
	// LDAP library allocate about 140 times what it sends.
	maxDirectory = 512 << 10

	maxAuthServers   = 100              // objects; an organisation has a handful
	directoryTimeout = 30 * time.Second // of one reading, unless the caller sets a shorter one
	maxPassword      = 4096
)

// exchangeContainer is where Exchange keeps its configuration, below the
// configuration partition. A search from here on meets no referral: the
// partition's only subordinate, the schema, is a sibling.
const exchangeContainer = "CN=Microsoft Exchange,CN=Services,"

// AuthServers reads the auth server objects from a domain controller, sorted
// by name: over LDAPS, or over LDAP with StartTLS (RFC 4511, section 4.14),
// never in the clear. Referrals are not followed, and an answer that may be
// incomplete (size limit, referral, nothing readable) is an error. Errors are
// of class ldap and name no secret.
func AuthServers(ctx context.Context, env check.Env, cfg config.LDAP) ([]report.AuthServer, error) {
	ctx, cancel := context.WithTimeout(ctx, directoryTimeout)
	defer cancel()
	d, err := openDirectory(ctx, env, cfg)
	if err != nil {
		return nil, check.Errorf(check.LDAP, "%s: %w", cfg.URL, err)
	}
	defer d.close()
	servers, err := d.authServers(cfg.BaseDN)
	if err != nil {
		return nil, check.Errorf(check.LDAP, "%s: %w", cfg.URL, d.cause(err))
	}
	return servers, nil
}

// directory is a connection to a domain controller.
type directory struct {
	ctx    context.Context
	conn   *boundedConn
	ldap   *ldap.Conn
	stop   func() bool
	secret config.Secret // removed from errors, in case the server echoes it
}

// openDirectory connects, secures the connection and binds.
func openDirectory(ctx context.Context, env check.Env, cfg config.LDAP) (*directory, error) {
	u := cfg.URL.Value()
	password, err := readPassword(env, cfg.PasswordFile)
	if err != nil {
		return nil, err
	}
	trust, err := directoryTLS(env, cfg, u.Hostname())
	if err != nil {
		return nil, err
	}
	raw, err := transport.DialHost(ctx, env, "tcp", u.Host)
	if transport.IsTimeout(err) {
		return nil, fmt.Errorf("it did not answer in time: %w", err)
	}
	if err != nil {
		return nil, err
	}
	d := &directory{ctx: ctx, conn: &boundedConn{Conn: raw}, secret: password}
	d.conn.left.Store(maxDirectory)
	d.stop = context.AfterFunc(ctx, func() { raw.SetDeadline(time.Unix(1, 0)) })
	if err := d.secure(u.Scheme == "ldaps", trust); err != nil {
		err = d.cause(err)
		d.close()
		return nil, err
	}
	if err := d.ldap.Bind(cfg.BindDN, password.Reveal()); err != nil {
		err = fmt.Errorf("it refuses the account %s: %w", check.Line(config.ShownAccount(cfg.BindDN), 200), d.cause(err))
		d.close()
		return nil, err
	}
	return d, nil
}

// secure puts TLS on the connection, at once or by StartTLS.
func (d *directory) secure(atOnce bool, trust *tls.Config) error {
	if atOnce {
		secured := tls.Client(d.conn, trust)
		if err := secured.HandshakeContext(d.ctx); err != nil {
			return fmt.Errorf("TLS: %w", err)
		}
		d.start(secured, true)
		return nil
	}
	d.start(d.conn, false)
	if err := d.ldap.StartTLS(trust); err != nil {
		return fmt.Errorf("StartTLS: %w", err)
	}
	return nil
}

// start hands the connection to the LDAP library. The library's own timeout is
// later than ours, for waits that closing the connection would not end.
func (d *directory) start(conn net.Conn, secured bool) {
	d.ldap = ldap.NewConn(conn, secured)
	deadline, _ := d.ctx.Deadline()
	d.ldap.SetTimeout(time.Until(deadline) + time.Second)
	d.ldap.Start()
}

func (d *directory) close() {
	d.stop()
	d.conn.Close() // first, or the library waits for its reader
	if d.ldap != nil {
		d.ldap.Close()
	}
}

// cause returns the error behind err: after our own deadline the library
// reports a broken connection.
func (d *directory) cause(err error) error {
	var answer *ldap.Error
	switch {
	case d.ctx.Err() != nil:
		return fmt.Errorf("it did not answer in time: %w", d.ctx.Err())
	case transport.IsTimeout(err):
		return errors.New("it did not answer in time")
	case d.conn.exceeded():
		return fmt.Errorf("its answer is over %d bytes", maxDirectory)
	case errors.As(err, &answer) && answer.ResultCode == ldap.LDAPResultReferral:
		return errors.New("it refers to another server, and hmad does not follow: use a server that holds the configuration partition")
	case errors.As(err, &answer) && answer.ResultCode == ldap.LDAPResultSizeLimitExceeded:
		return errors.New("its size limit cut the answer short")
	case errors.As(err, &answer) && answer.ResultCode == ldap.LDAPResultInvalidCredentials:
		return errors.New(refusedAccount(answer.Err))
	case errors.Is(err, ldap.ErrSizeLimitExceeded):
		return fmt.Errorf("its answer is over the size limit of %d objects", maxAuthServers)
	case broken(err) != "":
		return errors.New(broken(err))
	case errors.As(err, &answer) && answer.ResultCode < ldap.ErrorNetwork:
		return errors.New(check.Line(check.Redact(result(answer), d.secret.Reveal()), 400))
	}
	return errors.New(check.Line(check.Redact(err.Error(), d.secret.Reveal()), 400))
}

// boundedConn limits what a server may send: the LDAP library takes packets of
// any size.
type boundedConn struct {
	net.Conn
	left atomic.Int64
}

// Read ends the connection once the limit is reached.
func (b *boundedConn) Read(p []byte) (int, error) {
	left := b.left.Load()
	if left <= 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := b.Conn.Read(p[:min(int64(len(p)), left)])
	b.left.Add(-int64(n))
	return n, err
}

func (b *boundedConn) exceeded() bool { return b.left.Load() <= 0 }

// CheckFiles reads the files that the settings name, so that every fault shows at
// the start.
func CheckFiles(env check.Env, cfg config.LDAP) []error {
	_, wrongPassword := readPassword(env, cfg.PasswordFile)
	_, wrongRoots := directoryTLS(env, cfg, "")
	return slices.DeleteFunc([]error{wrongPassword, wrongRoots}, func(err error) bool { return err == nil })
}

func readPassword(env check.Env, file string) (config.Secret, error) {
	const setting = "onprem.ldap.password_file"
	data, err := env.ReadFile(file, maxPassword)
	if err != nil {
		return config.Secret{}, config.Invalid(setting, "%s", err)
	}
	password := strings.TrimRight(string(data), "\r\n")
	if password == "" {
		// An empty password is an anonymous bind, which succeeds (RFC 4513,
		// section 5.1.2) and then sees nothing.
		return config.Secret{}, config.Invalid(setting, "%s is empty", config.ShownFile(file))
	}
	return config.NewSecret(password), nil
}

// directoryTLS trusts the CA file alone, or the system's roots where there is
// none.
func directoryTLS(env check.Env, cfg config.LDAP, host string) (*tls.Config, error) {
	trust := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12, Time: env.Now}
	if cfg.CAFile == "" {
		return trust, nil
	}
	trust.RootCAs = x509.NewCertPool()
	return trust, transport.AddRoots(trust.RootCAs, "onprem.ldap.ca_file", cfg.CAFile, env)
}
