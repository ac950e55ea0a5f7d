package main

import "github.com/grafana/grafana-foundation-sdk/go/dashboard"

// nothing is what a figure without data says where it does not say otherwise.
const nothing = "hmad says nothing"

// emptyColors are the colours of figures without data, by their text. All
// others are purple: hmad cannot tell.
var emptyColors = map[string]string{down: "red", chooseMailbox: "text", noCredential: "text"}

// sayEmpty sets the text and the colour that a panel of figures shows without
// data. Without them Grafana takes the colour of the base step, and an
// empty figure is green.
func sayEmpty(p *dashboard.Panel) {
	field := &p.FieldConfig.Defaults
	if field.NoValue == nil {
		field.NoValue = ptr(nothing)
	}
	word := emptyWord(*field.NoValue)
	field.Mappings = append(field.Mappings, word)
	for i := range p.FieldConfig.Overrides {
		properties := p.FieldConfig.Overrides[i].Properties
		for j := range properties {
			if list, ok := properties[j].Value.([]dashboard.ValueMapping); ok {
				properties[j].Value = append(list, word)
			}
		}
	}
}

// emptyWord is the word for no data.
func emptyWord(text string) dashboard.ValueMapping {
	color := emptyColors[text]
	if color == "" {
		color = "purple"
	}
	m := dashboard.NewSpecialValueMap()
	m.Options = dashboard.DashboardSpecialValueMapOptions{
		Match: dashboard.SpecialValueMatchNullAndNan, Result: dashboard.ValueMappingResult{Text: ptr(text), Color: ptr(color)}}
	return dashboard.ValueMapping{SpecialValueMap: m}
}
