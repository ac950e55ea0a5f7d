package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/hmad/hmad/internal/catalog"
)

var commandInPage = regexp.MustCompile("`hmad (check [^`]+)`")

// pages returns the description of every alert by a reason's full name, as the
// page of target contoso has it.
func pages(t *testing.T) map[string]string {
	t.Helper()
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert       string
				Annotations map[string]string
			}
		}
	}
	require.NoError(t, yaml.Unmarshal([]byte(catalog.Rules(1)), &file))
	texts := map[string]string{}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			texts[r.Alert] = r.Annotations["description"]
		}
	}
	all := map[string]string{}
	for _, d := range catalog.Defs() {
		for _, r := range d.Reasons {
			labels := strings.NewReplacer("{{ $labels.check }}", d.Name, "{{ $labels.target }}", "contoso", "{{ $labels.reason }}", r.Name)
			all[d.Name+"."+r.Name] = labels.Replace(texts[catalog.AlertName(d.Name, r.Name)])
		}
	}
	return all
}

// The command in a page runs as it is printed, but for the paths of an
// installed hmad, and finds what the page tells.
func TestTheCommandInAPageLooksAgain(t *testing.T) {
	l := startLab(t)
	here := strings.NewReplacer("/etc/hmad/hmad.yaml", labConfig(t, l, ""), "/var/lib/hmad", t.TempDir())
	all := pages(t)
	for _, full := range []string{"activesync.bearer_missing", "autodiscover.blocked", "tls_offload.tls_offloaded", "vantage.vantage_offline",
		"configuration.outlook_service_blocked", "evosts_metadata.realm_mismatch", "metadata_refresh.arbitration_mailbox_missing", "metadata_refresh.tokens_refused",
		"onprem_report.report_missing"} {
		t.Run(full, func(t *testing.T) {
			require.NoError(t, l.Set(full, true))
			defer func() { assert.NoError(t, l.Set(full, false)) }()
			command := commandInPage.FindStringSubmatch(all[full])
			require.NotNil(t, command, all[full])
			p := start(t, strings.Fields(here.Replace(command[1]))...)
			<-p.exited
			_, reason, _ := strings.Cut(full, ".")
			assert.Contains(t, p.stdout.String(), reason)
			assert.Contains(t, []int{exitFailed, exitWarned}, p.code, "found, not only named")
			assert.Empty(t, p.stderr.String())
		})
	}
}

// What hmad gathered over hours no single look can repeat: the page does not
// say so.
func TestThePageOfWhatTookHoursHasNoCommand(t *testing.T) {
	for full, text := range pages(t) {
		gathered := slices.Contains([]string{"mailbox_sync.sync_stopped", "mailbox_sync.sync_failing", "mailbox_sync.sync_stale",
			"mailbox_sync.sync_unknown", "mailbox_sync.sweep_behind", "onprem_sync.cloud_sync_stopped"}, full)
		assert.Equal(t, !gathered, commandInPage.MatchString(text), full)
		assert.Contains(t, text, "«Check again»", full)
	}
}
