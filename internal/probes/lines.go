package probes

import "strings"

// lines collects lines of text in one buffer: the notes of a visit are several
// dozen, and made in every run.
type lines struct {
	strings.Builder
	ends []int // where each line ends
}

// end ends a line.
func (l *lines) end() { l.ends = append(l.ends, l.Len()) }

// all gives the lines; they share their memory.
func (l *lines) all() []string {
	text, start := l.String(), 0
	out := make([]string, len(l.ends))
	for i, end := range l.ends {
		out[i] = text[start:end]
		start = end
	}
	return out
}

// option writes an option of a command and its value, which is given in parts.
func (l *lines) option(name string, value ...string) {
	l.WriteByte(' ')
	l.WriteString(name)
	l.WriteByte(' ')
	l.word(value...)
}

// word writes the parts as one word of a POSIX shell.
func (l *lines) word(parts ...string) {
	if plainWord(parts) {
		for _, p := range parts {
			l.WriteString(p)
		}
		return
	}
	l.WriteByte('\'')
	for _, p := range parts {
		piece, rest, found := strings.Cut(p, "'")
		for ; found; piece, rest, found = strings.Cut(rest, "'") {
			l.WriteString(piece)
			l.WriteString(`'\''`)
		}
		l.WriteString(piece)
	}
	l.WriteByte('\'')
}

// plainWord says whether a shell reads the parts as they are.
func plainWord(parts []string) bool {
	size := 0
	for _, p := range parts {
		size += len(p)
		for i := range len(p) {
			if !isAlnum(p[i]) && strings.IndexByte("-_./:=@%+,", p[i]) < 0 {
				return false
			}
		}
	}
	return size > 0
}
