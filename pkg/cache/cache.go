// Package cache remembers what was found out, within bounds.
package cache

import "sync"

// Cache remembers values by their keys. The zero Cache is empty. It may be used by
// several at once.
type Cache[K comparable, V any] struct {
	mu     sync.Mutex
	values map[K]V
}

// Get returns what is remembered, if anything is.
func (c *Cache[K, V]) Get(key K) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	value, ok := c.values[key]
	return value, ok
}

// Put remembers a value. Where most are remembered already, all are forgotten: that costs
// each key one question more, and no list of which was used last.
func (c *Cache[K, V]) Put(key K, value V, most int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.values == nil || len(c.values) >= most {
		c.values = map[K]V{}
	}
	c.values[key] = value
}

// Forget forgets a key.
func (c *Cache[K, V]) Forget(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.values, key)
}

// Clear forgets all.
func (c *Cache[K, V]) Clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.values = nil
}
