package exporter

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/state"
)

const mayNotPost = "the request shows neither a password nor a client certificate that --web.config.file asked for when hmad started, " +
	"and only a listener on 127.0.0.1 without such a file, asked as localhost, does without. " +
	"Set basic_auth_users or client certificates there and restart hmad, or listen on 127.0.0.1."

// results answers GET /api/v1/results: the latest result of every check.
func (s *Server) results(w http.ResponseWriter, _ *http.Request) {
	var latest []check.Result
	for _, st := range s.Store.Statuses() {
		if !st.Last.Start.IsZero() {
			latest = append(latest, st.Last)
		}
	}
	answerJSON(w, Document(latest))
}

// run answers POST /api/v1/run?check=&target=: it runs the check now and gives
// its result. The status page's forms, which carry from=page, are sent back to
// the page instead.
func (s *Server) run(w http.ResponseWriter, r *http.Request) {
	if !s.mayPost(w, r) {
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxPostBody)
	if err := r.ParseForm(); err != nil {
		answer(w, http.StatusBadRequest, "unreadable form: "+line(err.Error()))
		return
	}
	id, status, problem := resolve(s.Store.Statuses(), r.Form)
	if problem != "" {
		answer(w, status, problem)
		return
	}
	if s.Run == nil {
		answer(w, http.StatusServiceUnavailable, "no check can be run here")
		return
	}
	result, err := s.Run(r.Context(), id)
	fromPage := r.Form.Get("from") == "page"
	switch {
	case fromPage && (err == nil || errors.Is(err, check.ErrBusy)):
		// Relative, so that it holds behind a proxy that adds a path.
		w.Header().Set("Location", "../../#"+anchor(id))
		w.WriteHeader(http.StatusSeeOther)
	case err != nil:
		answer(w, runStatus(err), line(err.Error()))
	default:
		answerJSON(w, newResultDoc(result))
	}
}

// resolve finds the check that a request names; the target may be left out
// when only one has the check.
func resolve(all []state.Status, form url.Values) (id check.ID, status int, problem string) {
	name, target := form.Get("check"), form.Get("target")
	if name == "" {
		return id, http.StatusBadRequest, "which check? POST /api/v1/run?check=NAME&target=NAME"
	}
	var targets, known []string
	for _, st := range all {
		known = append(known, st.ID.Check+" of "+st.ID.Target)
		if st.ID.Check == name && (target == "" || st.ID.Target == target) {
			id = st.ID
			targets = append(targets, st.ID.Target)
		}
	}
	switch len(targets) {
	case 0:
		return id, http.StatusNotFound, check.ErrUnknown.Error() + "; there are " + strings.Join(known, ", ")
	case 1:
		return id, 0, ""
	default:
		return id, http.StatusBadRequest, fmt.Sprintf("several targets have this check, name one: %s", strings.Join(targets, ", "))
	}
}

func runStatus(err error) int {
	switch {
	case errors.Is(err, check.ErrUnknown):
		return http.StatusNotFound
	case errors.Is(err, check.ErrBusy):
		return http.StatusConflict
	default: // shutdown, or the one who asked has gone
		return http.StatusServiceUnavailable
	}
}

// reloadNow answers POST /-/reload.
func (s *Server) reloadNow(w http.ResponseWriter, r *http.Request) {
	if !s.mayPost(w, r) {
		return
	}
	if s.Reload == nil {
		answer(w, http.StatusServiceUnavailable, "there is no config to reload")
		return
	}
	err := s.Reload(r.Context())
	s.Reloaded(err)
	if err != nil {
		answer(w, http.StatusInternalServerError, check.Block(err.Error(), maxText))
		return
	}
	answer(w, http.StatusOK, "The config was taken over.")
}

// mayPost refuses a POST of a client that may not send one.
func (s *Server) mayPost(w http.ResponseWriter, r *http.Request) bool {
	if !s.postsAllowed(r) {
		answer(w, http.StatusForbidden, "refused: "+mayNotPost)
		return false
	}
	return true
}

func (s *Server) postsAllowed(r *http.Request) bool { return s.MayPost != nil && s.MayPost(r) }

// answerJSON writes v, indented for those who read it in a terminal.
func answerJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false) // nosniff and the type keep it from being read as HTML
	enc.SetIndent("", "  ")
	_ = enc.Encode(v)
}
