package state

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/hmad/hmad/internal/check"
)

// maxValue is the largest value, in bytes of JSON, that is kept.
const maxValue = 1 << 20

// targetsMemory are a target's values as JSON, by key. The bytes are never
// changed, only replaced.
type targetsMemory map[string][]byte

// Memory gives a target's memory. Values are kept as JSON of at most 1 MiB;
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
	if err == nil && len(value) > maxValue {
		err = fmt.Errorf("%d bytes, over the limit of %d", len(value), maxValue)
	}
	if err != nil {
		m.store.options.Logf(fmt.Sprintf("value %q of target %s not kept", key, m.target), err)
		return
	}
	m.store.put(m.target, key, value)
}

// Keys lists the keys with the prefix, in no order.
func (m memory) Keys(prefix string) (keys []string) {
	m.store.mu.Lock()
	defer m.store.mu.Unlock()
	for key := range m.store.values[m.target] {
		if strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	return keys
}

// Delete forgets what was put under key.
func (m memory) Delete(key string) {
	m.store.mu.Lock()
	defer m.store.mu.Unlock()
	delete(m.store.values[m.target], key)
	m.store.mark(valueKey(m.target, key), nil)
}

// put keeps a value, unless its target is gone.
func (s *Store) put(target, key string, value []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept != nil && !s.kept[target] {
		return
	}
	if s.values[target] == nil {
		s.values[target] = targetsMemory{}
	}
	s.values[target][key] = value
	s.mark(valueKey(target, key), json.RawMessage(value))
}
