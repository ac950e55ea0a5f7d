package main

import (
	"testing"

	"github.com/stretchr/testify/assert"

	hmadsync "github.com/hmad/hmad/internal/sync"
)

// A config with sync has both checks in every command: the daemon sweeps the
// fleet, check and doctor ask the watch list.
func TestTheSyncTimesInEveryCommand(t *testing.T) {
	s := startSyncLab(t)
	config := labConfig(t, s.lab, "")
	names := []string{hmadsync.MailboxSync.Name, hmadsync.OnPremSync.Name}
	daemon := startRun(t, config)
	for _, name := range names {
		r := daemon.runNow(t, name)
		assert.Equal(t, "passed", r.Outcome, "run: %+v", r)
		r = checkOnce(t, config, name)
		assert.Equal(t, "passed", r.Outcome, "check: %+v", r)
	}
	p := start(t, "check", "--config.file="+config, hmadsync.MailboxSync.Name)
	<-p.exited
	assert.Regexp(t, `not judged: +sync_stopped, sync_failing, sync_stale`, p.stdout.String(), "the fleet, which one look does not ask")
	p = start(t, "doctor", "--web.listen-address=127.0.0.1:0", "--config.file="+config)
	<-p.exited
	for _, name := range names {
		assert.Regexp(t, `works +check `+name+` +passed`, p.stdout.String())
	}
}

// ofSync reports whether a check is one of those of the times of synchronisation.
func ofSync(name string) bool {
	return name == hmadsync.MailboxSync.Name || name == hmadsync.OnPremSync.Name
}
