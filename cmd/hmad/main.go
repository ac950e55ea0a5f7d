// Command hmad watches hybrid Modern Authentication for Outlook mobile: the
// daemon (run), one look from the command line (check), help for config and
// reasons, and a lab to try it all on (demo, lab).
//
// Output rules: results go to stdout, everything else to stderr, one line per
// message, beginning with "hmad:". Exit codes of check are those of monitoring
// plugins (exit.go).
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
