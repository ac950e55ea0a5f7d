// Package lab is a hybrid Exchange estate on loopback, for the demo and the
// tests.
//
// It is what hmad looks at, small and without Microsoft or an Exchange server:
// a certificate authority, a name server, AutoDiscover and ActiveSync on three
// front ends that answer like Exchange Server SE, a stand-in for Entra (OpenID
// configuration, federation metadata, keys that roll, tokens), and the reports
// of a collector on three Exchange servers whose job copies Entra's certificates,
// and on request the tenant's Exchange Online with a fleet of phones (folder
// online). Every part behaves as its behaviour says; a fault is a named change of
// one part's behaviour, switched by Lab.Set or through the control port. With no
// fault on, every check passes; with the fault CHECK.REASON on, the check CHECK
// finds exactly REASON.
//
// Everything listens on 127.0.0.1 to 127.0.0.3, which Linux has without any
// set-up; there is no other traffic.
package lab

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hmad/hmad/internal/lab/online"
)

// DefaultControl is where the control port listens unless Options say
// otherwise.
const DefaultControl = "127.0.0.1:9750"

// DefaultTarget is the name of the config's target unless Options say
// otherwise.
const DefaultTarget = "contoso"

// DefaultEvery is how often hmad looks at a lab unless Options say otherwise: a
// thirtieth of the default schedules' five minutes.
const DefaultEvery = 10 * time.Second

// Options say where a lab lives. The zero value of each but Dir will do.
type Options struct {
	// Dir is where the files go that a config names: the root certificate, what
	// hmad proves itself by to Entra, the servers' reports. It is made when it
	// is not there.
	Dir string
	// Control is the control port's address: loopback only, DefaultControl
	// when empty, a free port when the port is 0.
	Control string
	// Target is the name of the config's target, contoso when empty. Several
	// labs are then several targets: with a phase and alerts of their own.
	Target string
	// Port is the first of the ten ports that follow each other: ActiveSync,
	// AutoDiscover, Entra, ActiveSync by the phones' own name, DNS,
	// certificates, Microsoft's other services, Exchange Web Services, Microsoft
	// Graph, Exchange Online. 0 picks free ones.
	Port int
	// Push is the address of hmad's listener for reports, which the lab's
	// servers then push to; empty: they lay files in a folder of Dir.
	Push string
	// Online is the tenant's Exchange Online; its zero value: there is none.
	Online Online
	// Every is how often the config has hmad look at the lab, and at each of its
	// mailboxes; DefaultEvery when 0. What a fault does with time goes by it.
	Every time.Duration
	// Now is the clock that certificates and Date headers go by.
	Now func() time.Time
	// Log is told of every switched fault and of reports that do not arrive, in
	// the manner of fmt.Printf. It must be safe for concurrent use.
	Log func(format string, args ...any)
}

// Lab is a running estate.
type Lab struct {
	opt      Options
	ca       *authority
	facts    Facts
	keys     *keyring
	client   *client
	premises *premises
	courier  *courier
	online   *online.Tenant   // nil: there is none
	hosts    map[string]*host // by check
	faults   []fault
	closers  []func() error

	mu     sync.Mutex // over on, closed and the switching of hosts
	on     map[string]bool
	closed bool

	wg sync.WaitGroup // every goroutine of the lab
}

// Start brings up a healthy estate and its control port. It fails when an
// address is taken, the control address is not loopback or Dir cannot be
// written; nothing is left running then.
func Start(opt Options) (*Lab, error) {
	l := &Lab{opt: opt, on: map[string]bool{}}
	if err := l.start(); err != nil {
		return nil, errors.Join(fmt.Errorf("lab: %w", err), l.Close())
	}
	return l, nil
}

func (l *Lab) start() error {
	l.opt.setDefaults()
	if l.opt.Dir == "" {
		return errors.New("no directory for the root certificate")
	}
	if l.opt.Every < time.Second {
		return fmt.Errorf("looked at every %s, want a second or more", l.opt.Every)
	}
	control, err := loopback(l.opt.Control)
	if err != nil {
		return err
	}
	if l.ca, err = newAuthority(l.opt.Now); err != nil {
		return err
	}
	for _, step := range []func() error{l.register, l.listenHosts, l.listenDNS, l.listenCA, l.writeFiles, l.settle} {
		if err := step(); err != nil {
			return err
		}
	}
	l.faults = allFaults(l.facts, l.keys)
	if l.online != nil {
		l.faults = append(l.faults, onlineFaults(l.opt.Every)...)
	}
	l.facts.Checks = checksOf(l.faults)
	if err := l.apply(); err != nil {
		return err
	}
	if err := l.listenControl(control); err != nil {
		return err
	}
	l.reportOn()
	return nil
}

// register makes what Entra knows: its signing keys and hmad's application.
func (l *Lab) register() error {
	var group errgroup.Group
	group.Go(func() (err error) { l.keys, err = newKeyring(l.opt.Now); return err })
	group.Go(func() (err error) { l.client, err = newClient(l.opt.Now); return err })
	return group.Wait()
}

