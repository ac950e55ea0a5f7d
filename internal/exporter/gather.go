package exporter

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
)

// gatherer gathers the registry's families and those of the tables.
type gatherer struct {
	registry *prometheus.Registry
	tables   *tables
}

// Gather implements prometheus.TransactionalGatherer: what it gives does not
// change until done is called. A family that both have is the registry's.
func (g gatherer) Gather() (families []*dto.MetricFamily, done func(), err error) {
	sheet := g.tables.open()
	families, err = g.registry.Gather()
	families = append(families, sheet.families...)
	slices.SortStableFunc(families, func(a, b *dto.MetricFamily) int { return strings.Compare(a.GetName(), b.GetName()) })
	families = slices.CompactFunc(families, func(a, b *dto.MetricFamily) bool { return a.GetName() == b.GetName() })
	return families, func() { g.tables.close(sheet) }, err
}

// metrics serves what is gathered. One bad series costs itself, not the scrape,
// and shows in promhttp_metric_handler_errors_total.
func (s *Server) metrics() http.Handler {
	return streamed(promhttp.HandlerForTransactional(gatherer{s.registry, s.tables}, promhttp.HandlerOpts{
		ErrorLog:            s.ErrorLog,
		ErrorHandling:       promhttp.ContinueOnError,
		Registry:            s.registry,
		EnableOpenMetrics:   true,
		MaxRequestsInFlight: scrapesInFlight,
	}))
}

// streamed lets a scrape take scrapeTimeout. promhttp's own Timeout would hold
// the whole answer in memory, tens of megabytes for a large fleet.
func streamed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Where there is no connection there is no deadline to set.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(scrapeTimeout))
		next.ServeHTTP(&patient{ResponseWriter: w}, r)
	})
}

// patient is told the answer and nothing of it, once its reader is gone: that
// is no fault of the scrape, to be logged and counted once for each family.
type patient struct {
	http.ResponseWriter
	gone bool
}

// Write implements io.Writer.
func (w *patient) Write(p []byte) (int, error) {
	if !w.gone {
		_, err := w.ResponseWriter.Write(p)
		w.gone = err != nil
	}
	return len(p), nil
}
