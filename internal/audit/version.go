package audit

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
)

// version is a build of Exchange: 15.2.1748.10.
type version [4]int

func (v version) String() string { return fmt.Sprintf("%d.%d.%d.%d", v[0], v[1], v[2], v[3]) }

func (v version) before(w version) bool { return slices.Compare(v[:], w[:]) < 0 }

// versionForm is that of AdminDisplayVersion, «Version 15.2 (Build 1748.10)»,
// and of a file version, «15.02.1748.039».
var versionForm = regexp.MustCompile(`(?i)^(?:version )?(\d{1,4})\.(\d{1,4})(?: \(build |\.)(\d{1,6})\.(\d{1,6})\)?$`)

// parseVersion reads a version; false where it is none.
func parseVersion(s string) (version, bool) {
	m := versionForm.FindStringSubmatch(s)
	if m == nil {
		return version{}, false
	}
	var v version
	for i := range v {
		v[i], _ = strconv.Atoi(m[i+1]) // digits, at most six
	}
	return v, true
}
