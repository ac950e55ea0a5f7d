package exporter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// readers returns the number of scrapes under way.
func readers(s *Server) int {
	s.collector.tables.mu.Lock()
	defer s.collector.tables.mu.Unlock()
	return s.collector.tables.sheet.readers
}

// listener hands out one connection, in memory.
type listener chan net.Conn

func (l listener) Accept() (net.Conn, error) {
	if c, ok := <-l; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (l listener) Close() error   { return nil }
func (l listener) Addr() net.Addr { return &net.TCPAddr{} }

// TestAScrapeThatIsNotReadEnds asks for a large answer and does not read it.
func TestAScrapeThatIsNotReadEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, store := fleetOptions()
		o.Now = time.Now
		for n := range 1000 {
			store.Table(syncID)(syncDef.Metrics...).Set(fmt.Sprint(n), 1, 2, 3)
		}
		s := New(o)
		server := &http.Server{Handler: s.Handler(), WriteTimeout: time.Hour}
		client, conn := net.Pipe()
		l := make(listener, 1)
		l <- conn
		go func() { _ = server.Serve(l) }()
		_, err := io.WriteString(client, "GET /metrics HTTP/1.1\r\nHost: hmad\r\n\r\n")
		require.NoError(t, err)
		synctest.Wait()
		require.Equal(t, 1, readers(s))
		time.Sleep(scrapeTimeout - 1)
		synctest.Wait()
		require.Equal(t, 1, readers(s))
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		require.Zero(t, readers(s))
		answer, err := io.ReadAll(client)
		require.NoError(t, err, "the connection is closed")
		require.Less(t, len(answer), 100000, "and the answer cut off")
		close(l)
		require.NoError(t, server.Shutdown(context.Background()))
	})
}

// lines collects what is logged.
type lines []string

func (l *lines) Println(v ...any) { *l = append(*l, fmt.Sprintln(v...)) }

// torn is a ResponseWriter whose reader goes away.
type torn struct{ *httptest.ResponseRecorder }

func (torn) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestAReaderThatGoesAwayIsNoFault(t *testing.T) {
	var said lines
	o, store := fleetOptions()
	o.ErrorLog = &said
	store.Table(syncID)(lastSync).Set("a@contoso.com", 1)
	s := New(o)
	h := s.Handler()
	for _, encoding := range []string{"identity", "gzip"} {
		r := httptest.NewRequest("GET", "/metrics", nil)
		r.Header.Set("Accept-Encoding", encoding)
		h.ServeHTTP(torn{httptest.NewRecorder()}, r)
	}
	assert.Empty(t, said)
	assert.Zero(t, readers(s))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	assert.Contains(t, w.Body.String(), `promhttp_metric_handler_errors_total{cause="encoding"} 0`)
}

// held is a collector that lets nobody pass until it is told.
type held struct{ arrived, leave chan struct{} }

func (held) Describe(chan<- *prometheus.Desc) {}
func (h held) Collect(chan<- prometheus.Metric) {
	h.arrived <- struct{}{}
	<-h.leave
}

func TestScrapesAtOnceAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := fleetOptions()
		s := New(o)
		h, door := s.Handler(), held{make(chan struct{}), make(chan struct{})}
		s.registry.MustRegister(door)
		codes := make(chan int)
		scrape := func() {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
			codes <- w.Code
		}
		for range scrapesInFlight {
			go scrape()
			<-door.arrived
		}
		assert.Equal(t, scrapesInFlight, readers(s))
		started := time.Now()
		go scrape()
		assert.Equal(t, http.StatusServiceUnavailable, <-codes)
		assert.Equal(t, scrapeWait, time.Since(started))
		close(door.leave)
		for range scrapesInFlight {
			assert.Equal(t, http.StatusOK, <-codes)
		}
		assert.Zero(t, readers(s))
	})
}

// asks opens a connection in memory to h and asks for the metrics.
func asks(t *testing.T, l listener) net.Conn {
	client, conn := net.Pipe()
	l <- conn
	_, err := io.WriteString(client, "GET /metrics HTTP/1.1\r\nHost: hmad\r\nConnection: close\r\n\r\n")
	require.NoError(t, err)
	return client
}

// Readers that take their answers slowly do not cost another one its scrape.
func TestSlowReadersGiveWay(t *testing.T) {
	for name, read := range map[string]func(net.Conn){
		"that read nothing": func(net.Conn) {},
		"that read a byte at a time": func(c net.Conn) {
			for _, err := c.Read(make([]byte, 1)); err == nil; _, err = c.Read(make([]byte, 1)) {
				time.Sleep(time.Millisecond)
			}
		},
	} {
		for _, slow := range []int{scrapesInFlight, 4 * scrapesInFlight} {
			t.Run(fmt.Sprint(slow, " ", name), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { scrapesBeside(t, slow, read) })
			})
		}
	}
}

func scrapesBeside(t *testing.T, slow int, read func(net.Conn)) {
	o, store := fleetOptions()
	o.Now = time.Now
	for n := range 1000 {
		store.Table(syncID)(syncDef.Metrics...).Set(fmt.Sprint(n), 1, 2, 3)
	}
	s := New(o)
	server, l := &http.Server{Handler: s.Handler(), WriteTimeout: time.Hour}, make(listener)
	go func() { _ = server.Serve(l) }()
	var all []net.Conn
	for range slow {
		c := asks(t, l)
		all = append(all, c)
		go read(c)
	}
	synctest.Wait()
	require.Equal(t, scrapesInFlight, readers(s))
	started := time.Now()
	c := asks(t, l)
	body, err := io.ReadAll(c)
	require.NoError(t, err)
	assert.Contains(t, string(body[:20]), "200 OK")
	assert.Contains(t, string(body), "hmad_build_info")
	assert.Less(t, time.Since(started), scrapeWait)
	for _, c := range append(all, c) {
		require.NoError(t, c.Close())
	}
	close(l)
	require.NoError(t, server.Close())
	time.Sleep(time.Second) // of the bubble: the slow readers end
	assert.Zero(t, readers(s))
}
