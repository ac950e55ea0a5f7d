package probes

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestRoundKeepsWhatAPersonReads(t *testing.T) {
	assert.Equal(t, "3.1s", round(3123456789).String())
	assert.Equal(t, "45ms", round(45*time.Millisecond+123456).String())
	assert.Equal(t, "7µs", round(7123).String())
}
