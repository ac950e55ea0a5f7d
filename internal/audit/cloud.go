package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/report"
	"github.com/hmad/hmad/internal/transport"
)

const (
	cloudTimeout     = 15 * time.Second
	maxConfiguration = 256 << 10 // bytes of an OpenID configuration; Microsoft's has 2 kB
)

// worldwide is the cloud_instance_name of the cloud that the guide is about.
const worldwide = "microsoftonline.com"

// cloud is where a tenant lives, by extensions of Microsoft's to its OpenID
// configuration (domain notes, section 10).
type cloud struct {
	Instance string `json:"cloud_instance_name"`
	SubScope string `json:"tenant_region_sub_scope"` // null worldwide; GCC, DODCON, DOD
}

var errNoTenant = errors.New("the config names no tenant whose cloud could be asked for")

// newCloudQuestion returns the function that asks for the tenant's cloud.
func newCloudQuestion(t config.Target, env check.Env) (func(context.Context) (cloud, error), error) {
	if t.Tenant == "" || t.Entra.OpenIDConfiguration == "" {
		return func(context.Context) (cloud, error) {
			return cloud{}, errNoTenant
		}, nil
	}
	client, err := transport.NewClient(t, env)
	if err != nil {
		return nil, err
	}
	at := strings.ReplaceAll(t.Entra.OpenIDConfiguration, "{tenant}", url.PathEscape(t.Tenant))
	return func(ctx context.Context) (cloud, error) {
		c, err := fetchCloud(ctx, client, at)
		if err != nil {
			return c, check.Errorf(check.Metadata, "the tenant's OpenID configuration: %w", err)
		}
		return c, nil
	}, nil
}

func fetchCloud(ctx context.Context, client *http.Client, at string) (cloud, error) {
	ctx, cancel := context.WithTimeout(ctx, cloudTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return cloud{}, errors.New("no URL that can be asked")
	}
	req.Header.Set("Accept", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		var withURL *url.Error
		if errors.As(err, &withURL) {
			err = withURL.Err // without the URL, which may hold more than it should
		}
		return cloud{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return cloud{}, fmt.Errorf("status %d", resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxConfiguration))
	if err != nil {
		return cloud{}, err
	}
	return readCloud(body)
}

func readCloud(body []byte) (cloud, error) {
	var c cloud
	if err := json.Unmarshal(body, &c); err != nil {
		return cloud{}, errors.New("it is no JSON object in the expected form")
	}
	if c.Instance == "" {
		return cloud{}, errors.New("it names no cloud_instance_name")
	}
	return c, nil
}

// judgeCloud: the guide rules out tenants of US Government Community and
// Defense, of Office 365 Germany and of 21Vianet («Technical and licensing
// requirements», the note). A cloud that is in neither list is not judged. A
// document that cannot be read is an error of class metadata, as it is in
// evosts_metadata; one that names no cloud has no other check to tell of it.
func judgeCloud(e estate) answer {
	hybrid, err := report.Newest(e.Evidence, report.Report.HybridConfiguration)
	if err == nil && len(hybrid) > 0 && hybrid[0].ServiceInstance == 1 {
		return unmet([]string{e.tenant}, "Get-HybridConfiguration has ServiceInstance 1, the cloud of 21Vianet")
	}
	c := e.cloud
	switch {
	case errors.Is(e.cloudErr, errNoTenant):
		return never("%s", e.cloudErr)
	case e.cloudErr != nil:
		return open(e.cloudErr)
	case unsupportedCloud(c) != "":
		return unmet([]string{e.tenant}, "%s: %s", unsupportedCloud(c), c)
	case strings.EqualFold(c.Instance, worldwide) && c.SubScope == "":
		return met("%s", c)
	default:
		return moot("an unknown cloud: %s", c)
	}
}

func (c cloud) String() string {
	s := "cloud_instance_name " + check.Clean(c.Instance, 60)
	if c.SubScope != "" {
		s += ", tenant_region_sub_scope " + check.Clean(c.SubScope, 60)
	}
	return s
}

// unsupportedCloud names the cloud that rules the feature out, if it does.
func unsupportedCloud(c cloud) string {
	switch strings.ToUpper(c.SubScope) {
	case "GCC":
		return "US Government Community (GCC)"
	case "DODCON":
		return "US Government Community High (GCC High)"
	case "DOD":
		return "US Government Defense (DoD)"
	}
	switch strings.ToLower(c.Instance) {
	case "microsoftonline.us":
		return "the US Government"
	case "partner.microsoftonline.cn", "chinacloudapi.cn":
		return "China (21Vianet)"
	case "microsoftonline.de":
		return "Office 365 Germany"
	}
	return ""
}
