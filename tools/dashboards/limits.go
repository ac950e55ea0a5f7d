package main

import (
	"time"

	"github.com/hmad/hmad/internal/config"
)

// Where colours change, in the units of the panels. Red is for what pages,
// orange for what warns or is on its way to a page, purple for what hmad
// cannot tell; blue and grey say neither well nor ill.

const hour, day = 3600.0, 24 * 3600.0

func seconds(d time.Duration) float64 { return d.Seconds() }

// defaults is a target that says no more than it must: the limits that its
// settings make are those of the colours.
func defaults() config.Target {
	f, err := config.Parse("defaults", []byte("targets: [{name: contoso, mailbox: hmad-probe@contoso.com, tenant: 5de110f8-2e0f-4d45-891d-bcf2218e253d, autodiscover: {host: autodiscover.contoso.com}}]"))
	if err != nil {
		panic("dashboards: the least config is refused: " + err.Error()) // every test would see it
	}
	return f.Targets[0]
}
