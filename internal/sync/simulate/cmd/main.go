// Command cmd prints how package plan does with modelled fleets:
//
//	go run ./internal/sync/simulate/cmd -mailboxes 100000 -rate 2
package main

import (
	"flag"
	"os"

	"github.com/hmad/hmad/internal/sync/simulate"
)

func main() {
	o := simulate.Options{}
	flag.IntVar(&o.Mailboxes, "mailboxes", 100_000, "size of the fleet")
	flag.IntVar(&o.Watched, "watched", 10, "mailboxes on the watch list")
	flag.Float64Var(&o.Rate, "rate", 2, "calls per second that the tenant is asked at most")
	flag.Uint64Var(&o.Seed, "seed", 1, "of the phones")
	flag.Parse()
	simulate.Simulate(os.Stdout, o)
}
