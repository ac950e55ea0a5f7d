package audit

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/report"
)

// answered asks a server that answers with the body.
func answered(t *testing.T, body string) (cloud, error) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) }))
	t.Cleanup(server.Close)
	return fetchCloud(t.Context(), server.Client(), server.URL)
}

func TestCloudUnsupported(t *testing.T) {
	for name, c := range map[string]struct {
		body  string
		want  state
		words string
	}{
		"worldwide":                        {`{"cloud_instance_name":"microsoftonline.com","tenant_region_scope":"EU","tenant_region_sub_scope":null}`, isMet, "microsoftonline.com"},
		"worldwide, in other case":         {`{"cloud_instance_name":"MicrosoftOnline.com"}`, isMet, ""},
		"US Government Community":          {`{"cloud_instance_name":"microsoftonline.com","tenant_region_sub_scope":"GCC"}`, isUnmet, "Community (GCC)"},
		"US Government Community High":     {`{"cloud_instance_name":"microsoftonline.us","tenant_region_sub_scope":"DODCON"}`, isUnmet, "GCC High"},
		"US Government Defense":            {`{"cloud_instance_name":"microsoftonline.us","tenant_region_sub_scope":"dod"}`, isUnmet, "DoD"},
		"US Government without sub-scope":  {`{"cloud_instance_name":"microsoftonline.us"}`, isUnmet, "US Government"},
		"21Vianet":                         {`{"cloud_instance_name":"partner.microsoftonline.cn"}`, isUnmet, "21Vianet"},
		"21Vianet's older name":            {`{"cloud_instance_name":"chinacloudapi.cn"}`, isUnmet, "21Vianet"},
		"a national one by its endpoint":   {`{"token_endpoint":"https://login.microsoftonline.us/x/oauth2/v2.0/token"}`, isUnmet, "US Government: cloud_instance_name login.microsoftonline.us"},
		"Germany":                          {`{"cloud_instance_name":"microsoftonline.de"}`, isUnmet, "Germany"},
		"a cloud that the guide knows not": {`{"cloud_instance_name":"sovcloud-identity.fr"}`, isOpen, "unknown cloud"},
		"a sub-scope that nobody knows":    {`{"cloud_instance_name":"microsoftonline.com","tenant_region_sub_scope":"X"}`, isOpen, "unknown cloud"},
	} {
		t.Run(name, func(t *testing.T) {
			e := estateOf(t)
			var err error
			e.cloud, err = answered(t, c.body)
			require.NoError(t, err)
			judged{state: c.want, seen: c.words}.check(t, judgeCloud(e))
		})
	}
}

func TestCloudWithoutAnAnswer(t *testing.T) {
	silent := func(edits ...edit) answer {
		e := estateOf(t, edits...)
		e.cloud, e.cloudErr = cloud{}, errors.New("status 503")
		return judgeCloud(e)
	}
	judged{state: isOpen, seen: "503"}.check(t, silent())
	judged{state: isUnmet, seen: "ServiceInstance 1"}.check(t, silent(data(report.SectionHybrid, `[{"serviceInstance":1}]`)))
	judged{state: isOpen, seen: "503"}.check(t, silent(failed(report.SectionHybrid)))
}

func TestReadCloudRefuses(t *testing.T) {
	for name, body := range map[string]string{
		"nothing":           ``,
		"a page":            `<html>`,
		"a list":            `[]`,
		"no cloud":          `{"issuer":"x"}`,
		"cut off":           `{"cloud_instance_name":"microsoftonline.com`,
		"a number for text": `{"cloud_instance_name":1}`,
	} {
		_, err := answered(t, body)
		require.Error(t, err, name)
		assert.NotContains(t, err.Error(), "\n")
	}
	c, err := answered(t, `{"cloud_instance_name":"a`+strings.Repeat("b", 1000)+`\n"}`)
	require.NoError(t, err)
	assert.Less(t, len(c.String()), 100)
}
