// Package intake receives on-premises reports by HTTPS. No answer and no error of
// it holds a token, password or key.
package intake

import (
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/report"
)

// Path is where reports are pushed to.
const Path = "/api/v1/onprem-report"

const (
	pushesPerSec  = 2
	pushBurst     = 40 // a hundred servers at once are all taken within a minute, by the collector's pauses
	pushesAtATime = 4  // bodies held in memory

	bodyTimeout = 10 * time.Second // of a body once its turn has come; a report has some 15 kB
)

// Pushes counts what a Server answered. Its check and target are those of the
// Env's Meter.
var Pushes = &check.Metric{Name: "hmad_onprem_report_pushes_total", Kind: check.Counter, Labels: []string{"code"},
	Help: "Pushed on-premises reports by the HTTP status of the answer: 204 accepted, 401 token or certificate wrong, " +
		"409 not newer than the last one of its host, 413 too large, 422 not a usable report, 429 too many."}

// Server takes pushed reports: POST /api/v1/onprem-report with a report as JSON,
// plain or gzip. It answers 204, or one line of text with the status that fits.
//
// A push shows the bearer token (RFC 6750) or a client certificate that the
// listener has verified. A report is taken only if it is newer than the last
// one of its host, which also keeps replayed ones out, and at most ten minutes
// ahead of our clock. No answer repeats the body or a header.
// What is refused is remembered in the Env's Memory, see RefusedOf.
type Server struct {
	cfg   config.Report
	env   check.Env
	put   func(name string, data []byte) error
	limit *rate.Limiter // of the senders, together
	outer strangers
	slots chan struct{}
	mu    sync.Mutex // one comparison with the kept report at a time

	patience time.Duration // with a body, once its turn has come

	refused refusals
}

// New builds the Server of a target. A report that is taken goes to put,
// which must write it whole or not at all under that base name in the folder
// env.Reports. Serve opens the listener that cfg describes.
func New(cfg config.Report, env check.Env, put func(name string, data []byte) error) *Server {
	return &Server{cfg: cfg, env: env, put: put, refused: refusals{memory: env.Memory},
		limit: rate.NewLimiter(pushesPerSec, pushBurst), slots: make(chan struct{}, pushesAtATime), patience: bodyTimeout}
}

// answerError is an answer other than 204.
type answerError struct {
	code int
	text string
}

func (r *answerError) Error() string { return r.text }

func refuse(code int, format string, args ...any) error {
	return &answerError{code, fmt.Sprintf(format, args...)}
}

