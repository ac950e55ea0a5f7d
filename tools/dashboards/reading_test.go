package main

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// named returns a series the name that it has in the picture.
func (q readTarget) named(labels map[string]string) string {
	return legendLabel.ReplaceAllStringFunc(q.LegendFormat, func(m string) string {
		return labels[legendLabel.FindStringSubmatch(m)[1]]
	})
}

// color returns the colour in which Grafana draws a value of the series of that
// name: that of the word that stands for it, else that of the step in which it
// lies, both of an override of the series where there is one.
func (p readPanel) color(t *testing.T, name string, value float64) string {
	t.Helper()
	mappings, limits := p.FieldConfig.Defaults.Mappings, p.FieldConfig.Defaults.Thresholds
	for _, o := range p.FieldConfig.Overrides {
		if !o.Matcher.takes(name) {
			continue
		}
		for _, property := range o.Properties {
			switch property.ID {
			case "mappings":
				mappings = nil
				require.NoError(t, json.Unmarshal(property.Value, &mappings))
			case "thresholds":
				limits = nil
				require.NoError(t, json.Unmarshal(property.Value, &limits))
			}
		}
	}
	for _, m := range mappings {
		if word, ok := m.Options[strconv.FormatFloat(value, 'f', -1, 64)]; ok {
			return word.Color
		}
	}
	require.NotNil(t, limits, p.Title)
	for _, s := range slices.Backward(limits.Steps) {
		if s.Value == nil || *s.Value <= value {
			return s.Color
		}
	}
	return ""
}

// hasRedStep reports whether figures of the panel are red from or up to a value.
func (p readPanel) hasRedStep(t *testing.T) bool {
	t.Helper()
	var steps []readStep
	if p.FieldConfig.Defaults.Thresholds != nil {
		steps = p.FieldConfig.Defaults.Thresholds.Steps
	}
	for _, o := range p.FieldConfig.Overrides {
		for _, property := range o.Properties {
			if property.ID == "thresholds" {
				var more readThresholds
				require.NoError(t, json.Unmarshal(property.Value, &more))
				steps = append(steps, more.Steps...)
			}
		}
	}
	return slices.ContainsFunc(steps, func(s readStep) bool { return s.Color == "red" })
}

func (m readMatcher) takes(name string) bool {
	if m.ID == "byRegexp" {
		return regexp.MustCompile("^(?:" + m.Options + ")$").MatchString(name)
	}
	return m.Options == name
}
