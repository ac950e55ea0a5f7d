package config

import (
	"gopkg.in/yaml.v3"
)

// written is what the types of this file have in common: the text that the file
// has, which has been judged when it was decoded. A text that was refused is not
// kept, because it may hold a secret; validate reports it with its path.
type written struct {
	text    string // empty: left out, or refused
	refused refusal
}

// refusal says what is wrong with a text.
type refusal struct {
	got  string // the text, as far as it may be shown; empty: nothing is wrong
	want string // empty: what the setting says
}

// String returns the text of the file, empty where it has none.
func (w written) String() string { return w.text }

// IsZero reports whether the file leaves the setting out.
func (w written) IsZero() bool { return w == written{} }

// MarshalYAML returns the text of the file.
func (w written) MarshalYAML() (any, error) { return w.text, nil }

func (w written) refusal() refusal { return w.refused }

func (r refusal) text(want string) string {
	if r.want != "" {
		want = r.want
	}
	return "got " + r.got + ", want " + want
}

// refuse refuses a text. It is shown without what may be a secret.
func refuse(text string) written {
	r := refusal{got: shownEnd(text)}
	if foreignLetters.MatchString(text) && r.got != withheld {
		r.want = "the name as DNS has it, in ASCII (xn--…), because it has letters such as ü"
	}
	return written{refused: r}
}

// decode reads a text; empty is as if it were left out.
func decode[T any](n *yaml.Node, into *T, read func(string) T) error {
	var text string
	if err := n.Decode(&text); err != nil {
		return err
	}
	*into = read(text)
	return nil
}
