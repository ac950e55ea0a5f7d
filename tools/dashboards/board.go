//lint:file-ignore SA1019 Grafana 11 reads the classic schema alone, and Grafana 12 and 13 read it too.

package main

import (
	"encoding/json"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/statetimeline"
	"github.com/grafana/grafana-foundation-sdk/go/table"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/exporter"
)

// board is a dashboard: rows of panels, from the top.
type board struct {
	uid, title, doc string
	home            []string // checks whose alerts Grafana marks here; on the overview those of all others
	rows            []row
	variables       []cog.Builder[dashboard.VariableModel] // beside those of every board
}

type row struct {
	title     string
	panels    []panel
	perTarget bool // once for each of the chosen targets
	folded    bool // second line: open by a click
}

// panel is a picture with its size; Grafana's grid is 24 wide, and a unit of
// height is about a line of text.
type panel struct {
	shows         scene
	width, height uint32
	of            cog.Builder[dashboard.Panel]
}

// scene is where the tests demand that every query of a panel gives data.
type scene string

const (
	unsure  scene = ""        // nowhere: what was made of declarations may have no data
	healthy scene = "healthy" // in a demo without a fault, and so in any
	broken  scene = "broken"  // in a demo with faults
	alerted scene = "alerted" // where Prometheus evaluates hmad's alert rules, in a demo with faults
)

// schemaVersion is that of Grafana 11.0, so that every later one brings the
// board up to its own by its migrations.
const schemaVersion = 39

// docsURL is where links to the documents lead.
const docsURL = "https://github.com/hmad/hmad/blob/main/docs/"

func (b board) json() ([]byte, error) {
	builder := dashboard.NewDashboardBuilder(b.title).Uid(b.uid).Description(b.doc).Tags([]string{"hmad"}).
		Readonly().Refresh("1m").Time("now-24h", "now").Timezone("browser").Tooltip(dashboard.DashboardCursorSyncCrosshair)
	for _, v := range append(commonVariables(), b.variables...) {
		builder.WithVariable(v)
	}
	for _, l := range links() {
		builder.Link(l)
	}
	d, err := builder.Annotations([]cog.Builder[dashboard.AnnotationQuery]{began(b.home), changed(b.home)}).Build()
	if err != nil {
		return nil, err
	}
	d.SchemaVersion = schemaVersion
	for i := range d.Links {
		d.Links[i].Placement = nil // at the top, where they can be seen
	}
	for i := range d.Annotations.List {
		d.Annotations.List[i].Placement = nil
	}
	if d.Panels, err = b.laidOut(); err != nil {
		return nil, err
	}
	data, err := json.MarshalIndent(d, "", "  ")
	return append(data, '\n'), err
}

// laidOut puts the panels of each row from left to right, as many as fit
// beneath one another, and numbers them from 1.
func (b board) laidOut() ([]dashboard.PanelOrRowPanel, error) {
	var out []dashboard.PanelOrRowPanel
	y, id := uint32(0), uint32(0)
	for _, r := range b.rows {
		id++
		head, err := r.head(id, y)
		if err != nil {
			return nil, err
		}
		out = append(out, dashboard.PanelOrRowPanel{RowPanel: &head})
		y++
		top := y
		x, tallest := uint32(0), uint32(0)
		for _, p := range r.panels {
			if x+p.width > 24 {
				x, y, tallest = 0, y+tallest, 0
			}
			id++
			built, err := p.of.Build()
			if err != nil {
				return nil, err
			}
			tidy(&built)
			built.Id, built.GridPos = ptr(id), &dashboard.GridPos{X: x, Y: y, W: p.width, H: p.height}
			if r.folded {
				head.Panels = append(head.Panels, built) // a folded row holds its panels itself
			} else {
				out = append(out, dashboard.PanelOrRowPanel{Panel: &built})
			}
			x, tallest = x+p.width, max(tallest, p.height)
		}
		if y += tallest; r.folded {
			y = top
		}
	}
	return out, nil
}

// head returns the row's own line.
func (r row) head(id, y uint32) (dashboard.RowPanel, error) {
	b := dashboard.NewRowBuilder(r.title).Id(id).GridPos(dashboard.GridPos{X: 0, Y: y, W: 24, H: 1}).Collapsed(r.folded)
	if r.perTarget {
		b.Repeat("target")
	}
	return b.Build()
}

// tidy takes out what the SDK puts into every panel and none of ours needs, and
// says what a figure without data looks like.
func tidy(p *dashboard.Panel) {
	p.RepeatDirection, p.Transparent = nil, nil
	if o, ok := p.Options.(*table.Options); ok {
		o.Footer = nil // it holds a null
	}
	if o, ok := p.Options.(*statetimeline.Options); ok {
		o.PerPage = nil // Grafana 11 does not look at it
	}
	if p.Type == "stat" || p.Type == "bargauge" {
		sayEmpty(p)
	}
	for i := range p.FieldConfig.Defaults.Links {
		p.FieldConfig.Defaults.Links[i].Placement = nil
	}
}

