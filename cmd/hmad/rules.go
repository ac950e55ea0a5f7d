package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/hmad/hmad/internal/catalog"
)

// rules prints the alert rules, as they ship or with their durations scaled
// for a trial.
func (c *cli) rules(context.Context) int {
	if !(c.scale > 0 && c.scale <= 1) {
		return c.fail(exitUndecided, errors.New("--scale: want a number above 0 and at most 1"))
	}
	fmt.Fprint(c.stdout, catalog.Rules(c.scale))
	return exitOK
}
