package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/hmad/hmad/internal/check"
	runs "github.com/hmad/hmad/internal/run"
	"github.com/hmad/hmad/internal/state"
)

// notifier reports the state of the daemon to the service manager, in the words of
// sd_notify(3). Where nobody listens (no NOTIFY_SOCKET) it is silent.
//
// The watchdog is fed by the dispatcher alone: each time it has looked around
// it calls beat. A dispatcher that hangs so has the daemon restarted; a check
// that takes long, in a goroutine of its own, does not.
type notifier struct {
	send   func(message string) // nil: nobody listens
	status func() string        // one line for systemctl status
	beats  chan struct{}        // holds one sign of life

	watchdog time.Duration // without a sign of life for so long: restart; 0: none is kept
	pause    time.Duration // between two messages of serve
}

// newNotifier makes the notifier that the environment asks for.
func newNotifier(log *zap.Logger, status func() string) *notifier {
	n := &notifier{status: status, beats: make(chan struct{}, 1), pause: time.Second}
	if os.Getenv("NOTIFY_SOCKET") == "" {
		return n
	}
	n.send = func(message string) {
		if _, err := sd.SdNotify(false, message); err != nil {
			log.Warn("the service manager cannot be notified", zap.Error(err))
		}
	}
	watchdog, err := sd.SdWatchdogEnabled(false)
	if err != nil {
		log.Warn("no watchdog", zap.Error(err))
	}
	if watchdog > 0 {
		n.watchdog, n.pause = watchdog, min(n.pause, watchdog/10)
	}
	return n
}

// follow has the dispatcher feed the watchdog, three times before it would
// bite.
func (n *notifier) follow(d *runs.Dispatcher) {
	d.OnTick(n.beat)
	if n.watchdog > 0 {
		d.TickWithin(n.watchdog / 3)
	}
}

// beat is a sign of life. It never waits, whatever becomes of the service
// manager.
func (n *notifier) beat() {
	select {
	case n.beats <- struct{}{}:
	default:
	}
}

// serve passes signs of life on, and in the end that the daemon stops.
func (n *notifier) serve(ctx context.Context) {
	for n.rest(ctx) {
		select {
		case <-n.beats:
			n.tell(sd.SdNotifyWatchdog)
		case <-ctx.Done():
		}
	}
	n.tell(sd.SdNotifyStopping)
}

// rest waits for the pause, and says whether ctx still goes on.
func (n *notifier) rest(ctx context.Context) bool {
	timer := time.NewTimer(n.pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// ready says that the start, or a reload, is done.
func (n *notifier) ready() { n.tell(sd.SdNotifyReady) }

// reloading says that a reload begins. The time, microseconds of the monotonic
// clock, is for units of Type=notify-reload.
func (n *notifier) reloading() {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return // no Linux is without it
	}
	n.tell(fmt.Sprintf("%s\nMONOTONIC_USEC=%d", sd.SdNotifyReloading, now.Nano()/int64(time.Microsecond)))
}

func (n *notifier) tell(message string) {
	if n.send != nil {
		n.send(message + "\nSTATUS=" + n.status())
	}
}

// statusLine counts the checks by the outcome of their last run.
func statusLine(all []state.Status) string {
	const notRun check.Outcome = "not run yet"
	count := map[check.Outcome]int{}
	for _, s := range all {
		if s.Last.Start.IsZero() {
			count[notRun]++
		} else {
			count[s.Last.Outcome()]++
		}
	}
	line, separator := fmt.Sprintf("%d checks", len(all)), ": "
	for _, o := range slices.Concat(check.Outcomes, []check.Outcome{notRun}) {
		if count[o] > 0 {
			line += fmt.Sprintf("%s%d %s", separator, count[o], o)
			separator = ", "
		}
	}
	return line
}
