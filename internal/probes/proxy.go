package probes

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/hmad/hmad/internal/check"
)

// dialProxy connects to the way's name through the target's proxy. Whatever
// goes wrong up to the tunnel is our own side's (class vantage_offline): a
// proxy's refusal does not tell its own trouble from the host's.
func (r *route) dialProxy(ctx context.Context, w way) (net.Conn, error) {
	conn, err := r.env.Dial(ctx, "tcp", r.proxy.Host)
	if err == nil {
		err = r.tunnel(ctx, conn, w)
		if err != nil {
			conn.Close()
		}
	}
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return nil, errors.Join(ctx.Err(), err)
	case err != nil:
		return nil, check.Errorf(check.VantageOffline, "the proxy %s does not connect us to %s: %s", r.proxy.Host, w.host, cause(err))
	}
	return conn, nil
}

// tunnel asks the proxy for a tunnel (CONNECT, RFC 9110 section 9.3.6). TLS
// servers do not speak first, so nothing of the tunnel is lost in the reader.
func (r *route) tunnel(ctx context.Context, conn net.Conn, w way) error {
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	to := net.JoinHostPort(w.host, w.port)
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: to}, Host: to,
		Header: http.Header{"User-Agent": {r.userAgent}}}
	if err := req.Write(conn); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(io.LimitReader(conn, maxHeader)), req)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s", resp.Status)
	}
	return nil
}
