package plan

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/budget"
)

// FuzzRestore: whatever lies in the state file, a mailbox that is in a state,
// comes up for its turn and is kept as it is.
func FuzzRestore(f *testing.F) {
	m := entry{staleAfter: 3600, state: Fresh, success: 1e9, checked: 1e9, location: Location{1}}
	f.Add(m.record())
	m.state, m.tries, m.due = Error, 200, 1<<32-1
	f.Add(m.record())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, record []byte) {
		m := entry{key: "a", staleAfter: 3600}
		if m.restore(record) != nil {
			return
		}
		require.Less(t, m.state, states)
		require.Less(t, m.at(1<<31), states)
		again := entry{key: "a", staleAfter: 3600}
		require.NoError(t, again.restore(m.record()))
		require.Equal(t, m, again)

		p := fleet(Settings{StaleAfter: day, Budget: budget.New(1, 1)}, 0)
		p.Restore(monday, "a", record, AllSources)
		require.LessOrEqual(t, p.all[0].due, secondsOf(monday.Add(restMost)))
		require.NotPanics(t, func() { p.Count(monday) })
	})
}
