// Package near finds the names that are most like a mistyped one.
package near

import (
	"cmp"
	"slices"
	"strings"
)

// Names returns at most n of names, the most similar to name first: those that
// contain it, then by edit distance.
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
