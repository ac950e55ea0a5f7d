package intake

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
)

func TestWhereTheConfigNamesHostsNoOtherMayReport(t *testing.T) {
	for name, c := range map[string]struct {
		hosts []string
		code  int
	}{
		"none named":    {nil, 204},
		"named":         {[]string{"EX02", "EX01"}, 204},
		"named in full": {[]string{"ex01.contoso.com"}, 204},
		"others named":  {[]string{"EX02", "EX011"}, 403},
	} {
		in, _ := intake(t, func(c2 *config.Report) { c2.Hosts = c.hosts })
		memory := new(checktest.Memory)
		in.env.Memory, in.refused.memory = memory, memory
		w := httptest.NewRecorder()
		in.ServeHTTP(w, push(sample(t)))
		assert.Equal(t, c.code, w.Code, name)
		if c.code == 403 {
			assert.Equal(t, "EX01 is not among the servers that may report here (onprem.report.hosts)\n", w.Body.String())
			assert.Equal(t, http.StatusForbidden, RefusedOf(memory, sampleTime).Hosts["ex01"].Code, "the operator is told of the stranger")
		}
	}
}

// Four senders with a good token that send half a report and then nothing: the
// fifth is served when their time is over, not a minute later.
func TestSlowSendersDoNotHoldAllSlots(t *testing.T) {
	in, _ := intake(t, nil)
	in.patience = 200 * time.Millisecond
	s := httptest.NewTLSServer(in)
	defer s.Close()
	for range pushesAtATime {
		conn, err := tls.Dial("tcp", s.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		require.NoError(t, err)
		defer func(c net.Conn) { c.Close() }(conn)
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", Path, pushToken)
	}
	require.Eventually(t, func() bool { return len(in.slots) == pushesAtATime }, checktest.Patience, time.Millisecond)
	r := push(sample(t))
	r.RequestURI = ""
	r.URL.Scheme, r.URL.Host = "https", s.Listener.Addr().String()
	resp, err := s.Client().Do(r)
	require.NoError(t, err)
	resp.Body.Close()
	assert.Equal(t, http.StatusNoContent, resp.StatusCode)
}
