// Command blackbox compares what a probe costs in hmad and in
// blackbox_exporter: both daemons ask one TLS server on loopback the same
// number of times, and the CPU time of each whole process is divided by that
// number. `make bench-blackbox` builds all that it needs and runs it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"
)

// limit bounds a measurement as a whole.
const limit = 3 * time.Minute

// rounds is how often the daemons take turns, so that all of them meet the
// machine in the same state.
const rounds = 4

func main() {
	hmad := flag.String("hmad", "", "hmad's binary")
	blackbox := flag.String("blackbox", "", "blackbox_exporter's binary")
	probes := flag.Int("n", 200, "probes of each daemon, at most 10000")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := run(ctx, os.Stdout, *hmad, *blackbox, *probes); err != nil {
		fmt.Fprintln(os.Stderr, "bench-blackbox:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, hmad, blackbox string, probes int) error {
	if probes < rounds || probes > 10_000 {
		return fmt.Errorf("-n: got %d, want %d to 10000", probes, rounds)
	}
	dir, err := os.MkdirTemp("", "bench-blackbox-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	server, err := serve(dir)
	if err != nil {
		return err
	}
	defer server.Close()

	h, err := startHmad(ctx, hmad, dir, server)
	if err != nil {
		return err
	}
	defer h.stop()
	b, err := startBlackbox(ctx, blackbox, dir)
	if err != nil {
		return err
	}
	defer b.stop()
	subjects := subjectsOf(h, b, server)
	for range rounds {
		for _, s := range subjects {
			if err := s.measure(ctx, server, probes/rounds); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
		}
	}
	return report(out, subjects)
}

// report prints the cost of each subject, and the ratio of hmad's to it.
func report(out io.Writer, subjects []*subject) error {
	own := subjects[0].perProbe()
	if own <= 0 {
		return errors.New("no CPU time was measured")
	}
	fmt.Fprintf(out, "User and system time of the whole process per probe, each over a fresh connection (%d probes).\n"+
		"The ratio is hmad's time divided by that of the line.\n", subjects[0].probes)
	for _, s := range subjects {
		fmt.Fprintf(out, "%-40s %.2f ms, %s", s.name, s.perProbe().Seconds()*1e3, s.asks)
		if s != subjects[0] {
			fmt.Fprintf(out, "; ratio %.2f", own.Seconds()/s.perProbe().Seconds())
		}
		fmt.Fprintln(out)
	}
	return nil
}