// numberOf returns the number of the first panel of that title, 0 where there is
// none.
func (b board) numberOf(title string) uint32 {
	panels, err := b.laidOut()
	if err != nil {
		return 0 // rendering the board says it
	}
	for _, p := range panels {
		if p.Panel != nil && *p.Panel.Title == title {
			return *p.Panel.Id
		}
	}
	return 0
}

// source is the data source that the reader chooses.
func source() common.DataSourceRef {
	return common.DataSourceRef{Type: ptr("prometheus"), Uid: ptr("${datasource}")}
}

// commonVariables are the choices of every board: where the data come from,
// which daemons and which targets.
func commonVariables() []cog.Builder[dashboard.VariableModel] {
	return []cog.Builder[dashboard.VariableModel]{
		dashboard.NewDatasourceVariableBuilder("datasource").Label("Data source").Type("prometheus"),
		choice("job", "Job", labelValues(exporter.BuildInfo.Name+"{}", "job")),
		choice("instance", "Instance", labelValues(exporter.BuildInfo.Name+`{job=~"$job"}`, "instance")),
		choice("target", "Target", labelValues(check.NextRun.Name+`{job=~"$job", instance=~"$instance"}`, "target")),
	}
}

func labelValues(series, label string) string { return "label_values(" + series + ", " + label + ")" }

// choice is a variable of several values, all at first.
func choice(name, label, query string) *dashboard.QueryVariableBuilder {
	return values(name, label, query).Multi(true).IncludeAll(true).AllValue(".+").
		Current(dashboard.VariableOption{Selected: ptr(true), Text: list("All"), Value: list("$__all")})
}

// values is a variable whose values Prometheus gives.
func values(name, label, query string) *dashboard.QueryVariableBuilder {
	return dashboard.NewQueryVariableBuilder(name).Label(label).Datasource(source()).
		Definition(query).Query(dashboard.StringOrMap{Map: map[string]any{"query": query, "refId": "Variable-" + name}}).
		Refresh(dashboard.VariableRefreshOnTimeRangeChanged).Sort(dashboard.VariableSortAlphabeticalAsc)
}

func list(s string) dashboard.StringOrArrayOfString {
	return dashboard.StringOrArrayOfString{ArrayOfString: []string{s}}
}

// links lead to the other boards, with what was chosen, and to the documents.
func links() []cog.Builder[dashboard.DashboardLink] {
	document := func(title, name, tooltip string) *dashboard.DashboardLinkBuilder {
		return dashboard.NewDashboardLinkBuilder(title).Type(dashboard.DashboardLinkTypeLink).
			Url(docsURL + name).Icon("doc").Tooltip(tooltip).TargetBlank(true)
	}
	return []cog.Builder[dashboard.DashboardLink]{
		dashboard.NewDashboardLinkBuilder("hmad").Type(dashboard.DashboardLinkTypeDashboards).Tags([]string{"hmad"}).
			Icon("external link").IncludeVars(true).KeepTime(true),
		document("Runbook", "checks.md", "What every reason means for phones, and how to fix it"),
		document("How to read this", "dashboards.md", "A paragraph for each row of each dashboard"),
	}
}

// began marks on every panel when a critical alert on the named checks, on all
// where none is named, began to fire. The beginning alone: Grafana draws what
// goes on as a region over every graph, and regions add up.
func began(checks []string) cog.Builder[dashboard.AnnotationQuery] {
	firing := alerts("ALERTS", only([]string{`alertstate="firing"`, severity(check.Critical), matching(checks)})...)
	return dashboard.NewAnnotationQueryBuilder().Name("Critical alerts begin").Datasource(source()).Enable(true).IconColor("red").
		Expr(firing + " unless " + firing + " offset 1m").Step("60s").
		TitleFormat("{{alertname}}").TextFormat("{{target}} {{check}} {{reason}}").TagKeys("severity")
}

// changed marks when something that a person compares changed: a certificate, an
// address, a version. It is off until somebody looks for a cause.
func changed(checks []string) cog.Builder[dashboard.AnnotationQuery] {
	return dashboard.NewAnnotationQueryBuilder().Name("Facts that changed").Datasource(source()).Enable(false).IconColor("blue").
		Expr(of(check.FactChanged, matching(checks)) + " > time() - 60").Step("60s").
		TitleFormat("{{check}}: {{fact}} changed").TextFormat("{{target}}: the status page has the values")
}

func ptr[T any](v T) *T { return &v }
