package collector

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/report"
)

// The report says the same in every culture and zone. The test bed's organisation has
// one time in the hour that central Europe has twice, and one in the hour that it
// leaves out; the zone is that of both sides.
func TestCulturesAndZones(t *testing.T) {
	for name, c := range map[string]struct {
		zone    string
		changed []string // of the two auth servers, any of these
	}{
		"de_DE": {"Europe/Berlin", []string{"2026-10-25T00:30:00.0000000Z", "2026-10-25T01:30:00.0000000Z", "2026-03-29T00:30:00.0000000Z", "2026-03-29T01:30:00.0000000Z"}},
		"de_CH": {"UTC", []string{"2026-10-25T02:30:00.0000000Z", "2026-03-29T02:30:00.0000000Z"}},
		"ar_SA": {"Asia/Riyadh", []string{"2026-10-24T23:30:00.0000000Z", "2026-03-28T23:30:00.0000000Z"}},
		"th_TH": {"Asia/Bangkok", []string{"2026-10-24T19:30:00.0000000Z", "2026-03-28T19:30:00.0000000Z"}},
		"tr_TR": {"Europe/Istanbul", []string{"2026-10-24T23:30:00.0000000Z", "2026-03-28T23:30:00.0000000Z"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newBed(t).run(t, "healthy", []string{"LC_ALL=" + name + ".UTF-8", "TZ=" + c.zone}, "-Mailboxes", twoMailboxes)
			require.Zero(t, o.status, o.complaints)
			scenario{mailboxes: twoMailboxes}.judge(t, o)
			r, err := report.Decode(o.data)
			require.NoError(t, err)
			limits, err := r.TransportConfig()
			require.NoError(t, err)
			assert.Equal(t, int64(36700160), limits.MaxSendSize.Bytes)
			for _, row := range o.sections(t)["authServers"].Data {
				assert.Contains(t, c.changed, row["whenChanged"])
			}
			for name, s := range healthy(t).sections(t) {
				if name != "transportConfig" && name != "authServers" && name != "exchangeCertificates" && name != "frontEndRequests" && name != "autodetectVisits" && name != "localServer" && name != "webConfig" {
					assert.Equal(t, len(texts(s)), len(texts(o.sections(t)[name])), name)
				}
			}
			assert.Equal(t, texts(healthy(t).sections(t)["virtualDirectories"]), texts(o.sections(t)["virtualDirectories"]))
		})
	}
}
