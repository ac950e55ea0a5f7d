package check

import "errors"

// The errors of asking for a run by name.
var (
	// ErrUnknown: there is no such check or target.
	ErrUnknown = errors.New("unknown check or target")
	// ErrBusy: a run already waits for the one in flight.
	ErrBusy = errors.New("a run already waits")
)
