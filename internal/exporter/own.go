package exporter

import (
	"runtime"
	"runtime/debug"

	"github.com/hmad/hmad/internal/check"
)

// The daemon's own families. They carry neither check nor target.
var (
	BuildInfo = &check.Metric{Name: "hmad_build_info", Kind: check.Gauge, NoTarget: true,
		Labels: []string{"version", "revision", "goversion"},
		Help:   "Always 1; the labels show the version of hmad that runs."}
	TargetInfo = &check.Metric{Name: "hmad_target_info", Kind: check.Gauge, NoTarget: true, Labels: []string{"target", "vantage"},
		Help: "Always 1, for each target of the config; vantage shows where this hmad runs (inside or external). Daemons with the same target and " +
			"vantage watch the same thing."}
	WebInfo = &check.Metric{Name: "hmad_web_info", Kind: check.Gauge, NoTarget: true, Labels: []string{"external_url"},
		Help: "Always 1; external_url is where people reach this hmad's page (--web.external-url), which alerts link to. Absent without it."}
	ReloadSuccessful = &check.Metric{Name: "hmad_config_last_reload_successful", Kind: check.Gauge, NoTarget: true,
		Help: "1 when the last reload of the config succeeded, 0 when it was refused and the previous config stays in force."}
	ReloadTime = &check.Metric{Name: "hmad_config_last_reload_success_timestamp_seconds", Kind: check.Gauge, NoTarget: true,
		Help: "Unix time at which the config in force was loaded."}
	StateHealthy = &check.Metric{Name: "hmad_state_healthy", Kind: check.Gauge, NoTarget: true,
		Help: "1 when results reach the state file or none is configured, 0 when they are only in memory; checks run either way."}
	StateSetAside = &check.Metric{Name: "hmad_state_set_aside", Kind: check.Gauge, NoTarget: true,
		Help: "1 when this process found a state file that it could not use, set it aside and started a new one."}
	StateDamaged = &check.Metric{Name: "hmad_state_damaged_lines", Kind: check.Gauge, NoTarget: true,
		Help: "Lines of the state file that this process found damaged. They are lost, all others are kept."}
	StateLastWrite = &check.Metric{Name: "hmad_state_last_write_timestamp_seconds", Kind: check.Gauge, NoTarget: true,
		Help: "Unix time of the last write to the state file; absent before the first."}
	StateWriteErrors = &check.Metric{Name: "hmad_state_write_errors_total", Kind: check.Counter, NoTarget: true,
		Help: "Batches of changes that did not reach the state file, after the file could be opened; hmad_state_healthy shows whether it could."}
	SeriesDropped = &check.Metric{Name: "hmad_series_dropped", Kind: check.Gauge, NoTarget: true, Labels: []string{"family"},
		Help: "Series of a family that this scrape does not show: over a cap, duplicate, or not as declared."}
	MeterRejected = &check.Metric{Name: "hmad_meter_rejected_total", Kind: check.Counter, NoTarget: true,
		Help: "Counts and observations thrown away because they were not as declared: a defect in hmad."}
)

// Own lists the families that the exporter adds to those of
// client_golang's Go, process and promhttp collectors.
var Own = []*check.Metric{BuildInfo, TargetInfo, WebInfo, ReloadSuccessful, ReloadTime, StateHealthy, StateSetAside, StateDamaged,
	StateLastWrite, StateWriteErrors, SeriesDropped, MeterRejected}

// buildLabels returns the label values of BuildInfo. Where the linker was told no
// revision, it is the one that Go found in the repository.
func buildLabels(version, revision string) []string {
	if revision != "" {
		return []string{version, revision, runtime.Version()}
	}
	revision = "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = s.Value
			}
		}
	}
	return []string{version, revision, runtime.Version()}
}
