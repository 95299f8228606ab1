package rest

import (
	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/page"
)

// PageInput says which page of a list is asked for.
type PageInput struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"A page ends earlier at 2 MiB"`
	Cursor string `query:"cursor" maxLength:"400" doc:"next_cursor of the page before"`
}

// pageOf reads a page: read answers up to limit items behind a place, nil being the
// beginning, and placeOf is where an item is. Its errors are those of read, and
// page.ErrCursor.
func pageOf[T, P any](in PageInput, read func(behind *P, limit int) ([]T, error), placeOf func(T) P) (items []T, next *string, err error) {
	var behind *P
	if in.Cursor != "" {
		behind = new(P)
		if err := page.DecodeCursor(in.Cursor, behind); err != nil {
			return nil, nil, err
		}
		if at, ok := any(behind).(*page.Place); ok && !database.StorableTime(at.At) {
			return nil, nil, page.ErrCursor
		}
	}
	found, err := read(behind, in.Limit+1)
	if err != nil {
		return nil, nil, err
	}
	if found == nil {
		found = []T{}
	}
	return page.Cut(found, in.Limit, func(i int) any { return placeOf(found[i]) })
}
