package trail

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/membership"
	"github.com/taskwire/taskwire/pkg/page"
)

// reader is who reads the trail: what happened in a list is for its members of today,
// and what happened in none for its user, unless he is restricted to lists.
type reader struct {
	user  uuid.UUID // nil for who is restricted: nothing is that user's
	lists []uuid.UUID
}

func readerOf(ctx context.Context) reader {
	caller := auth.CallerOf(ctx)
	if caller.Restricted() {
		return reader{lists: membership.Of(ctx)}
	}
	return reader{caller.UserID, membership.Of(ctx)}
}

// direction is an order of entries, and the condition of being behind one of them.
type direction struct{ order, behind string }

var (
	latestFirst   = direction{"occurred_at DESC, sequence DESC, id DESC", "(e.occurred_at, e.sequence, e.id) < (?, ?, ?)"}
	earliestFirst = direction{"occurred_at, sequence, id", "(e.occurred_at, e.sequence, e.id) > (?, ?, ?)"}
)

// search is what is looked for in the trail, among what the reader may read.
type search struct {
	reader
	direction

	db         *bun.DB
	list       *uuid.UUID // nothing but what happened in this one of the reader's
	conditions []string
	args       []any
}

func (s *search) where(condition string, args ...any) {
	s.conditions = append(s.conditions, condition)
	s.args = append(s.args, args...)
}

// places is a statement that answers the ids of the first n entries.
func (s *search) places(n int) (string, []any) {
	// Postgres takes each list for one of usual length, and would rather read and sort all
	// of a short one. Of a limit that is no constant it only knows that the beginning is
	// wanted, which an index in the order has at hand, however long the list is.
	first := func(of string) string {
		where := strings.Join(append([]string{of}, s.conditions...), " AND ")
		return "(SELECT e.id, e.occurred_at, e.sequence FROM audit.entries e WHERE " + where + " ORDER BY " + s.order + " LIMIT (SELECT ?::int))"
	}
	lists := s.lists
	if s.list != nil {
		lists = []uuid.UUID{*s.list}
	}
	ids := make([]string, len(lists))
	for i, list := range lists {
		ids[i] = list.String()
	}
	// For each list by itself, and with a limit: only so does Postgres see that the index
	// has the order.
	sql := "SELECT e.* FROM unnest(?::uuid[]) l (id), LATERAL " + first("e.list_id = l.id") + " e"
	args := append(append([]any{pgdialect.Array(ids)}, s.args...), n)
	if s.list == nil && s.user != uuid.Nil {
		sql += " UNION ALL " + first("e.list_id IS NULL AND e.user_id = ?")
		args = append(append(append(args, s.user), s.args...), n)
	}
	return "SELECT id FROM (" + sql + ") e ORDER BY " + s.order + " LIMIT ?", append(args, n)
}

// chunk is how many entries are read at once. Each may have what was before and
// after in 64 KiB: a chunk of the largest is about as much as a page has room for.
const chunk = 51

// read reads the first n entries, but no more than the chunk in which a page's bytes
// are reached.
func (s *search) read(ctx context.Context, n int) ([]entry, error) {
	var all []entry
	for bytes := 0; len(all) < n && bytes <= page.Bytes; {
		rest := *s
		if len(all) > 0 {
			last := all[len(all)-1]
			rest.conditions, rest.args = slices.Clone(s.conditions), slices.Clone(s.args)
			rest.where(s.behind, last.OccurredAt.UTC(), last.Sequence, last.ID)
		}
		want := min(chunk, n-len(all))
		places, args := rest.places(want)
		var rows []entry
		err := s.db.NewSelect().Model(&rows).Join("JOIN ("+places+") AS place USING (id)", args...).OrderExpr(s.order).Scan(ctx)
		if err != nil {
			return nil, fmt.Errorf("list the audit entries: %w", err)
		}
		for _, r := range rows {
			bytes += len(r.Before) + len(r.After)
		}
		if all = append(all, rows...); len(rows) < want {
			break
		}
	}
	return all, nil
}

// any says whether there is an entry at all.
func (s *search) any(ctx context.Context) (found bool, err error) {
	places, args := s.places(1)
	if err = s.db.NewRaw("SELECT EXISTS ("+places+")", args...).Scan(ctx, &found); err != nil {
		err = fmt.Errorf("look for audit entries: %w", err)
	}
	return found, err
}

// before is what the reader may see of what was before. An entry that tells of a task's
// move is in the list that it came into, whose members are not to learn what it was in
// the list that it came from, unless they are members there, too.
func (r reader) before(e entry) json.RawMessage {
	if e.Before == nil || e.TaskID == nil || e.ListID == nil {
		return e.Before
	}
	var was struct {
		ListID uuid.UUID `json:"list_id"`
	}
	if err := json.Unmarshal(e.Before, &was); err != nil {
		return nil // what can not be told to be in a list of the reader's
	}
	switch {
	case was.ListID == *e.ListID, slices.Contains(r.lists, was.ListID):
	case was.ListID == uuid.Nil && e.UserID == r.user && r.user != uuid.Nil: // from before there were lists
	default:
		return nil
	}
	return e.Before
}
