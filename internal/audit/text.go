package audit

import "time"

// maxSeen bounds in bytes what a detail or note quotes of an organisation.
const maxSeen = 400

// days returns a duration in whole days.
func days(d time.Duration) int { return int(d / (24 * time.Hour)) }
