package collector

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var renew = flag.Bool("renew", false, "write the recorded reports of internal/report/testdata/recorded anew")

// recordings are the runs whose reports are testdata of package report, so that its
// decoders see them where there is no PowerShell. Renew them by
//
//	go test ./deploy/exchange -run TestRecordedReports -renew
var recordings = map[string]scenario{
	"healthy":           {mailboxes: "a@contoso.com,gone@contoso.com"},
	"de-CH":             {env: []string{"LC_ALL=de_CH.UTF-8", "TZ=Europe/Zurich"}},
	"ar-SA":             {words: "numbers", env: []string{"LC_ALL=ar_SA.UTF-8", "TZ=Asia/Riyadh"}},
	"no-session":        {words: "no-session", mailboxes: "a@contoso.com"},
	"without-a-mailbox": {words: "no-arbitration-mailbox,no-events", env: []string{"ExchangeInstallPath="}},
}

func TestRecordedReports(t *testing.T) {
	for name, c := range recordings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var args []string
			if c.mailboxes != "" {
				args = []string{"-Mailboxes", c.mailboxes}
			}
			o := newBed(t).run(t, c.words, c.env, args...)
			require.Zero(t, o.status, o.complaints)
			file := filepath.Join("../../internal/report/testdata/recorded", name+".json")
			if *renew {
				require.NoError(t, os.WriteFile(file, []byte(strings.ReplaceAll(string(o.data), o.dir, "C:")), 0o644))
			}
			recorded, err := os.ReadFile(file)
			require.NoError(t, err)
			assert.Equal(t, shape(t, recorded), shape(t, o.data), "renew it")
		})
	}
}

// shape returns a report's form: its keys, the kinds of its values, and which of
// its sections failed.
func shape(t *testing.T, data []byte) string {
	t.Helper()
	var tree any
	require.NoError(t, json.Unmarshal(data, &tree))
	out, err := json.MarshalIndent(form(tree), "", " ")
	require.NoError(t, err)
	return string(out)
}

func form(v any) any {
	switch v := v.(type) {
	case map[string]any:
		all := map[string]any{}
		for k, e := range v {
			all[k] = form(e)
		}
		return all
	case []any:
		var all []string
		for _, e := range v {
			text, err := json.Marshal(form(e))
			if err != nil {
				return err.Error()
			}
			all = append(all, string(text))
		}
		slices.Sort(all)
		return slices.Compact(all)
	case string:
		return "text"
	case float64:
		return "number"
	default:
		return v
	}
}
