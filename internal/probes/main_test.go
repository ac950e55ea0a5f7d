package probes

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(benchServerVar) != "" {
		serveBench()
		return
	}
	goleak.VerifyTestMain(m)
}
