package config

import (
	"net/url"
	"strings"
)

// NationalCloud is a cloud of Microsoft's of its own, for which the guide rules
// hybrid Modern Authentication of Outlook mobile out («Technical and licensing
// requirements», the note).
type NationalCloud struct {
	Name  string // US Government
	where string // for the US government
}

// String returns the cloud in words, with what follows.
func (c NationalCloud) String() string {
	return "Microsoft's cloud " + c.where + ", for which hybrid Modern Authentication of Outlook mobile is not supported"
}

var (
	government = NationalCloud{"US Government", "for the US government"}
	vianet     = NationalCloud{"China (21Vianet)", "in China (21Vianet)"}
	germany    = NationalCloud{"Office 365 Germany", "in Germany, which is closed"}
)

// CloudOf returns the national cloud that a host belongs to, by its sign-in, Graph
// or Exchange Online names or cloud_instance_name (Microsoft's pages «National
// clouds» of the identity platform and «Office 365 URLs and IP address ranges» of
// each cloud); false for the worldwide cloud and for hosts of others.
func CloudOf(host string) (NationalCloud, bool) {
	host = "." + strings.TrimSuffix(strings.ToLower(host), ".")
	for _, c := range []struct {
		ending string
		cloud  NationalCloud
	}{
		{".microsoftonline.us", government}, {".microsoftonline-us.com", government}, {".login-us.microsoftonline.com", government},
		{".office365.us", government}, {".graph.microsoft.us", government}, {".dod-graph.microsoft.us", government}, {".apps.mil", government},
		{".microsoftonline.cn", vianet}, {".chinacloudapi.cn", vianet}, {".partner.outlook.cn", vianet}, {".office365.cn", vianet},
		{".microsoftonline.de", germany}, {".office.de", germany}, {".graph.microsoft.de", germany},
	} {
		if strings.HasSuffix(host, c.ending) {
			return c.cloud, true
		}
	}
	return NationalCloud{}, false
}

// NationalClouds returns what settings of a target lead to another cloud than the
// worldwide one, each with that cloud in words.
func (t Target) NationalClouds() (all []string) {
	for _, s := range []struct {
		setting, host string
	}{
		{"entra.openid_configuration", hostOf(t.Entra.OpenIDConfiguration.Of(t.Tenant))},
		{"metadata.url", hostOf(t.Metadata.URL.Of(t.Tenant))},
		{"exchange_online.authority_host", hostOf(t.ExchangeOnline.AuthorityHost.Value())},
		{"graph.host", hostOf(t.Graph.Host.Value())},
		{"exchange_online.host", hostOf(t.ExchangeOnline.Host.Value())},
	} {
		if c, ok := CloudOf(s.host); ok {
			all = append(all, s.setting+" ("+s.host+") is of "+c.String())
		}
	}
	return all
}

func hostOf(u *url.URL) string {
	if u == nil {
		return ""
	}
	return u.Hostname()
}
