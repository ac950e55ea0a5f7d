//go:build !race

package simulate_test

import (
	"fmt"
	"testing"

	"github.com/hmad/hmad/internal/sync/simulate"
)

const small = false

// Of a fleet as small as the race detector allows it would say little.
func TestThePromisesHoldForOtherFleets(t *testing.T) {
	for _, c := range promised {
		for seed := uint64(2); seed <= 3; seed++ {
			t.Run(fmt.Sprintf("%s, seed %d", c.kind, seed), func(t *testing.T) {
				t.Parallel()
				o := hundredThousand(seed)
				o.LifeOnly = true
				holds(t, c, simulate.Run(o, c.kind, c.staleAfter))
			})
		}
	}
}
