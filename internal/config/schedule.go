package config

import (
	"errors"
	"strconv"

	"gopkg.in/yaml.v3"

	"github.com/hmad/hmad/internal/schedule"
)

// Schedule is a cron expression in UTC, see schedule.Parse. The zero value is
// none.
type Schedule struct{ written }

// UnmarshalYAML reads an expression.
func (s *Schedule) UnmarshalYAML(n *yaml.Node) error { return decode(n, s, readSchedule) }

// wantSchedule says what is wrong with an expression, whose own words the library
// repeats, unless they are withheld.
func wantSchedule(text string, err error) string {
	const want = "a cron expression in UTC"
	if shownSchedule(text) != strconv.Quote(text) {
		return want
	}
	return want + ": " + errors.Unwrap(err).Error()
}

func readSchedule(text string) Schedule {
	if text == "" {
		return Schedule{}
	}
	if _, err := schedule.Parse(text); err != nil {
		return Schedule{written{refused: refusal{shownSchedule(text), wantSchedule(text, err)}}}
	}
	return Schedule{written{text: text}}
}
