package checktest

import (
	"encoding/json"
	"maps"
	"sync"
)

// Memory is a check.Memory of a test: it keeps values as JSON, as the Store does.
// The zero Memory is ready, and safe for concurrent use.
type Memory struct {
	mu     sync.Mutex
	values map[string][]byte
}

// Get implements check.Memory.
func (m *Memory) Get(key string, into any) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	data, ok := m.values[key]
	return ok && json.Unmarshal(data, into) == nil
}

// Put implements check.Memory.
func (m *Memory) Put(key string, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	m.Lay(key, data)
}

// Lay keeps bytes under a key, whatever they are, as a damaged file has them.
func (m *Memory) Lay(key string, data []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.values == nil {
		m.values = map[string][]byte{}
	}
	m.values[key] = data
}

// Kept returns what is kept, by key.
func (m *Memory) Kept() map[string][]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.values)
}
