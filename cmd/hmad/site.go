package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/prometheus/exporter-toolkit/web"
	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"
	"golang.org/x/net/netutil"
	"golang.org/x/sync/errgroup"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/exporter"
)

// drainTime is how long requests under way may take to end when the daemon
// stops.
const drainTime = 2 * time.Second

// site is where the daemon listens: the main listeners, with TLS and
// authentication as the web config says, and one for health alone.
type site struct {
	log    *zap.Logger
	flags  *web.FlagConfig
	main   []net.Listener
	health net.Listener // nil: none
	local  bool         // loopback alone
	guard  *guard
	most   int // connections of each listener at once
}

// listen opens every listener, after the web config has been found in order.
func (c *cli) listen(log *zap.Logger) (*site, error) {
	if c.maxConnections < 1 {
		return nil, fmt.Errorf("--web.max-connections: got %d, want at least 1", c.maxConnections)
	}
	file := *c.web.WebConfigFile
	if err := validateWeb(file); err != nil {
		return nil, fmt.Errorf("%s: %s", file, err)
	}
	guard, err := newGuard(file)
	if err != nil {
		return nil, err
	}
	s := &site{log: log, flags: c.web, guard: guard, most: c.maxConnections}
	if err := s.open(c.healthAddress); err != nil {
		s.close()
		return nil, err
	}
	s.local = allLoopback(s.main)
	return s, nil
}

func (s *site) open(healthAddress string) (err error) {
	if *s.flags.WebSystemdSocket {
		s.main, err = activation.Listeners()
		if err == nil && len(s.main) == 0 {
			err = errors.New("--web.systemd-socket: got no socket from systemd")
		}
		if err != nil {
			return err
		}
	} else {
		for _, address := range *s.flags.WebListenAddresses {
			l, err := net.Listen("tcp", address)
			if err != nil {
				return fmt.Errorf("--web.listen-address: %w", err)
			}
			s.main = append(s.main, l)
		}
	}
	if healthAddress != "" {
		if s.health, err = net.Listen("tcp", healthAddress); err != nil {
			return fmt.Errorf("--web.health-listen-address: %w", err)
		}
	}
	return nil
}

func (s *site) close() {
	for _, l := range append(s.main, s.health) {
		if l != nil {
			_ = l.Close() // a server that has served it closed it already
		}
	}
}

func (s *site) addresses() []string {
	var all []string
	for _, l := range s.main {
		all = append(all, l.Addr().String())
	}
	return all
}

// serve answers until ctx ends, then lets requests under way end. Every
// listener has a server of its own: the toolkit wraps the handler of the one
// that it serves, and would do so twice at once where two share it.
func (s *site) serve(ctx context.Context, e *exporter.Server) error {
	group, ctx := errgroup.WithContext(ctx)
	logger := slog.New(webLog{zapslog.NewHandler(s.log.Core())})
	for _, l := range s.main {
		server := newServer(s.ownName(e.Handler()), s.log)
		group.Go(func() error { return served(web.Serve(netutil.LimitListener(l, s.most), server, s.flags, logger)) })
		group.Go(func() error { return drained(ctx, server) })
	}
	if s.health != nil {
		server := newServer(e.HealthHandler(), s.log)
		group.Go(func() error { return ignoreClosed(server.Serve(netutil.LimitListener(s.health, s.most))) })
		group.Go(func() error { return drained(ctx, server) })
	}
	return group.Wait()
}

// drained shuts the server down when ctx ends.
func drained(ctx context.Context, server *http.Server) error {
	<-ctx.Done()
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	if server.Shutdown(stop) != nil {
		_ = server.Close() // whoever still waits has had its time
	}
	return nil
}

// served returns the error with which the toolkit gave up, without the values of
// the web config.
func served(err error) error {
	if err = ignoreClosed(err); err != nil {
		return errors.New(webError(err))
	}
	return nil
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// ownName refuses POSTs that came to a loopback listener by another name, where
// nobody is asked for a password: a page elsewhere may point a name of its own
// at 127.0.0.1 (DNS rebinding). Reading stays open, for proxies on this host.
func (s *site) ownName(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && s.local && s.guard.open() && !s.trusts(r) {
			http.Error(w, fmt.Sprintf("got host %q, want localhost or a loopback address", r.Host), http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// trusts reports whether whoever asks has shown the proofs that the web config
// asked for at start, or, where it asked for none, asks loopback by its own name.
func (s *site) trusts(r *http.Request) bool {
	return s.guard.proves(r) || s.guard.open() && s.local && isLoopbackName((&url.URL{Host: r.Host}).Hostname())
}

// isLoopbackName reports whether host names loopback; names have no case, and
// may end with a dot.
func isLoopbackName(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") || err == nil && ip.IsLoopback()
}

func allLoopback(listeners []net.Listener) bool {
	for _, l := range listeners {
		if tcp, ok := l.Addr().(*net.TCPAddr); !ok || !tcp.IP.IsLoopback() {
			return false
		}
	}
	return len(listeners) > 0
}

// oneLine returns an error's text without line breaks.
func oneLine(err error) string {
	return check.Clean(strings.Join(strings.Fields(err.Error()), " "), 4<<10)
}
