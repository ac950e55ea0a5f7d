// Package near finds the name that a mistyped one most likely stands for.
package near

import (
	"cmp"
	"slices"
	"strings"
)

// maxDistance bounds how many letters of a name may be wrong; of a short name it
// is a third.
const maxDistance = 3

// Hint returns «; did you mean NAME?» with the one of names that is most similar
// to name, and an empty text where none is similar. A name with dots is found by
// its last part, too.
func Hint(name string, names []string) string {
	if len(names) == 0 {
		return ""
	}
	far := func(s string) int { return min(distance(s, name), distance(s[strings.LastIndex(s, ".")+1:], name)) }
	nearest := slices.MinFunc(names, func(a, b string) int { return cmp.Compare(far(a), far(b)) })
	if far(nearest) > min(maxDistance, (len(name)+2)/3) {
		return ""
	}
	return "; did you mean " + nearest + "?"
}

// distance returns the Levenshtein distance of a and b in bytes. Only the first
// 100 bytes of each count.
func distance(a, b string) int {
	a, b = a[:min(len(a), 100)], b[:min(len(b), 100)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			step := diagonal
			if a[i] != b[j] {
				step++
			}
			diagonal = row[j+1]
			row[j+1] = min(step, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
