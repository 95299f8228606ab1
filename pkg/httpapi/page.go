package httpapi

import (
	"encoding/json"
	"fmt"
)

// PageBytes is how large the items of a page may be, as JSON. A page that would
// be larger ends early, and its next_cursor goes on from there.
const PageBytes = 2 << 20

// FitPage says how many of items, from the first, a page has room for: at least one.
func FitPage[T any](items []T) (int, error) {
	total := 0
	for i := range items {
		raw, err := json.Marshal(items[i])
		if err != nil {
			return 0, fmt.Errorf("measure a page: %w", err)
		}
		if total += len(raw) + len(","); total > PageBytes && i > 0 {
			return i, nil
		}
	}
	return len(items), nil
}
