// Command hmad watches hybrid Modern Authentication for Outlook mobile: the
// daemon (run), questions to it (mailbox, explain), one look from the command
// line (check), a trial of every path and permission (doctor), help for config,
// reasons and alert rules, and a lab to try it all on (demo, lab).
//
// Output rules: results go to stdout, everything else to stderr, one line per
// message, beginning with "hmad:". Exit codes of check and doctor are those of
// monitoring plugins (once.go).
package main

import (
	"context"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(signalled(os.Args[1:])) }

// signalled runs hmad with args until it ends; SIGINT and SIGTERM end it.
func signalled(args []string) int {
	log.SetOutput(io.Discard) // package net/http quotes there what a server sends unasked
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return run(ctx, args, os.Stdout, os.Stderr)
}
