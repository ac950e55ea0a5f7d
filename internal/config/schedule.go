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

func readSchedule(text string) Schedule {
	if text == "" {
		return Schedule{}
	}
	if _, err := schedule.Parse(text); err != nil {
		return Schedule{written{refused: refusal{strconv.Quote(text), "a cron expression in UTC: " + errors.Unwrap(err).Error()}}}
	}
	return Schedule{written{text: text}}
}
