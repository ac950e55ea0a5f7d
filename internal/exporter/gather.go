package exporter

import (
	"net/http"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
)

// gatherer returns the families of the registry, of the checks, of their
// counters and of their tables.
type gatherer struct {
	registry  *prometheus.Registry
	collector *collector
	meter     *Meter // nil: none
}

// Gather implements prometheus.TransactionalGatherer: what it returns does not
// change until done is called. A family that several have is the registry's, or
// else the tables' last.
func (g gatherer) Gather() (families []*dto.MetricFamily, done func(), err error) {
	tables := g.collector.tables
	sheet := tables.open()
	series := newAssembly()
	g.collector.collect(series)
	if g.meter != nil {
		g.meter.collect(series)
	}
	families, err = g.registry.Gather()
	families = inOrder(slices.Concat(families, series.all(), sheet.families))
	return families, func() { tables.close(sheet) }, err
}

// metrics serves what is gathered. One bad series costs itself, not the scrape,
// and shows in promhttp_metric_handler_errors_total.
func (s *Server) metrics() http.Handler {
	return newScrapeLimit(promhttp.HandlerForTransactional(s.gatherer(), promhttp.HandlerOpts{
		ErrorLog:          s.ErrorLog,
		ErrorHandling:     promhttp.ContinueOnError,
		Registry:          s.registry,
		EnableOpenMetrics: true,
	}))
}
