package config

import (
	"fmt"
	"io"
)

// hidden is what a Secret shows of itself.
const hidden = "(secret)"

// Secret is a text that does not show itself: neither by a verb of package fmt,
// also within other values, nor in JSON and YAML. The zero value is empty.
type Secret struct {
	reveal func() string // no reflection looks into a function
}

// NewSecret returns the text as a secret.
func NewSecret(text string) Secret { return Secret{func() string { return text }} }

// Reveal returns the text: for whoever must send or compare it.
func (s Secret) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// String returns what stands for every secret.
func (s Secret) String() string { return hidden }

// Format implements fmt.Formatter for all verbs.
func (s Secret) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, hidden) }

// MarshalText writes what stands for every secret, into JSON and YAML too.
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }
