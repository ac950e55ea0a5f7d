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
	"github.com/hmad/hmad/internal/report"
)

func TestTheDoctorSeesReportsThatComeTooRarely(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		every, age time.Duration
		collector  string
		tookMs     int
		want       []string // status and subject of each row
	}{
		"every 15 minutes":         {15 * time.Minute, time.Minute, report.CollectorVersion, 30000, []string{"works on-premises report"}},
		"every 40 minutes":         {40 * time.Minute, time.Minute, report.CollectorVersion, 0, []string{"works on-premises report"}},
		"every hour":               {time.Hour, time.Minute, report.CollectorVersion, 0, []string{"works on-premises report", "warning report interval"}},
		"every day, two hours ago": {24 * time.Hour, 121 * time.Minute, report.CollectorVersion, 0, []string{"broken on-premises report"}},
		"by an older collector":    {15 * time.Minute, time.Minute, "1.1.0", 0, []string{"works on-premises report", "warning collector"}},
		"with a slow section":      {15 * time.Minute, time.Minute, report.CollectorVersion, 30001 + 1000, []string{"works on-premises report", "warning collector"}},
	} {
		t.Run(name, func(t *testing.T) {
			env := checktest.Env(time.Now)
			env.Reports = t.TempDir()
			text := fmt.Sprintf(`{"schema":1,"collector":%q,"host":"EX01","intervalSeconds":%.0f,"generatedAt":%q,"sections":{"iis":{"ok":false,"error":"x","tookMs":%d}}}`,
				c.collector, c.every.Seconds(), now.Add(-c.age).Format(time.RFC3339), c.tookMs)
			require.NoError(t, os.WriteFile(filepath.Join(env.Reports, "ex01.json"), []byte(text), 0o600))
			var got []string
			for _, s := range reports(config.Target{OnPrem: config.OnPrem{Report: config.Report{Folder: env.Reports}}}, env) {
				got = append(got, s.Status+" "+s.What)
			}
			assert.Equal(t, c.want, got)
		})
	}
}
