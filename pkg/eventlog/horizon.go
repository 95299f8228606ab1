package eventlog

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"
)

// horizon is the position behind which a look for rows without a place begins: every row
// up to it has its place, or will never be visible.
//
// A row can become visible after others with a higher position were placed. But its
// transaction has had its id since before it took the position, so that id is lower than
// that of a placing which begins after those others were visible. Once no transaction with
// so low an id is under way, a look has found the last of such rows.
//
// Without it a look walks over what the index of rows without a place still holds of those
// that have theirs: all since a snapshot was taken that somebody still reads by (pg_dump).
type horizon struct {
	recent int64 // of rows that looks within recentWindow find
	all    int64 // of rows of any age

	highest int64 // position that has been placed
	// next is the horizon when every transaction with an id below xid has ended.
	next int64
	xid  int64
}

// horizon reads what the owner before has recorded.
func (r *Relay) horizon(ctx context.Context) (horizon, error) {
	var all int64
	if err := r.DB.NewRaw("SELECT horizon FROM ?.event_head", bun.Ident(r.Schema)).Scan(ctx, &all); err != nil {
		return horizon{}, fmt.Errorf("read the horizon of the event log: %w", err)
	}
	return horizon{recent: all, all: all}, nil
}

// behind is where a look begins.
func (h *horizon) behind(all bool) int64 {
	if all {
		return h.all
	}
	return h.recent
}

// looked learns from a look, which was at rows of any age or not.
func (h *horizon) looked(p placing, all bool) {
	h.highest = max(h.highest, p.Last)
	if p.OldestXID < h.xid {
		return
	}
	reached := h.next
	if p.Count > 0 {
		reached = min(reached, p.Last) // there may be more
	}
	h.recent = max(h.recent, reached)
	if all {
		h.all = max(h.all, reached)
	}
	h.next, h.xid = h.highest, p.XID
}
