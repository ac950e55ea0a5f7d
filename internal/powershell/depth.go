package powershell

// MaxDepth bounds the nesting of objects and arrays in what is decoded; the
// collector needs 6.
const MaxDepth = 32

// TooDeep reports whether objects and arrays nest deeper than MaxDepth.
func TooDeep(data []byte) bool {
	depth, inString := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > MaxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// Values counts the values in JSON, within objects and arrays, without decoding
// them: the bound of what decoding costs.
func Values(data []byte) int {
	n, inString := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == ',' || c == '{' || c == '[':
			n++
		}
	}
	return n
}
