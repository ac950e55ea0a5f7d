// Package near finds the name that somebody meant who mistyped one.
package near

import (
	"cmp"
	"slices"
	"strings"
)

// Names gives at most n of the names, those first that are most like the given
// one: those that hold it, then by distance.
func Names(name string, names []string, n int) []string {
	far := func(s string) int {
		if strings.Contains(s, name) {
			return 0
		}
		return distance(s, name)
	}
	names = slices.Clone(names)
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(far(a), far(b)) })
	return names[:min(n, len(names))]
}

// distance is the number of characters to insert, drop or replace between two
// words (Levenshtein's); only the first 100 of each count.
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
