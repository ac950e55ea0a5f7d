package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
)

// usage is what the control port says of itself.
const usage = `hmad's lab
GET /faults          every fault, and whether it is on
PUT /faults/NAME     switch it on
DELETE /faults/NAME  switch it off
POST /roll           publish a new signing key; with ?use=now sign with it at once
POST /refresh        Exchange stores what is published
`

// controlHandler is the control port: what usage says. Answers are JSON or text.
// A browser must not be led here by a page from elsewhere, hence the guards.
func (l *Lab) controlHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, usage) // the client may have gone
	})
	mux.HandleFunc("GET /faults", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")    // people read it
		_ = e.Encode(l.Faults()) // the client may have gone
	})
	mux.HandleFunc("POST /roll", func(w http.ResponseWriter, r *http.Request) {
		l.Roll(r.URL.Query().Get("use") == "now")
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /refresh", func(w http.ResponseWriter, _ *http.Request) {
		if err := l.Refresh(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("PUT /faults/{name}", l.switchTo(true))
	mux.HandleFunc("DELETE /faults/{name}", l.switchTo(false))
	return loopbackOnly(http.NewCrossOriginProtection().Handler(mux))
}

func (l *Lab) switchTo(on bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := l.Set(r.PathValue("name"), on)
		switch {
		case errors.Is(err, ErrUnknownFault):
			http.Error(w, err.Error(), http.StatusNotFound)
		case err != nil:
			http.Error(w, err.Error(), http.StatusInternalServerError)
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	}
}

// loopbackOnly refuses requests that name another host than this one: a page
// whose name was rebound to 127.0.0.1 sends its own.
func loopbackOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isLoopbackHost(r.Host) {
			http.Error(w, fmt.Sprintf("the lab is not %q", r.Host), http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func isLoopbackHost(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
