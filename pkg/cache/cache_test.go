package cache_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/cache"
)

func TestACacheHoldsNoMoreThanItMay(t *testing.T) {
	var c cache.Cache[int, string]
	_, ok := c.Get(0)
	require.False(t, ok)
	for i := range 3 {
		c.Put(i, "x", 3)
	}
	for i := range 3 {
		value, ok := c.Get(i)
		require.True(t, ok)
		require.Equal(t, "x", value)
	}
	c.Forget(1)
	_, ok = c.Get(1)
	require.False(t, ok)
	c.Put(1, "y", 3)
	c.Put(4, "z", 3) // one too many: it is alone
	for i := range 4 {
		_, ok := c.Get(i)
		require.False(t, ok, i)
	}
	value, _ := c.Get(4)
	require.Equal(t, "z", value)
}
