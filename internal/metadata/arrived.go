package metadata

import (
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/report"
)

// reportsOf returns the function that reads the target's reports.
func reportsOf(env check.Env) func() ([]report.Arrived, error) {
	reader := check.SharedOf[report.Reader](env.Shared)
	return func() ([]report.Arrived, error) {
		if env.Reports == "" {
			return nil, check.Errorf(check.ReportInput, "there is no folder of on-premises reports")
		}
		return reader.Read(env, env.Reports)
	}
}
