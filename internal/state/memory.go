package state

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/hmad/hmad/internal/check"
)

// maxValue is the largest value, in bytes of JSON, that is kept.
const maxValue = 1 << 20

// targetsMemory are a target's values as JSON, by key. The bytes are never
// changed, only replaced.
type targetsMemory map[string][]byte

// Memory returns a target's memory. Values are kept as JSON of at most 1 MiB;
// what does not encode, or is larger, is logged and not kept.
func (s *Store) Memory(target string) check.Memory { return memory{s, target} }

type memory struct {
	store  *Store
	target string
}

// Get reads what was put under key.
func (m memory) Get(key string, into any) bool {
	m.store.mu.Lock()
	value, ok := m.store.values[m.target][key]
	m.store.mu.Unlock()
	return ok && json.Unmarshal(value, into) == nil
}

// Put keeps v under key.
func (m memory) Put(key string, v any) {
	value, err := json.Marshal(v)
	if err == nil && (len(value) > maxValue || len(key) > maxMember) {
		err = fmt.Errorf("%d bytes with a key of %d, over the limit of %d and %d", len(value), len(key), maxValue, maxMember)
	}
	if err != nil {
		m.store.options.Logf(fmt.Sprintf("value %q of target %s not kept", key, m.target), err)
		return
	}
	m.store.put(m.target, key, value)
}

// put keeps a value, unless its target is gone.
func (s *Store) put(target, name string, value []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept != nil && !s.kept[target] {
		return
	}
	if bytes.Equal(s.values[target][name], value) {
		return
	}
	if s.values[target] == nil {
		s.values[target] = targetsMemory{}
	}
	s.values[target][name] = value
	_ = s.mark(key{valueTable, target, name, ""}, json.RawMessage(value)) // it is encoded
}