// ServeHTTP implements http.Handler.
func (in *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p := sender{claimed: claimedHost(r)}
	err := in.take(w, r, &p)
	code := http.StatusNoContent
	var no *answerError
	if errors.As(err, &no) {
		code = no.code
	} else if err != nil {
		code, no = http.StatusInternalServerError, &answerError{text: "the report could not be kept"}
	}
	if in.env.Meter != nil {
		in.env.Meter.Add(Pushes, 1, strconv.Itoa(code))
	}
	if no == nil {
		w.WriteHeader(code)
		return
	}
	in.note(r, p, code)
	if code == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="hmad"`)
	}
	w.Header().Set("Connection", "close") // what is left of the body is not read
	http.Error(w, no.text, code)
}

// sender is what is known of who pushes while the push is judged.
type sender struct {
	claimed string // the host that its header names; empty: none
	proven  bool   // its sender has shown the token or a client certificate
	host    string // the host of its body; empty: not read
}

// claimedHost returns the host that a push's header names, where it is a host's name.
func claimedHost(r *http.Request) string {
	if name := r.Header.Get(HostHeader); report.IsHost(name) {
		return name
	}
	return ""
}

// note remembers a push that is refused. Other paths and methods are no pushes.
func (in *Server) note(r *http.Request, p sender, code int) {
	host := cmp.Or(p.claimed, p.host)
	switch {
	case code == http.StatusNotFound || code == http.StatusMethodNotAllowed:
	case !p.proven:
		in.refused.ofAddress(network(r.RemoteAddr), p.claimed, code, in.env.Now())
	case host != "":
		in.refused.ofHost(host, code, in.env.Now())
	}
}

// take judges a push from the outside in: nothing of the body is read before
// its sender is known.
func (in *Server) take(w http.ResponseWriter, r *http.Request, p *sender) error {
	switch {
	case r.URL.Path != Path:
		return refuse(http.StatusNotFound, "reports go to %s", Path)
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		return refuse(http.StatusMethodNotAllowed, "want POST")
	}
	if err := in.admit(w, r); err != nil {
		return err
	}
	p.proven = true
	if !in.limit.Allow() { // by the monotonic clock, which nobody sets back
		w.Header().Set("Retry-After", "10")
		return refuse(http.StatusTooManyRequests, "too many pushes")
	}
	select {
	case in.slots <- struct{}{}:
		defer func() { <-in.slots }()
	case <-r.Context().Done():
		return r.Context().Err()
	}
	// A slow sender must not keep the others waiting. Where the listener knows no
	// deadline, its own holds.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(in.patience))
	data, err := readBody(w, r)
	if err != nil {
		return err
	}
	return in.accept(data, r.Header.Get(HostHeader), p)
}

// readBody reads a body that is at most report.MaxSize bytes, on the wire and
// unpacked.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	// A content type that browsers do not send across origins unasked.
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		return nil, refuse(http.StatusUnsupportedMediaType, "want Content-Type: application/json")
	}
	var body io.Reader = http.MaxBytesReader(w, r.Body, report.MaxSize)
	switch r.Header.Get("Content-Encoding") {
	case "", "identity":
	case "gzip":
		unpacked, err := gzip.NewReader(body)
		if err != nil {
			return nil, refuse(http.StatusBadRequest, "the body is no gzip")
		}
		body = unpacked
	default:
		return nil, refuse(http.StatusUnsupportedMediaType, "want Content-Encoding: gzip, or none")
	}
	data, err := io.ReadAll(io.LimitReader(body, report.MaxSize+1))
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over) || len(data) > report.MaxSize:
		return nil, refuse(http.StatusRequestEntityTooLarge, "the report is over %d bytes", report.MaxSize)
	case err != nil:
		return nil, refuse(http.StatusBadRequest, "the body broke off")
	}
	return data, nil
}

// generatedForm is how PowerShell writes the time of a report. The collector
// recognises its own in the answer to a report that had arrived before.
const generatedForm = "2006-01-02T15:04:05.0000000Z"

// accept keeps a report that is newer than the one kept of its host, which is the
// one that the header names where there is one.
func (in *Server) accept(data []byte, header string, p *sender) error {
	r, err := report.Decode(data)
	if err != nil {
		return refuse(http.StatusUnprocessableEntity, "%s", err)
	}
	if ahead := r.GeneratedAt.Sub(in.env.Now()); ahead > report.MaxAhead {
		return refuse(http.StatusUnprocessableEntity, "generatedAt is %s ahead of this host's clock", ahead.Round(time.Second))
	}
	p.host = r.Host
	if header != "" && !report.SameHost(header, r.Host) {
		return refuse(http.StatusUnprocessableEntity, "the header %s names another host than the report", HostHeader)
	}
	if !report.MayReport(in.cfg.Hosts, r.Host) {
		return refuse(http.StatusForbidden, "%s is not among the servers that may report here (onprem.report.hosts)", r.Host)
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	kept, err := in.kept(r.FileName())
	switch {
	case err != nil:
		return err
	case !r.GeneratedAt.After(kept):
		return refuse(http.StatusConflict, "not newer than the last report of this host, generatedAt %s", kept.UTC().Format(generatedForm))
	}
	return in.put(r.FileName(), data)
}

// kept returns the time of the report kept under name, zero where there is none
// that can be read; a new host is refused where the folder is full.
func (in *Server) kept(name string) (time.Time, error) {
	data, err := in.env.ReadFile(filepath.Join(in.env.Reports, name), report.MaxSize)
	if err == nil {
		r, err := report.Decode(data)
		if err != nil {
			return time.Time{}, nil // damaged: any report is better
		}
		return r.GeneratedAt, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return time.Time{}, err
	}
	files, err := in.env.ReadDir(in.env.Reports)
	if err == nil && len(files) >= report.MaxFiles {
		return time.Time{}, refuse(http.StatusInsufficientStorage, "reports of %d hosts are kept already", len(files))
	}
	return time.Time{}, nil
}
