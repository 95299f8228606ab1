// Package ledger records what became of each occurrence of a series: open, done,
// skipped, missed or ended. It is written from the events of the tasks that stand for
// them, in whatever order those arrive.
package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/recurrence"
)

// The states of an occurrence.
const (
	Open    = "open"
	Done    = "done"
	Skipped = "skipped"
	Missed  = "missed"
	Ended   = "ended" // deleted while it was open, and with it the series
	// TakenBack is one whose task went when the one before it was reopened. It is not
	// shown; it is kept so that a late event of that task does not bring it back.
	TakenBack = "taken_back"
)

// Occurrence is an occurrence in the ledger.
type Occurrence struct {
	bun.BaseModel `bun:"table:recurring.occurrences,alias:o" json:"-"`

	SeriesID   uuid.UUID `bun:"series_id,pk" json:"series_id" format:"uuid" doc:"The series"`
	Occurrence string    `bun:"occurrence,pk" json:"occurrence" doc:"The wall time that it stands for"`
	UserID     uuid.UUID `bun:"user_id" json:"-"`
	// ListID is the list that the task is in; none in events of before.
	ListID  uuid.UUID  `bun:"list_id,nullzero" json:"-"`
	TaskID  *uuid.UUID `bun:"task_id" json:"task_id" nullable:"true" format:"uuid" doc:"The task that stands or stood for it; null for one that was missed"`
	Status  string     `bun:"status" json:"status" enum:"open,done,skipped,missed,ended" doc:"What became of it"`
	DueAt   *time.Time `bun:"due_at" json:"due_at" nullable:"true" doc:"When it is or was due"`
	Version int64      `bun:"version" json:"-"`
	// Passed tells that the series has gone past it, whatever else is known: it was
	// missed, unless a task stands or stood for it.
	Passed    bool      `bun:"passed" json:"-"`
	UpdatedAt time.Time `bun:"updated_at" json:"updated_at" doc:"When its status was last written"`
}

// Store keeps the ledger in Postgres.
type Store struct {
	DB *bun.DB
}

// Record writes what an event says of the occurrence that its task stands for. An event
// that tells of an older version than the ledger has changes nothing. A task may stand
// for another occurrence than before: then it leaves none behind where it stood, unless
// it was done in another series.
func (s *Store) Record(ctx context.Context, kind string, of event.TaskEvent, at time.Time) error {
	t := of.TaskData
	e := &Occurrence{
		SeriesID: *t.SeriesID, Occurrence: *t.Occurrence, UserID: t.UserID, ListID: t.ListID, TaskID: &t.ID,
		Status: Open, DueAt: t.DueAt, Version: t.Version, UpdatedAt: at,
	}
	switch {
	case t.IsComplete:
		e.Status = Done
	case kind == event.TaskDeleted:
		e.Status = Skipped
		if outcome := of.Metadata[event.MetaOccurrence]; outcome == event.Ended || outcome == event.TakenBack {
			e.Status = fmt.Sprint(outcome)
		}
	}
	return s.DB.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		// Where another task has stood for it, the later event is right.
		_, err := tx.NewInsert().Model(e).On("CONFLICT (series_id, occurrence) DO UPDATE").
			Set("task_id = EXCLUDED.task_id, list_id = EXCLUDED.list_id, status = EXCLUDED.status, due_at = EXCLUDED.due_at, version = EXCLUDED.version, updated_at = EXCLUDED.updated_at").
			Where("CASE WHEN o.task_id <> EXCLUDED.task_id THEN o.updated_at <= EXCLUDED.updated_at ELSE o.version < EXCLUDED.version END").Exec(ctx)
		if err != nil {
			return fmt.Errorf("record occurrence %s of series %s: %w", e.Occurrence, e.SeriesID, err)
		}
		_, err = tx.NewDelete().Model((*Occurrence)(nil)).Where("task_id = ?", t.ID).
			Where("version < (SELECT max(version) FROM recurring.occurrences WHERE task_id = ?)", t.ID).
			Where("(series_id = ? OR status = ?)", e.SeriesID, Open).Exec(ctx)
		if err != nil {
			return fmt.Errorf("take task %s from where it stood before: %w", t.ID, err)
		}
		return nil
	})
}

// RecordMissed writes occurrences that a series has passed over. What a task stands for,
// or stood for, was not missed.
func (s *Store) RecordMissed(ctx context.Context, t event.Task, missed []recurrence.Occurrence, at time.Time) error {
	if len(missed) == 0 {
		return nil
	}
	entries := make([]Occurrence, len(missed))
	for i, m := range missed {
		due := m.At
		entries[i] = Occurrence{SeriesID: *t.SeriesID, Occurrence: m.Wall, UserID: t.UserID, ListID: t.ListID, Status: Missed, DueAt: &due, Passed: true, UpdatedAt: at}
	}
	_, err := s.DB.NewInsert().Model(&entries).On("CONFLICT (series_id, occurrence) DO UPDATE").
		Set("passed = true").Where("NOT o.passed").Exec(ctx)
	if err != nil {
		return fmt.Errorf("record %d missed occurrences of series %s: %w", len(missed), *t.SeriesID, err)
	}
	return nil
}

// errNotFound says that a task is in no series that the user may see.
var errNotFound = errors.New("the task is in no series that the user may see")

// page lists the series of a task, the latest occurrence first, from behind the one
// named. Who may see it is a member of its list; a task of which none is known is its
// user's alone.
func (s *Store) page(ctx context.Context, user uuid.UUID, lists []uuid.UUID, task uuid.UUID, behind string, limit int) ([]Occurrence, error) {
	var series uuid.UUID
	const may = "list_id = ANY (?) OR list_id IS NULL AND user_id = ?"
	err := s.DB.NewSelect().Model((*Occurrence)(nil)).Column("series_id").
		Where("task_id = ?", task).Where(may, pgdialect.Array(lists), user).
		OrderExpr("version DESC").Limit(1).Scan(ctx, &series)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, errNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("find the series of a task: %w", err)
	}
	entries := []Occurrence{}
	q := s.DB.NewSelect().Model(&entries).Where("series_id = ?", series).Where(may, pgdialect.Array(lists), user).Where("(status <> ? OR passed)", TakenBack).OrderExpr("occurrence DESC").Limit(int64(limit))
	if behind != "" {
		q = q.Where("occurrence < ?", behind)
	}
	if err := q.Scan(ctx); err != nil {
		return nil, fmt.Errorf("list the occurrences of series %s: %w", series, err)
	}
	for i := range entries {
		if e := &entries[i]; e.Status == TakenBack {
			e.Status, e.TaskID = Missed, nil // its task came too early, and not again
		}
	}
	return entries, nil
}
