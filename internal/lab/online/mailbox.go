package online

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// Where a mailbox's part in Exchange Online is.
const (
	nowhere = ""
	shard   = "ComponentShared" // of a mailbox on premises
	primary = "Primary"         // a mailbox of Exchange Online itself
)

// partnership is one phone and one mailbox.
type partnership struct {
	mailbox, number         int
	client                  string // Outlook, REST or EAS
	first, attempt, success time.Time
}

// Purposes of a hash.
const (
	toFeature = 100 + iota
	toAffect
	toModel
	toLatency
	toPrimary
	_        // a GUID takes two
	toDevice // and what follows, by number of partnership
)

// location returns where mailbox i is. One in fifty has never signed in, one in
// a hundred was moved to the cloud.
func (t *Tenant) location(i int, b *Behaviour) string {
	if i < len(t.opt.Named) {
		switch t.fate(i, b) {
		case NotProvisioned:
			return nowhere
		case InCloud:
			return primary
		}
		return shard
	}
	if b.OtherRows { // or what those without a part in the cloud are answered would be true
		return shard
	}
	switch t.hash(i, toFeature) % 100 {
	case 0, 1:
		return nowhere
	case 2:
		return primary
	default:
		return shard
	}
}

func (t *Tenant) fate(i int, b *Behaviour) Fate {
	if i < len(b.Named) {
		return b.Named[i]
	}
	return Alive
}

// partnerships returns the phones of mailbox i as they are now. One mailbox in
// eight has an old phone besides, one in ten a native client.
func (t *Tenant) partnerships(i int, b *Behaviour) []partnership {
	if t.location(i, b) == nowhere || t.fate(i, b) == Unused {
		return nil
	}
	now := t.opt.Now()
	success, attempt := t.synced(i, b, now)
	all := []partnership{{i, 0, "Outlook", t.opt.Phones.From.Add(-100 * day), attempt, success}}
	if i < len(t.opt.Named) {
		return all
	}
	if h := t.hash(i, toFeature) >> 8; h%8 == 0 {
		old := t.opt.Phones.From.Add(-time.Duration(30+h%300) * day)
		all = append(all, partnership{i, 1, "REST", old.Add(-500 * day), old, old})
	}
	if h := t.hash(i, toFeature) >> 16; h%10 == 0 {
		all = append(all, partnership{i, 2, "EAS", t.opt.Phones.From.Add(-50 * day), now, now})
	}
	return all
}

// synced returns when the phone of mailbox i last succeeded and last tried; the
// zero time: it is not said.
func (t *Tenant) synced(i int, b *Behaviour, now time.Time) (success, attempt time.Time) {
	at := now
	if b.Stopped && b.stopped.Before(now) {
		at = b.stopped
	}
	named, affected := i < len(t.opt.Named), t.affected(i)
	switch {
	case b.Future:
		return now.Add(day), now.Add(day)
	case named && t.fate(i, b) == Undated, affected && b.Unknown:
		return time.Time{}, now.Add(-time.Minute)
	case named && t.fate(i, b) == Silent, affected && b.Stale:
		at = now.Add(-30 * time.Hour)
	case affected && b.Failing:
		success, _ = t.lives(i, now.Add(-3*time.Hour))
		return success, now.Add(-time.Minute)
	}
	return t.lives(i, at)
}

// lives is a phone's normal life: those of the named mailboxes never sleep.
func (t *Tenant) lives(i int, at time.Time) (success, attempt time.Time) {
	if i < len(t.opt.Named) {
		success = at.Truncate(5 * time.Minute)
	} else {
		success = t.opt.Phones.LastSync(i, at)
	}
	return success, success
}

// affected reports whether mailbox i is among the two fifths of a fault.
func (t *Tenant) affected(i int) bool { return i >= len(t.opt.Named) && t.hash(i, toAffect)%5 < 2 }

// deviceID is 32 hex digits for Outlook.
func (p partnership) deviceID(t *Tenant) string {
	return strings.ToUpper(strings.ReplaceAll(t.guidOf(p.mailbox, toDevice+2*uint64(p.number)), "-", ""))
}

func formatGUID(b [16]byte) string {
	h := hex.EncodeToString(b[:])
	return fmt.Sprintf("%s-%s-%s-%s-%s", h[:8], h[8:12], h[12:16], h[16:20], h[20:])
}
