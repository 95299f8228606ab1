package subscribe

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
)

// identity is what CloudEvents 1.0 (section "source") says identifies an event.
type identity struct {
	Source string `bun:"source"`
	ID     string `bun:"id"`
}

func (e Event) identity() identity { return identity{e.Source(), e.ID()} }

type inboxRow struct {
	bun.BaseModel `bun:"table:inbox"`

	Source    string    `bun:"source"`
	ID        string    `bun:"id"`
	HandledAt time.Time `bun:"handled_at"`
}

// inboxRows are the rows of a batch, and where in it each event is; of one that is in it
// twice, the first. They have one order for all, so that two replicas can not wait for each
// other.
func inboxRows(batch []delivery, now time.Time) ([]inboxRow, map[identity]int) {
	rows := make([]inboxRow, 0, len(batch))
	first := make(map[identity]int, len(batch))
	for i, d := range batch {
		key := d.identity()
		if _, ok := first[key]; !ok {
			first[key] = i
			rows = append(rows, inboxRow{Source: key.Source, ID: key.ID, HandledAt: now})
		}
	}
	slices.SortFunc(rows, func(a, b inboxRow) int {
		return strings.Compare(a.Source+"\x00"+a.ID, b.Source+"\x00"+b.ID)
	})
	return rows, first
}

// recordHandled writes the inbox rows of a batch and says which of its events had none;
// of an event that is in it twice, the first. A replica that records the same
// event at the same time waits here for this transaction to end.
func (s *Subscriber) recordHandled(ctx context.Context, db bun.IDB, batch []delivery) ([]bool, error) {
	rows, first := inboxRows(batch, s.Now())
	var inserted []identity
	err := db.NewInsert().Model(&rows).ModelTableExpr("?.inbox", bun.Ident(s.Schema)).
		On("CONFLICT DO NOTHING").Returning("source, id").Scan(ctx, &inserted)
	if err != nil {
		return nil, fmt.Errorf("record %d events as handled: %w", len(rows), err)
	}
	isNew := make([]bool, len(batch))
	for _, key := range inserted {
		isNew[first[key]] = true
	}
	return isNew, nil
}

// known says which of the events are in the inbox.
func (s *Subscriber) known(ctx context.Context, batch []delivery) (map[identity]bool, error) {
	sources, ids := make([]string, len(batch)), make([]string, len(batch))
	for i, d := range batch {
		sources[i], ids[i] = d.Source(), d.ID()
	}
	var rows []identity
	err := s.DB.NewRaw("SELECT source, id FROM ?.inbox WHERE (source, id) IN (SELECT * FROM unnest(?::text[], ?::text[]))",
		bun.Ident(s.Schema), pgdialect.Array(sources), pgdialect.Array(ids)).Scan(ctx, &rows)
	if err != nil {
		return nil, fmt.Errorf("look %d events up in the inbox: %w", len(batch), err)
	}
	known := make(map[identity]bool, len(rows))
	for _, r := range rows {
		known[r] = true
	}
	return known, nil
}
