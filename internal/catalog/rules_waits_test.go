package catalog

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/probes"
)

// How long an alert waits follows from the default schedule: a run that asked
// twice is believed, any other waits for the next, except where that is far.
func TestHowLongAlertsWait(t *testing.T) {
	const minute = time.Minute
	plain, confirmed, stated := &check.Reason{}, &check.Reason{Confirm: true}, &check.Reason{For: 30 * minute, Confirm: true}
	for _, c := range []struct {
		schedule   string
		reason     *check.Reason
		hold, keep time.Duration
	}{
		{"*/5 * * * *", confirmed, 2 * minute, 6 * minute},
		{"*/5 * * * *", plain, 6 * minute, 6 * minute},
		{"*/5 * * * *", stated, 30 * minute, 6 * minute},
		{"*/15 * * * *", plain, 2 * minute, 16 * minute},
		{"*/2 * * * *", plain, 3 * minute, 3 * minute},
		{"17 * * * *", plain, 2 * minute, 16 * minute},
		{"17 * * * *", confirmed, 2 * minute, 16 * minute},
	} {
		w := waitsOf(&check.Def{Every: c.schedule})
		assert.Equal(t, c.hold, w.hold(c.reason), "for of %+v", c)
		assert.Equal(t, c.keep, w.keep(), "keep_firing_for of %+v", c)
	}
}

// tls_offload waits until activesync has told what it would tell.
func TestTheSlowerOfTwoChecksWaitsForTheOther(t *testing.T) {
	const minute = time.Minute
	for _, c := range []struct {
		def    *check.Def
		reason string
		want   time.Duration
	}{
		{probes.TLSOffload, "connect_failed", 8 * minute},
		{probes.TLSOffload, "tls_offloaded", 12 * minute},
		{probes.TLSOffload, "host_rewritten", 2 * minute},
		{probes.ActiveSync, "connect_failed", 2 * minute},
		{probes.Autodiscover, "connect_failed", 2 * minute},
	} {
		assert.Equal(t, c.want, holdOf(c.def, c.def.Reason(c.reason)), "%s.%s", c.def.Name, c.reason)
	}
}

// HmadDown comes well before a dead hmad's findings end, and so does its
// inhibition.
func TestFindingsOutlastHmad(t *testing.T) {
	for _, d := range Defs() {
		assert.GreaterOrEqual(t, standing+waitsOf(d).keep(), downAfter+5*time.Minute, d.Name)
	}
}

// The service level is that of the checks about phones that look often.
func TestChecksOfTheServiceLevel(t *testing.T) {
	assert.Equal(t, []string{"autodiscover", "activesync", "mailbox_sync", "onprem_sync"}, PhoneChecks())
}
