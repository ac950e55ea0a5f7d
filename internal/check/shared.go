package check

import "sync"

// Shared holds values that the checks of a target make once for all of them, such
// as the decoded reports. The zero Shared is ready; it is safe for concurrent use.
type Shared struct {
	mu     sync.Mutex
	values map[any]any
}

// SharedOf returns the value of type *T that the users of s share, the zero one
// at first. Where s is nil, nothing is shared.
func SharedOf[T any](s *Shared) *T {
	if s == nil {
		return new(T)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok := s.values[(*T)(nil)]; ok {
		return v.(*T)
	}
	if s.values == nil {
		s.values = map[any]any{}
	}
	v := new(T)
	s.values[(*T)(nil)] = v
	return v
}
