package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/entra"
	"github.com/hmad/hmad/internal/graph"
)

// consent is what gives hmad's app a permission of Microsoft Graph.
const consent = "grant the app of graph.client_id (a managed identity: its service principal) the application permission %s of Microsoft Graph, with admin " +
	"consent; without it hmad does not judge %s"

// graphSteps try the token for Microsoft Graph, then each permission by itself.
func graphSteps(ctx context.Context, t config.Target, env check.Env) []step {
	const what = "token for Microsoft Graph"
	if !t.Graph.Configured() {
		return []step{{What: what, Status: off, Detail: "needs " + config.GraphNeeds}}
	}
	client, err := graph.New(t, env)
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, stepTimeout)
		defer cancel()
		err = client.Token(ctx)
	}
	if err != nil {
		return []step{noToken(what, "graph", err)}
	}
	steps := []step{{What: what, Status: works, Detail: client.Kind()}}
	for _, a := range graph.Areas {
		steps = append(steps, areaStep(ctx, client, a, t.Mailbox))
	}
	return steps
}

// areaStep tries one permission.
func areaStep(ctx context.Context, client *graph.Client, a *graph.Area, mailbox string) step {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	what := "Graph: " + a.Permission
	switch err := a.Try(ctx, client, mailbox); {
	case err == nil:
		return step{What: what, Status: works, Detail: "for " + a.Lost}
	case check.ClassOf(err) == check.Permission:
		return step{what, broken, oneLine(err), fmt.Sprintf(consent, a.Permission, a.Lost)}
	case errors.Is(err, entra.ErrUnreachable):
		return step{what, unclear, oneLine(err), wayOut}
	default:
		return step{What: what, Status: unclear, Detail: oneLine(err)}
	}
}
