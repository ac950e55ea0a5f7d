package online

import (
	"net/http"
	"strings"
	"testing"

	"github.com/hmad/hmad/internal/check/checktest"
)

// FuzzPage: whatever arrives as a good answer, rows within bounds and without
// side keys, or an error of one line; the accessors never panic.
func FuzzPage(f *testing.F) {
	f.Add([]byte(value("https://outlook.office365.com/adminapi/x", `{"Guid@odata.type":"#Guid","Guid":"x","LastSuccessSync":"2026-07-15T16:40:06.0000000Z"}`)))
	f.Add([]byte(`{"value":null,"@adminapi.warnings":[null,"x"],"error":{"details":[{"message":"a|b|c"}]}}`))
	f.Add([]byte(`{"value":[{"a":{"value":[1],"Count":1}},null,{"a":"\/Date(1)\/"}]}`))
	f.Add([]byte(`{"value":[{"a":"99 GB (106,300,440,576 bytes)"},{"A":"90.00:00:00"}`))
	f.Add([]byte(concurrent))
	f.Fuzz(func(t *testing.T, body []byte) {
		q := question{cmdlet: "Get-Mailbox"}
		p, err := q.page(body)
		if err != nil {
			checktest.OneLine(t, err)
			wantNothingPlanted(t, err.Error())
			if len(p.rows) > 0 {
				t.Error("rows beside an error")
			}
			return
		}
		if len(p.rows) > maxPageRows {
			t.Errorf("%d rows", len(p.rows))
		}
		for _, r := range p.rows {
			for name := range r {
				if strings.Contains(name, "@") {
					t.Errorf("side key %q", name)
				}
				r.Time(name)
				r.Int(name)
				r.Flag(name)
				r.Size(name)
				r.Texts(name)
			}
		}
	})
}

// FuzzRefused: whatever arrives as an error, one line of a known kind without
// what was planted.
func FuzzRefused(f *testing.F) {
	f.Add(400, []byte(fault("Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException", "object 'planted-identity' of x@y.zz couldn't be found")), "")
	f.Add(403, make([]byte, 64), "System.X.ServerBusyException, mscorlib")
	f.Add(500, []byte(concurrent), "")
	f.Add(200, []byte(`{"error":{"message":"'a' 'b'\"c\" planted-token"}}`), "\n")
	f.Fuzz(func(t *testing.T, status int, body []byte, exception string) {
		q := question{cmdlet: "Get-Mailbox"}
		e := q.refused(answer{status, http.Header{"X-Exceptiontype": {exception}, "Request-Id": {exception}}, body})
		checktest.OneLine(t, e)
		wantNothingPlanted(t, e.Error()+e.Type+e.RequestID)
		if e.Kind.class == nil || e.Text == "" {
			t.Errorf("got %+v", e)
		}
	})
}

func wantNothingPlanted(t *testing.T, s string) {
	t.Helper()
	for _, secret := range []string{"planted-token", "planted-identity"} {
		if strings.Contains(strings.ToLower(s), secret) {
			t.Errorf("%s in %q", secret, s)
		}
	}
}
