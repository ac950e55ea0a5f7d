package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
)

func TestTheDoctorSeesReportsThatComeTooRarely(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		every, age time.Duration
		want       []string // status and subject of each row
	}{
		"every 15 minutes":         {15 * time.Minute, time.Minute, []string{"works on-premises report"}},
		"every 40 minutes":         {40 * time.Minute, time.Minute, []string{"works on-premises report"}},
		"every hour":               {time.Hour, time.Minute, []string{"works on-premises report", "warning report interval"}},
		"every day, two hours ago": {24 * time.Hour, 121 * time.Minute, []string{"broken on-premises report"}},
	} {
		t.Run(name, func(t *testing.T) {
			env := checktest.Env(time.Now)
			env.Reports = t.TempDir()
			text := fmt.Sprintf(`{"schema":1,"host":"EX01","intervalSeconds":%.0f,"generatedAt":%q,"sections":{"iis":{"ok":false,"error":"x"}}}`,
				c.every.Seconds(), now.Add(-c.age).Format(time.RFC3339))
			require.NoError(t, os.WriteFile(filepath.Join(env.Reports, "ex01.json"), []byte(text), 0o600))
			var got []string
			for _, s := range reports(config.Target{OnPrem: config.OnPrem{Report: config.Report{Folder: env.Reports}}}, env) {
				got = append(got, s.status+" "+s.what)
			}
			assert.Equal(t, c.want, got)
		})
	}
}
