package plan

import "time"

// seconds is a moment as Unix seconds, in four bytes; 0 is never.
type seconds uint32

func secondsOf(t time.Time) seconds {
	if t.Unix() <= 0 {
		return 0
	}
	return seconds(min(t.Unix(), 1<<32-1))
}

func (s seconds) time() time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(int64(s), 0).UTC()
}

// sub returns s − t.
func (s seconds) sub(t seconds) time.Duration {
	return time.Duration(int64(s)-int64(t)) * time.Second
}

// add returns s + d.
func (s seconds) add(d time.Duration) seconds {
	return seconds(max(0, min(int64(s)+int64(d/time.Second), 1<<32-1)))
}
