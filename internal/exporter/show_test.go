//go:build show

package exporter

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/state"
)

var show = flag.String("show", "127.0.0.1:0", "address at which TestShow serves the page")

// TestShow is for looking at the page:
//
//	go test -tags show ./internal/exporter -run TestShow -show 127.0.0.1:9799 -timeout 0
func TestShow(t *testing.T) {
	good, troubled := New(estateOptions()), estateOptions()
	troubled.MayPost = nil
	troubled.Store = snapshot{estate(), state.Health{Problem: "write /var/lib/hmad/state.db: no space left on device", SetAside: "/var/lib/hmad/state.db.damaged"}}
	bad := New(troubled)
	bad.Reloaded(errors.New("config.yaml:12: unknown key \"tennant\"\nconfig.yaml:19: target contoso: activesync.url: not https"))
	mux := http.NewServeMux()
	mux.Handle("/", good.Handler())
	mux.Handle("/troubled/", http.StripPrefix("/troubled", bad.Handler()))
	l, err := net.Listen("tcp", *show)
	require.NoError(t, err)
	fmt.Println("http://" + l.Addr().String())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	server := &http.Server{Handler: mux}
	go func() { <-ctx.Done(); _ = server.Close() }()
	_ = server.Serve(l)
}
