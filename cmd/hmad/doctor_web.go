package main

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"github.com/hmad/hmad/internal/exporter"
	"github.com/hmad/hmad/internal/transport"
)

// askTimeout bounds the question who has an address of this host.
const askTimeout = 5 * time.Second

// webSteps say whether hmad run can serve, or serves, as the web flags say.
func (c *cli) webSteps(ctx context.Context) []step {
	steps := append([]step{webConfig(*c.web.WebConfigFile)}, secretSteps(webSecrets(*c.web.WebConfigFile))...)
	if *c.web.WebSystemdSocket {
		steps = append(steps, step{What: "web listener", Status: off, Detail: "by --web.systemd-socket: systemd opens it"})
	} else {
		for _, address := range *c.web.WebListenAddresses {
			steps = append(steps, c.webListener(ctx, "web listener", "--web.listen-address", address))
		}
	}
	if c.healthAddress != "" {
		steps = append(steps, c.webListener(ctx, "health listener", "--web.health-listen-address", c.healthAddress))
	}
	return steps
}

// webConfig reports whether the web config can be used.
func webConfig(file string) step {
	const what = "web config"
	if file == "" {
		return step{What: what, Status: off, Detail: "--web.config.file is not set: no TLS, no password"}
	}
	if err := validateWeb(file); err != nil {
		return step{what, broken, file + ": " + err.Error(), "see docs/credentials.md, the page and the metrics"}
	}
	return step{What: what, Status: works, Detail: file}
}

// webListener tries to listen, and asks who does where somebody does already.
func (c *cli) webListener(ctx context.Context, what, flag, address string) step {
	l, err := net.Listen("tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return c.taken(ctx, what, flag, address)
	case err != nil:
		return step{what, broken, oneLine(err), "choose an address of this host, and a port that hmad may open, in " + flag}
	}
	_ = l.Close() // opened to see that it can be
	return step{What: what, Status: works, Detail: address + " is free for hmad run"}
}

// occupant is what has an address of this host.
type occupant int

const (
	stranger occupant = iota
	guarded           // asks for a password or a certificate first
	healthy           // says that it is hmad
)

// taken reports whether it is hmad that has the address.
func (c *cli) taken(ctx context.Context, what, flag, address string) step {
	who := whoHas(ctx, address)
	wants, err := readDemands(*c.web.WebConfigFile)
	switch {
	case who == healthy:
		return step{What: what, Status: works, Detail: address + " is used by the running hmad, which is healthy"}
	case who == guarded && err == nil && !wants.none():
		return step{What: what, Status: works, Detail: address + " is taken, and requires what the web config sets: probably the running hmad"}
	default:
		return step{what, broken, address + " is used by something other than an hmad with these settings", "stop what uses it, or choose another " +
			"address in " + flag}
	}
}

// whoHas asks /-/healthy at an address of this host, over TLS and without. It
// sends nothing secret, so the certificate is of no interest.
func whoHas(ctx context.Context, address string) occupant {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	plain := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	client := &http.Client{Transport: plain, CheckRedirect: transport.KeepRedirect}
	found := stranger
	for _, scheme := range []string{"https://", "http://"} {
		found = max(found, whoAnswers(ctx, client, scheme+reachable(address)+"/-/healthy"))
	}
	return found
}

func whoAnswers(ctx context.Context, client *http.Client, url string) occupant {
	a, err := transport.Get(ctx, client, transport.Request{URL: url, Max: 1024})
	var remote *net.OpError
	if errors.As(err, &remote) && remote.Op == "remote error" { // a TLS alert: it wants a certificate
		return guarded
	}
	switch {
	case err == nil && a.Status == http.StatusOK && string(a.Body) == exporter.Healthy+"\n":
		return healthy
	case err == nil && a.Status == http.StatusUnauthorized:
		return guarded
	default:
		return stranger
	}
}

// reachable returns an address at which this host reaches one of its listeners.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	ip, ipErr := netip.ParseAddr(host)
	if err == nil && (host == "" || ipErr == nil && ip.IsUnspecified()) {
		return net.JoinHostPort("localhost", port)
	}
	return address
}
