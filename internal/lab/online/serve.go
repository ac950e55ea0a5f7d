package online

import (
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const maxBody = 1 << 20

// ServeHTTP answers POST /adminapi/beta/TENANT/InvokeCommand.
func (t *Tenant) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := t.count.Add(1)
	b := t.behaves.Load()
	t.head(w, n)
	if r.Method != http.MethodPost || !strings.EqualFold(r.URL.Path, "/adminapi/beta/"+t.opt.ID+"/InvokeCommand") {
		http.NotFound(w, r)
		return
	}
	inFlight := t.atOnce.Add(1)
	defer t.atOnce.Add(-1)
	w.Header()["X-Concurrencycount"] = []string{strconv.FormatInt(inFlight, 10)}
	switch {
	case b.Reset > 0 && n%uint64(b.Reset) == 0:
		panic(http.ErrAbortHandler)
	case !t.admit(w, r, b):
	case !t.wait(r, t.latency(b, n)):
		panic(http.ErrAbortHandler) // the client has gone
	case t.opt.AtOnce > 0 && inFlight > int64(t.opt.AtOnce):
		refuse(w, &Refusal{Status: http.StatusInternalServerError, Text: ConcurrencyText})
	case b.Refuse != nil && !t.storm.AllowN(t.opt.Now(), 1):
		refuse(w, b.Refuse)
	case t.allowed != nil && !t.allowed.AllowN(t.opt.Now(), 1):
		refuse(w, &Refusal{Status: http.StatusTooManyRequests, RetryAfter: time.Second})
	default:
		t.invoke(w, r, b, n)
	}
}

// head sets what every answer carries.
func (t *Tenant) head(w http.ResponseWriter, n uint64) {
	h := w.Header()
	h["Request-Id"] = []string{t.guidOf(int(n), toModel)}
	h["X-Calculatedbetarget"] = []string{"AS8PR04MB8001.EURPRD04.PROD.OUTLOOK.COM"}
	h["X-Combinedapponlyconcurrencycount"] = []string{"0"}
	h["Rate-Limit-Limit"] = []string{"30000"}
	h["Rate-Limit-Remaining"] = []string{strconv.FormatUint(30000-n%30000, 10)}
	h["Rate-Limit-Reset"] = []string{t.opt.Now().Add(15 * time.Second).UTC().Format("2006-01-02T15:04:05.000Z")}
}

// admit judges the token: 401 where it is none, or no longer one.
func (t *Tenant) admit(w http.ResponseWriter, r *http.Request, b *Behaviour) bool {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case !ok || b.NoConsent || !t.opt.Trust(token):
		w.Header().Set("WWW-Authenticate", `Bearer client_id="00000002-0000-0ff1-ce00-000000000000", `+
			`trusted_issuers="00000001-0000-0000-c000-000000000000@*", error="invalid_token"`)
	case b.Revoked && t.isRevoked(token):
		claims := fmt.Sprintf(`{"access_token":{"nbf":{"essential":true,"value":"%d"}}}`, t.opt.Now().Unix())
		w.Header().Set("WWW-Authenticate", `Bearer realm="", error="insufficient_claims", claims="`+base64.StdEncoding.EncodeToString([]byte(claims))+`"`)
	default:
		return true
	}
	w.WriteHeader(http.StatusUnauthorized)
	return false
}

// isRevoked refuses the first token that comes, and no other.
func (t *Tenant) isRevoked(token string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.revoked == "" {
		t.revoked = token
	}
	return t.revoked == token
}

// latency is the time that answer n takes: half to one and a half of the
// tenant's.
func (t *Tenant) latency(b *Behaviour, n uint64) time.Duration {
	if t.opt.Latency <= 0 {
		return b.Slow
	}
	return b.Slow + t.opt.Latency/2 + time.Duration(t.hash(int(n), toLatency)%uint64(t.opt.Latency))
}

// wait takes some time; false where the client has gone meanwhile.
func (t *Tenant) wait(r *http.Request, d time.Duration) bool {
	if d == 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

func refuse(w http.ResponseWriter, f *Refusal) {
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(f.RetryAfter.Seconds())))
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(f.Status)
	_, _ = io.WriteString(w, f.Text) // the client may have gone
}

// question is the body of a request.
type question struct {
	CmdletInput struct {
		CmdletName string
		Parameters map[string]any
	}
}

// invoke runs the cmdlet.
func (t *Tenant) invoke(w http.ResponseWriter, r *http.Request, b *Behaviour, n uint64) {
	var q question
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&q); err != nil || q.CmdletInput.Parameters == nil {
		fail(w, http.StatusBadRequest, "Microsoft.Exchange.Admin.OData.Core.ODataServiceException", "The request body is not valid.")
		return
	}
	name := q.CmdletInput.CmdletName
	answer, known := cmdlets[name]
	c := call{w, r, b, q.CmdletInput.Parameters}
	switch {
	case !known || strings.EqualFold(name, b.MissingRole):
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write(make([]byte, 128)) // the client may have gone
	case b.Busy && n%3 == 0:
		name, _ := c.text("User", "Mailbox", "Identity")
		fail(w, http.StatusBadRequest, "Microsoft.Exchange.Data.Storage.StorageTransientException",
			"Cannot open mailbox /o=ExchangeLabs/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn="+name+".")
	default:
		if t.isOfFleet(c) && !t.wait(r, b.SlowFleet) {
			panic(http.ErrAbortHandler)
		}
		answer(t, c)
	}
}

// isOfFleet reports whether a call is about a mailbox that is not named.
func (t *Tenant) isOfFleet(c call) bool {
	name, _ := c.text("User", "Mailbox", "Identity")
	i, ok := t.find(name)
	return ok && i >= len(t.opt.Named)
}

// fail writes an error as InvokeCommand words it.
func fail(w http.ResponseWriter, status int, typeName, text string) {
	writeJSON(w, nil, status, map[string]any{
		"error": map[string]any{"code": "BadRequest", "message": "Invalid Operation",
			"details": []any{map[string]any{"code": "Client", "target": "", "message": "Ex6F9304|" + typeName + "|" + text}},
			"innererror": map[string]any{"message": "Invalid Operation", "type": "Microsoft.Exchange.Admin.OData.Core.ODataServiceException",
				"internalexception": map[string]any{"message": text, "type": typeName, "stacktrace": ""}}},
		"adminapi.warnings@odata.type": "#Collection(String)", "@adminapi.warnings": []string{}})
}

// writeJSON writes an answer, compressed where r accepts it.
func writeJSON(w http.ResponseWriter, r *http.Request, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own maps
	}
	write(w, r, status, body)
}

func write(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8")
	if r == nil || !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.WriteHeader(status)
		_, _ = w.Write(body) // the client may have gone
		return
	}
	w.Header().Set("Content-Encoding", "gzip")
	w.WriteHeader(status)
	z := gzip.NewWriter(w)
	_, _ = z.Write(body)
	_ = z.Close()
}
