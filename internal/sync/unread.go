package sync

import "fmt"

// unreadDates counts mailboxes of which a date could not be read, which is not the
// same as a date that is not given.
type unreadDates struct {
	n    int
	form string // of one of the dates
}

func (u *unreadDates) add(form string) {
	if u.n++; u.form == "" {
		u.form = form
	}
}

// String returns them in words.
func (u unreadDates) String() string {
	return fmt.Sprintf("mailboxes with a date that could not be read: %d; one such date is of the form %s, "+
		"wanted is one with a zone, such as 2026-11-22T09:15:00Z", u.n, u.form)
}

// after returns them as the end of a sentence; empty where there are none.
func (u unreadDates) after() string {
	if u.n == 0 {
		return ""
	}
	return "; " + u.String()
}
