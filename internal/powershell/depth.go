package powershell

import "iter"

// MaxDepth bounds the nesting of objects and arrays in what is decoded; the
// collector needs 6.
const MaxDepth = 32

// TooDeep reports whether objects and arrays nest deeper than MaxDepth.
func TooDeep(data []byte) bool {
	depth := 0
	for c := range outsideStrings(data) {
		switch c {
		case '{', '[':
			if depth++; depth > MaxDepth {
				return true
			}
		case '}', ']':
			depth--
		}
	}
	return false
}

// Values counts the values in JSON, within objects and arrays, without decoding
// them: the bound of what decoding costs.
func Values(data []byte) int {
	n := 0
	for c := range outsideStrings(data) {
		if c == ',' || c == '{' || c == '[' {
			n++
		}
	}
	return n
}

// outsideStrings returns the bytes of JSON that are not part of a string.
func outsideStrings(data []byte) iter.Seq[byte] {
	return func(yield func(byte) bool) {
		inString := false
		for i := 0; i < len(data); i++ {
			switch c := data[i]; {
			case inString && c == '\\':
				i++
			case c == '"':
				inString = !inString
			case !inString && !yield(c):
				return
			}
		}
	}
}
