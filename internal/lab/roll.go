package lab

import "time"

// Past is what hmad would remember if it had watched for longer than it has:
// whoever runs hmad beside a lab writes it into its memory before each run, so
// that faults that take hours show at the next run.
type Past struct {
	// Published are certificates (DER) that Entra has published for that long.
	Published []PublishedFor
	// LastRefresh is how long ago the refresh job's last good run was, on
	// Server; zero where hmad's own memory holds.
	LastRefresh time.Duration
	Server      string
}

// PublishedFor is one certificate and for how long it has been published.
type PublishedFor struct {
	DER []byte
	For time.Duration
}

// Roll makes Entra publish a new signing key and sign with it at once, or with
// the one that it published before. Exchange has it when its job runs next,
// every eight hours by the lab's clock, or by Refresh.
func (l *Lab) Roll(inUse bool) { l.keys.roll(inUse) }

// Refresh does what Set-AuthServer -RefreshAuthMetadata does: Exchange stores
// what Entra publishes now. The servers report it at once.
func (l *Lab) Refresh() error {
	l.premises.refresh()
	return l.reportNow()
}

// Past returns what the faults that are on make of the past.
func (l *Lab) Past() Past {
	cloud := l.hosts["vantage"].now.Load().cloud
	l.premises.mu.Lock()
	defer l.premises.mu.Unlock()
	past := Past{LastRefresh: l.premises.side.lastRun, Server: servers[0]}
	if cloud.seen > 0 {
		for _, k := range l.keys.besides(cloud.rolling, 0) {
			past.Published = append(past.Published, PublishedFor{k.der, cloud.seen})
		}
	}
	return past
}
