//go:build !e2e

package main

import "time"

// waitLimit is how long tests wait for what must come: longer than any machine
// takes on which something still goes on.
const waitLimit = 20 * time.Minute
