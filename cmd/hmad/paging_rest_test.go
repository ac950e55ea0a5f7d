//go:build e2e

package main

import (
	"context"
	"net/http"
	"regexp"
	"strconv"
	"sync"
	"time"
)

// rest sees that nothing more is told, in a group interval and until Alertmanager
// has forgotten the target's group: the next fault must be the first of its group,
// as it is in earnest.
func (r *round) rest(ctx context.Context) error {
	from := time.Now()
	if err := pause(ctx, r.pace.of(6*time.Minute)); err != nil {
		return err
	}
	for !r.groups.forgotSince(from) && time.Since(from) < forgets+time.Second {
		if err := pause(ctx, waitTick); err != nil {
			return err
		}
	}
	return nil
}

// forgets is how often Alertmanager looks for groups to forget.
const forgets = 30 * time.Second

// groups watches how many groups of alerts Alertmanager knows.
type groups struct {
	mu     sync.Mutex
	known  float64
	forgot time.Time // when that number last fell
}

var numberOfGroups = regexp.MustCompile(`(?m)^alertmanager_dispatcher_aggregation_groups (\S+)$`)

// watch counts the groups until the context ends.
func (g *groups) watch(ctx context.Context, alertmanager string) {
	for pause(ctx, time.Second) == nil {
		req, err := http.NewRequest(http.MethodGet, "http://"+alertmanager+"/metrics", nil)
		if err != nil {
			return
		}
		body, err := fetch(req)
		m := numberOfGroups.FindSubmatch(body)
		if err != nil || m == nil {
			continue // without it, rests are as long as it takes Alertmanager at most
		}
		n, _ := strconv.ParseFloat(string(m[1]), 64)
		g.mu.Lock()
		if n < g.known {
			g.forgot = time.Now()
		}
		g.known = n
		g.mu.Unlock()
	}
}

func (g *groups) forgotSince(at time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.forgot.Add(-time.Second).After(at) // it is seen a second later at most
}
