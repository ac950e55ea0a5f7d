package online_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/lab/online"
	adminapi "github.com/hmad/hmad/internal/online"
)

func (c *cloud) statistics(i int) (adminapi.Rows, error) {
	return c.ask("Get-MailboxStatistics", map[string]any{"Identity": c.GUID(i)})
}

// items returns the count of the only row.
func items(t *testing.T, rows adminapi.Rows) int64 {
	t.Helper()
	require.Len(t, rows.Rows, 1)
	n, err := rows.Rows[0].Int("ItemCount")
	require.NoError(t, err)
	return n
}

func TestStatistics(t *testing.T) {
	c := newCloud(t, 10, nil)
	rows, err := c.statistics(0)
	require.NoError(t, err)
	before := items(t, rows)
	row := rows.Rows[0]
	assert.Equal(t, c.GUID(0), row.String("MailboxGuid"))
	logon, err := row.Time("LastLogonTime")
	require.NoError(t, err)
	assert.WithinRange(t, logon, start.Add(-5*time.Minute), start)
	size, err := row.Size("TotalItemSize")
	require.NoError(t, err)
	assert.Equal(t, int64(1288490188), size.Bytes)

	byTenant, err := c.ask("Get-MailboxStatistics", map[string]any{"Identity": tenantID + `\` + c.GUID(0)})
	require.NoError(t, err)
	assert.Equal(t, rows.Rows, byTenant.Rows)

	c.now = c.now.Add(5 * time.Minute)
	rows, err = c.statistics(0)
	require.NoError(t, err)
	assert.NotEqual(t, before, items(t, rows), "mail comes in")

	c.Behave(online.Behaviour{PremisesSilent: true})
	rows, err = c.statistics(0)
	require.NoError(t, err)
	before = items(t, rows)
	c.now = c.now.Add(time.Hour)
	rows, err = c.statistics(0)
	require.NoError(t, err)
	assert.Equal(t, before, items(t, rows), "the leg to Exchange rests")
}

func TestOddStatistics(t *testing.T) {
	c := newCloud(t, 10, nil)
	c.Behave(online.Behaviour{Named: []online.Fate{online.Unused}})
	rows, err := c.statistics(0)
	require.NoError(t, err)
	assert.Empty(t, rows.Rows)
	rows, err = c.devices(0)
	require.NoError(t, err)
	assert.Empty(t, rows.Rows)

	c.Behave(online.Behaviour{OtherRows: true})
	rows, err = c.statistics(0)
	require.NoError(t, err)
	assert.Equal(t, c.GUID(1), rows.Rows[0].String("MailboxGuid"))

	for name, b := range map[string]online.Behaviour{"without a zone": {ZoneLess: true}, "in the future": {Future: true}} {
		c.Behave(b)
		rows, err = c.statistics(0)
		require.NoError(t, err, name)
		logon, err := rows.Rows[0].Time("LastLogonTime")
		assert.True(t, err != nil || logon.After(start.Add(time.Hour)), name)
	}

	for want, b := range map[adminapi.Kind]online.Behaviour{
		adminapi.Access:   {MissingRole: "Get-MailboxStatistics"},
		adminapi.NotFound: {Named: []online.Fate{online.NotProvisioned}},
		adminapi.Invalid:  {ManyRows: true},
	} {
		c.Behave(b)
		_, err = c.statistics(0)
		assert.Equal(t, want, kind(t, err))
	}
}
