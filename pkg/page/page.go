// Package page cuts lists into pages: how much a page holds, and the cursor of
// the place at which the next one goes on.
package page

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Bytes is how large the items of a page may be, as JSON. A page that would
// be larger ends early, and its cursor goes on from there.
const Bytes = 2 << 20

// Cut makes a page of a list that was read with one item more than its limit,
// so that it is known whether there is another page. Where there is, next is the
// cursor of the last item's place, which cursorOf gives; else nil.
func Cut[T any](items []T, limit int, cursorOf func(last int) any) (page []T, next *string, err error) {
	fits, err := fit(items)
	if err != nil {
		return nil, nil, err
	}
	if fits = min(fits, limit); fits == len(items) {
		return items, nil, nil
	}
	cursor, err := EncodeCursor(cursorOf(fits - 1))
	if err != nil {
		return nil, nil, err
	}
	return items[:fits], &cursor, nil
}

// fit says how many of items, from the first, a page has room for: at least one.
func fit[T any](items []T) (int, error) {
	total := 0
	for i := range items {
		raw, err := json.Marshal(items[i])
		if err != nil {
			return 0, fmt.Errorf("measure a page: %w", err)
		}
		if total += len(raw) + len(","); total > Bytes && i > 0 {
			return i, nil
		}
	}
	return len(items), nil
}

// Unsortable are columns that have Postgres read a page from an index that is in its order: with
// them, rows seem too wide to be sorted. It takes each list, task or user for one that has as
// many things as others have, and would rather read all that one has, and sort that, than look
// up what it takes for few. The columns are NULL, and are not to be asked for. There must be such
// an index: a sort that can not be spared seems so dear that any way to the rest seems as good.
const (
	Unsortable = wide + wide + wide + wide + wide + wide + wide + wide // more than database.Config's work_mem
	wide       = ", NULL::char(10485760)"
)

// Place is where something is in an order of time.
type Place struct {
	At time.Time `json:"a"`
	ID uuid.UUID `json:"i"`
}

// ErrCursor refuses a cursor that is of another list, or was made up.
var ErrCursor = errors.New("not a cursor of this list; leave it out to start from the beginning")

// EncodeCursor makes an opaque page cursor of v.
func EncodeCursor(v any) (string, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("make a cursor: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(raw), nil
}

// DecodeCursor reads into v what EncodeCursor made of it. Its error is ErrCursor.
func DecodeCursor(cursor string, v any) error {
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil {
		err = json.Unmarshal(raw, v)
	}
	if err != nil {
		return ErrCursor
	}
	return nil
}

// Each gives things to f, one by one, as they are read, some behind the last one, nil at
// first, until there are none.
func Each[T any](read func(last *T) ([]*T, error), f func(*T) error) error {
	var last *T
	for {
		found, err := read(last)
		if err != nil {
			return err
		}
		for _, last = range found {
			if err := f(last); err != nil {
				return err
			}
		}
		if len(found) == 0 {
			return nil
		}
	}
}
