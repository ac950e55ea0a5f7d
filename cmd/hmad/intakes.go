package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/report/intake"
	"github.com/hmad/hmad/internal/state"
)

// intakes are the TLS listeners on which Exchange servers push their reports,
// one for each target that asks for it. They are opened once: a reload cannot
// change them.
type intakes struct {
	configs   map[string]config.Report // by target
	intakes   []*intake.Server
	listeners []net.Listener
}

// openIntakes opens the listeners that the file asks for, whose files have been
// found in order.
func openIntakes(file *config.File, w *world) (*intakes, error) {
	in := &intakes{configs: pushed(file)}
	for i, t := range file.Targets {
		if t.OnPrem.Report.Listen.IsZero() {
			continue
		}
		env := w.env(t, catalog.Emits(intake.Pushes).Name)
		folder := state.Folder(env.Reports)
		_ = folder.Make() // a disk that fails is tried again at each push
		server := intake.New(t.OnPrem.Report, env, folder.Put)
		l, err := net.Listen("tcp", t.OnPrem.Report.Listen.String())
		if err != nil {
			in.close()
			return nil, file.InTarget(i, config.Invalid("onprem.report.listen", "%s", err))
		}
		in.intakes, in.listeners = append(in.intakes, server), append(in.listeners, l)
	}
	return in, nil
}

// listenable returns an error for each listener that the file asks for and that
// this host does not let hmad open. One that is in use may be the running hmad's.
func listenable(file *config.File) error {
	var refused []*config.Error
	for i, t := range file.Targets {
		if t.OnPrem.Report.Listen.IsZero() {
			continue
		}
		l, err := net.Listen("tcp", t.OnPrem.Report.Listen.String())
		switch {
		case err == nil:
			_ = l.Close() // opened to see that it can be
		case !errors.Is(err, syscall.EADDRINUSE):
			refused = append(refused, file.InTarget(i, config.Invalid("onprem.report.listen", "%s", err)))
		}
	}
	return file.Join(refused...)
}

// pushed returns the report settings of the targets that listen for pushes.
func pushed(file *config.File) map[string]config.Report {
	all := map[string]config.Report{}
	for _, t := range file.Targets {
		if r := t.OnPrem.Report; !r.Listen.IsZero() {
			r.Hosts = nil // the check's matter: a reload may change it
			all[t.Name] = r
		}
	}
	return all
}

// unchanged refuses a file whose listeners are others than those that are open.
func (in *intakes) unchanged(file *config.File) error {
	now := pushed(file)
	for i, t := range file.Targets {
		have, ok := in.configs[t.Name]
		if want, wanted := now[t.Name]; ok != wanted || fmt.Sprint(have) != fmt.Sprint(want) {
			return file.InTarget(i, config.Invalid("onprem.report.listen", "a reload cannot change this listener: restart hmad"))
		}
	}
	return nil
}

// serve takes pushes until ctx ends.
func (in *intakes) serve(ctx context.Context) error {
	var group errgroup.Group
	for i := range in.intakes {
		group.Go(func() error { return in.intakes[i].Serve(ctx, in.listeners[i]) })
	}
	return group.Wait()
}

func (in *intakes) close() {
	for _, l := range in.listeners {
		_ = l.Close() // Serve may have closed it
	}
}
