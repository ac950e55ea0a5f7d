package lab

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// organisation is one whose clock a test sets.
type organisation struct {
	*premises
	clock time.Time
	began time.Time
}

func newOrganisation(t *testing.T) *organisation {
	t.Helper()
	o := &organisation{clock: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)}
	o.began = o.clock
	now := func() time.Time { return o.clock }
	keys, err := newKeyring(now)
	require.NoError(t, err)
	o.premises = newPremises(now, keys)
	return o
}

// logged returns what the first server reports of the job since the test began,
// as ids.
func (o *organisation) logged() (ids []int) {
	all, _ := o.reports(Facts{}, cloudSide{})
	for _, w := range all[0].rows("authAdminEvents") {
		if w["time"].(time.Time).After(o.began) {
			ids = append(ids, w["id"].(int))
		}
	}
	return ids
}

func (o *organisation) holdsAll() bool {
	published, _ := o.entra.keys()
	return assert.ObjectsAreEqual(published, o.held(cloudSide{}))
}

func TestHealthyJobHasRunForDays(t *testing.T) {
	o := newOrganisation(t)
	all, _ := o.reports(Facts{}, cloudSide{})
	var ago []time.Duration
	for _, w := range all[0].rows("authAdminEvents") {
		assert.Equal(t, eventCompleted, w["id"])
		ago = append(ago, o.clock.Sub(w["time"].(time.Time)))
	}
	assert.Equal(t, []time.Duration{26 * time.Hour, 18 * time.Hour, 10 * time.Hour, 2 * time.Hour}, ago)
	assert.Empty(t, all[1].rows("authAdminEvents"), "the second server does not run the job")
	assert.True(t, o.holdsAll())
}

func TestJobFetchesARolledKeyOnItsPeriod(t *testing.T) {
	for name, inUse := range map[string]bool{"ahead of use": false, "in use at once": true} {
		t.Run(name, func(t *testing.T) {
			o := newOrganisation(t)
			_, before := o.entra.keys()
			o.entra.roll(inUse)
			published, using := o.entra.keys()
			assert.Equal(t, inUse, using == published[len(published)-1])
			assert.NotSame(t, before, using)
			o.clock = o.clock.Add(6*time.Hour - time.Second)
			assert.Empty(t, o.logged())
			assert.False(t, o.holdsAll(), "the job comes every eight hours")
			o.clock = o.clock.Add(time.Second)
			assert.Equal(t, []int{eventUpdated, eventCompleted}, o.logged())
			assert.True(t, o.holdsAll())
			assert.Equal(t, o.clock, o.changed)
			o.clock = o.clock.Add(16 * time.Hour)
			assert.Equal(t, []int{eventUpdated, eventCompleted, eventCompleted, eventCompleted}, o.logged(), "nothing to write")
		})
	}
}

func TestRefreshByHandLogsNothing(t *testing.T) {
	o := newOrganisation(t)
	o.entra.roll(true)
	o.refresh()
	assert.True(t, o.holdsAll())
	assert.Equal(t, o.clock, o.changed)
	assert.Empty(t, o.logged())
}

func TestRollsWithdrawTheOldest(t *testing.T) {
	o := newOrganisation(t)
	first, _ := o.entra.keys()
	for range 5 {
		o.entra.roll(false)
	}
	published, using := o.entra.keys()
	assert.Len(t, published, maxKeys)
	assert.NotContains(t, published, first[1])
	assert.Contains(t, published, using)
	o.refresh()
	assert.True(t, o.holdsAll())
}

func TestJobFailsInEachWay(t *testing.T) {
	for id := range jobErrors {
		o := newOrganisation(t)
		o.entra.roll(true)
		o.change(premisesSide{jobError: id})
		o.clock = o.clock.Add(time.Millisecond)
		assert.Equal(t, []int{id, eventCompleted}, o.after(), "it runs at once, and ends")
		assert.False(t, o.holdsAll())
		o.clock = o.clock.Add(retryAfter)
		if retried := o.after(); id == eventTransient {
			assert.Len(t, retried, 4, "a transient error is tried again")
		} else {
			assert.Len(t, retried, 2, id)
		}
		o.change(premisesSide{})
		assert.True(t, o.holdsAll(), "mended")
		assert.Equal(t, eventCompleted, o.events[len(o.events)-1].ID)
		assert.Equal(t, eventUpdated, o.events[len(o.events)-2].ID)
	}
}

// after is logged, that of the first moment included.
func (o *organisation) after() []int {
	o.began = o.began.Add(-time.Second)
	defer func() { o.began = o.began.Add(time.Second) }()
	return o.logged()
}

func TestStoppedJob(t *testing.T) {
	o := newOrganisation(t)
	side := behaviour{}
	stopJob(&side)
	o.change(side.premises)
	o.entra.roll(true)
	o.clock = o.clock.Add(20 * time.Hour)
	assert.Empty(t, o.logged())
	assert.False(t, o.holdsAll())
	o.change(premisesSide{})
	assert.Equal(t, []int{eventUpdated, eventCompleted}, o.logged(), "the service is started again")
}
