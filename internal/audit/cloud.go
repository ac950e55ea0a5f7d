package audit

import (
	"context"
	"errors"
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
	Endpoint string `json:"token_endpoint"`
}

var errNoTenant = errors.New("the config names no tenant, so its cloud is not known")

// newCloudQuestion returns the function that asks for the tenant's cloud.
func newCloudQuestion(t config.Target, env check.Env) (func(context.Context) (cloud, error), error) {
	at := t.Entra.OpenIDConfiguration.Of(t.Tenant)
	if t.Tenant == "" || at == nil {
		return func(context.Context) (cloud, error) {
			return cloud{}, errNoTenant
		}, nil
	}
	way, err := transport.New(t, env)
	if err != nil {
		return nil, err
	}
	client := way.Client()
	return func(ctx context.Context) (cloud, error) {
		c, err := fetchCloud(ctx, client, at.String())
		if err != nil {
			return c, check.Errorf(check.Metadata, "the tenant's OpenID configuration: %w", err)
		}
		return c, nil
	}, nil
}

func fetchCloud(ctx context.Context, client *http.Client, at string) (c cloud, err error) {
	ctx, cancel := context.WithTimeout(ctx, cloudTimeout)
	defer cancel()
	err = transport.GetJSON(ctx, client, transport.Request{URL: at, Max: maxConfiguration}, &c)
	if u, bad := url.Parse(c.Endpoint); bad == nil && c.Instance == "" {
		if _, national := config.CloudOf(u.Hostname()); national {
			c.Instance = u.Hostname()
		}
	}
	if err == nil && c.Instance == "" {
		err = errors.New("it names no cloud_instance_name")
	}
	return c, err
}

// judgeCloud: the guide rules out tenants of US Government Community and
// Defense, of Office 365 Germany and of 21Vianet («Technical and licensing
// requirements», the note). A cloud that is in neither list is not judged. A
// document that cannot be read is an error of class metadata, as it is in
// evosts_metadata; no other check reports one that names no cloud.
func judgeCloud(e estate) answer {
	hybrid, err := report.Newest(e.Evidence, report.Report.HybridConfiguration)
	if err == nil && len(hybrid) > 0 && hybrid[0].ServiceInstance == 1 {
		return unmet([]string{e.tenant}, "Get-HybridConfiguration has ServiceInstance 1, the cloud of 21Vianet")
	}
	if err == nil && len(hybrid) > 0 {
		err = hybrid[0].Lacks("serviceInstance")
	}
	c := e.cloud
	switch {
	case errors.Is(e.cloudErr, errNoTenant):
		return never("%s", e.cloudErr)
	case e.cloudErr != nil:
		return open(e.cloudErr)
	case unsupportedCloud(c) != "":
		return unmet([]string{e.tenant}, "%s: %s", unsupportedCloud(c), c)
	case errors.Is(err, report.ErrValue):
		return open(err)
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
	national, _ := config.CloudOf(c.Instance)
	return national.Name
}
