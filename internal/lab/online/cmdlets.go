package online

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// call is one cmdlet call.
type call struct {
	w      http.ResponseWriter
	r      *http.Request
	b      *Behaviour
	params map[string]any
}

// text returns the first of the parameters that is there, and whether one is.
func (c call) text(names ...string) (string, bool) {
	for name, v := range c.params {
		for _, n := range names {
			if strings.EqualFold(name, n) {
				s, _ := v.(string)
				return s, true
			}
		}
	}
	return "", false
}

const (
	notFoundType  = "Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException"
	ambiguousType = "Microsoft.Exchange.AdminApi.CommandInvocation.AmbiguousParameterSetException"
)

// cmdlets are those that the lab knows; all others are as if the role lacked
// them.
var cmdlets = map[string]func(*Tenant, call){
	"Get-MailboxLocation":        (*Tenant).getLocation,
	"Get-MailboxStatistics":      (*Tenant).getStatistics,
	"Get-MobileDeviceStatistics": (*Tenant).getDevices,
	"Get-MobileDevice":           (*Tenant).getInventory,
}

// otherHost is one that no token must reach.
const otherHost = "https://outlook.fabrikam.test"

// getLocation answers with everybody where nobody is named, as Exchange does.
func (t *Tenant) getLocation(c call) {
	name, _ := c.text("User", "Identity")
	if name == "" {
		t.page(c, func(i int) []row { return t.locationRows(i, c.b) })
		return
	}
	if i, ok := t.find(name); ok {
		t.rows(c, t.locationRows(i, c.b))
		return
	}
	t.notFound(c, name)
}

func (t *Tenant) notFound(c call, name string) {
	fail(c.w, http.StatusBadRequest, notFoundType,
		fmt.Sprintf("The operation couldn't be performed because object '%s' couldn't be found on 'AM9PR04A001DC01.EURPR04A001.PROD.OUTLOOK.COM'.", name))
}

func (t *Tenant) getDevices(c call) {
	t.one(c, "Mailbox", func(i int) []row { return t.deviceRows(i, c.b) })
}

// one answers of one mailbox, which must be named.
func (t *Tenant) one(c call, param string, of func(i int) []row) {
	name, given := c.text(param, "Identity")
	i, ok := t.find(name)
	switch {
	case !given:
		fail(c.w, http.StatusBadRequest, ambiguousType, "Parameter set cannot be resolved using the specified named parameters.")
	case !ok || !t.has(i, name, c.b):
		t.notFound(c, name)
	default:
		t.rows(c, of(i))
	}
}

// has reports whether mailbox i is there by that name. What was beside a mailbox
// on premises is gone when that one has moved to the cloud itself.
func (t *Tenant) has(i int, name string, b *Behaviour) bool {
	where := t.location(i, b)
	return where == shard || where == primary && !strings.Contains(strings.ToLower(name), guidHead)
}

func (t *Tenant) getInventory(c call) {
	if name, given := c.text("Mailbox", "Identity"); given {
		i, ok := t.find(name)
		if !ok {
			t.notFound(c, name)
			return
		}
		t.rows(c, t.inventoryRows(i, c.b))
		return
	}
	t.page(c, func(i int) []row { return t.inventoryRows(i, c.b) })
}

// page answers of all mailboxes, a page at a time.
func (t *Tenant) page(c call, of func(i int) []row) {
	from := 0
	if token := c.r.URL.Query().Get("$skiptoken"); token != "" {
		raw, err := base64.RawURLEncoding.DecodeString(token)
		if from, _ = strconv.Atoi(string(raw)); err != nil || from <= 0 || c.b.ExpiredPage {
			writeJSON(c.w, c.r, http.StatusBadRequest, map[string]any{"error": map[string]any{"code": "BadRequest",
				"message": "Expired or Invalid pagination request. Default Expiry time is 00:30:00"}})
			return
		}
	}
	size := 1000
	if _, s, ok := strings.Cut(c.r.Header.Get("Prefer"), "odata.maxpagesize="); ok {
		if n, err := strconv.Atoi(s); err == nil && n > 0 {
			size = min(size, n)
		}
	}
	var rows []row
	i := from
	for ; i < t.opt.Mailboxes && len(rows) < size; i++ {
		rows = append(rows, of(i)...)
	}
	answer := c.envelope(rows)
	if i < t.opt.Mailboxes {
		host := "https://" + c.r.Host
		if c.b.OtherHost {
			host = otherHost
		}
		answer["@odata.nextLink"] = host + c.r.URL.Path + "?$skiptoken=" + base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(i)))
		answer["@adminapi.warnings"] = []string{"There are more results available than are currently displayed. " +
			"To view them, increase the value for the ResultSize parameter."}
	}
	writeJSON(c.w, c.r, http.StatusOK, answer)
}

// rows answers with these rows, or with what a hostile answer has instead.
func (t *Tenant) rows(c call, rows []row) {
	switch {
	case c.b.ManyRows:
		write(c.w, c.r, http.StatusOK, []byte(`{"value":[{}`+strings.Repeat(",{}", 999_999)+`]}`))
	case c.b.Deep:
		write(c.w, c.r, http.StatusOK, []byte(`{"value":[{"x":`+strings.Repeat("[", 100_000)+strings.Repeat("]", 100_000)+`}]}`))
	default:
		answer := c.envelope(rows)
		if c.b.OtherHost {
			answer["@odata.nextLink"] = otherHost + c.r.URL.Path + "?$skiptoken=MQ"
		}
		body, err := json.Marshal(answer)
		if err != nil {
			panic(err) // our own maps
		}
		if c.b.BadText { // which the encoder has mended
			body = bytes.ReplaceAll(body, []byte(`\ufffd`), []byte("\xff"))
		}
		write(c.w, c.r, http.StatusOK, body)
	}
}

// envelope is a good answer; its rows are never null.
func (c call) envelope(rows []row) map[string]any {
	var selected []string
	if s := c.r.URL.Query().Get("$select"); s != "" {
		selected = strings.Split(s, ",")
	}
	value := make([]row, 0, len(rows))
	for _, r := range rows {
		value = append(value, r.pick(selected))
	}
	return map[string]any{"@odata.context": "https://" + c.r.Host + "/adminapi/beta/$metadata#Collection(Exchange.GenericHashTable)",
		"adminapi.warnings@odata.type": "#Collection(String)", "@adminapi.warnings": []string{}, "value": value}
}
