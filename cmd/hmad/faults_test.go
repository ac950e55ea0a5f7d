package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/catalog"
)

// Every reason has a lab fault of its name; while it is on, its check shows
// exactly that reason and the other checks nothing; once it is off, nothing.
func TestEachFaultShowsExactlyItsReason(t *testing.T) {
	e := startDemo(t)
	for _, c := range catalog.Names() {
		require.Empty(t, e.runNow(t, c).reasons(), "a healthy lab: %s", c)
	}
	for _, fault := range e.faults(t) {
		def, reason := catalog.FindReason(fault)
		if reason == nil {
			continue
		}
		t.Run(fault, func(t *testing.T) {
			e.fault(t, fault, true)
			for _, c := range catalog.Names() {
				want := []string{}
				if c == def.Name {
					want = []string{reason.Name}
				}
				r := e.runNow(t, c)
				assert.Equal(t, want, r.reasons(), "%s: %+v", c, r)
			}
			e.fault(t, fault, false)
			r := e.runNow(t, def.Name)
			assert.Equal(t, "passed", r.Outcome, "mended: %+v", r)
		})
	}
}

func TestEveryReasonHasAFault(t *testing.T) {
	faults := startDemo(t).faults(t)
	for _, d := range catalog.Defs() {
		for _, r := range d.Reasons {
			assert.Contains(t, faults, d.Name+"."+r.Name)
		}
	}
	for _, f := range faults {
		name, _, _ := strings.Cut(f, ".")
		if slices.Contains(catalog.Names(), name) {
			_, reason := catalog.FindReason(f)
			assert.NotNil(t, reason, "fault %s looks like a reason's", f)
		}
	}
}

// faults lists the names of the lab's faults.
func (e *estate) faults(t *testing.T) []string {
	t.Helper()
	status, body := request(t, http.MethodGet, e.control+"/faults")
	require.Equal(t, http.StatusOK, status)
	var all []struct {
		Name, Doc string
		On        bool
	}
	require.NoError(t, json.Unmarshal([]byte(body), &all))
	var names []string
	for _, f := range all {
		assert.NotEmpty(t, f.Doc, f.Name)
		assert.False(t, f.On, f.Name)
		names = append(names, f.Name)
	}
	require.NotEmpty(t, names)
	return names
}
