package plan

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// monday is ten o'clock on a working day.
var monday = time.Date(2026, time.November, 23, 10, 0, 0, 0, time.UTC)

const day = 24 * time.Hour
