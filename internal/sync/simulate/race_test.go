//go:build race

package simulate_test

// small says that the race detector makes everything slow.
const small = true