// settle makes the Exchange organisation, and the way of its reports.
func (l *Lab) settle() error {
	l.premises = newPremises(l.opt.Now, l.keys)
	l.premises.online = l.online
	if l.opt.Push != "" {
		return l.setUpPush()
	}
	l.facts.Reports = filepath.Join(filepath.Dir(l.facts.CAFile), "reports")
	l.courier = toFolder(l.facts.Reports)
	return os.MkdirAll(l.facts.Reports, 0o700)
}

func (o *Options) setDefaults() {
	if o.Control == "" {
		o.Control = DefaultControl
	}
	if o.Target == "" {
		o.Target = DefaultTarget
	}
	if o.Every == 0 {
		o.Every = DefaultEvery
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = func(string, ...any) {}
	}
}

// loopback reads the control port's address and refuses one that others can
// reach: whoever reaches it breaks the estate at will.
func loopback(addr string) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", fmt.Errorf("control address %q: %w", addr, err)
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || !ip.IsLoopback() {
		return "", fmt.Errorf("control address %q is not on loopback", addr)
	}
	return net.JoinHostPort(host, port), nil
}

// port returns the i-th of the lab's ports, or 0 for a free one.
func (l *Lab) port(i int) int {
	if l.opt.Port == 0 {
		return 0
	}
	return l.opt.Port + i
}

func (l *Lab) listenHosts() error {
	l.facts = Facts{Target: l.opt.Target, Every: l.opt.Every, Tenant: tenantOf(l.opt.Target), Mailbox: mailbox}
	l.hosts = map[string]*host{}
	all := []*host{
		{check: "activesync", name: mailName, app: serveActiveSync, addrs: frontEnds},
		{check: "autodiscover", name: autodiscoverName, app: l.serveAutodiscover, addrs: frontEnds},
		{check: "vantage", name: loginName, app: (&entra{l.keys, l.client, l.facts.Tenant}).serve, addrs: frontEnds[:1]},
		{check: "tls_offload", name: mobileName, app: serveActiveSync, addrs: frontEnds[:1]},
		{check: atMicrosoft, name: microsoftName, app: l.serveMicrosoft, addrs: frontEnds[:1]},
		{check: ewsHost, name: ewsName, app: l.serveEWS, addrs: frontEnds[:1]},
		{check: graphHost, name: graphName, app: l.serveGraph, addrs: frontEnds[:1]},
	}
	if l.opt.Online.Mailboxes > 0 {
		all = append(all, l.openOnline())
	}
	for i, h := range all {
		if i >= 4 {
			i += 2 // behind the name server and the certificates
		}
		h.ca, h.wg, h.clock = l.ca, &l.wg, l.opt.Now
		h.srv = newServer(h, &l.wg)
		l.closers = append(l.closers, h.close)
		if err := h.claim(l.port(i)); err != nil {
			return err
		}
		l.hosts[h.check] = h
	}
	l.facts.learn(l.hosts)
	return nil
}

func (l *Lab) listenDNS() error {
	d, err := listenDNS(l.port(4), l.lookup)
	if err != nil {
		return err
	}
	l.closers = append(l.closers, d.close)
	l.facts.Resolver = d.addr()
	l.wg.Go(d.serveUDP)
	l.wg.Go(d.serveTCP)
	return nil
}

// listenCA serves the intermediate certificate at the URL that every leaf
// names (RFC 5280, section 4.2.2.1, caIssuers).
func (l *Lab) listenCA() error {
	var ln net.Listener
	err := claim(l.port(5), func(port int) (err error) {
		ln, err = net.Listen("tcp", netip.AddrPortFrom(frontEnds[0], uint16(port)).String())
		return err
	})
	if err != nil {
		return err
	}
	l.ca.issuerURL = fmt.Sprintf("http://%s:%d/intermediate.cer", caName, portOf(ln))
	l.serve(l.ca, ln)
	return nil
}

func (l *Lab) listenControl(addr string) error {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	l.facts.Control = "http://" + ln.Addr().String()
	l.serve(l.controlHandler(), ln)
	return nil
}

// serve answers on a plain HTTP listener until the lab is closed.
func (l *Lab) serve(h http.Handler, ln net.Listener) {
	srv := newServer(h, &l.wg)
	l.closers = append(l.closers, srv.Close, ln.Close)
	l.wg.Go(func() { _ = srv.Serve(limited(ln)) }) // ends with srv.Close
}

// Close ends the lab: listeners, connections and goroutines. The root
// certificate's file stays. A second call does nothing.
func (l *Lab) Close() error {
	l.mu.Lock()
	l.closed = true
	var errs []error
	for _, c := range l.closers {
		errs = append(errs, ignoreClosed(c()))
	}
	l.closers = nil
	l.mu.Unlock() // a request that switches a fault may hold up a connection
	l.wg.Wait()
	return errors.Join(errs...)
}
