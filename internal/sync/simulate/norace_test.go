//go:build !race

package simulate_test

const small = false
