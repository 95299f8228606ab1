package task

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

// The position of a task in its list is an integer below 2^53, the lower the earlier; of
// equal ones the lower id is first. A new task goes to the end: its position is the time
// in microseconds, for which nobody has to ask what the last one is (ADR 0014). So there
// is room between tasks that were made one after another, and where there is none any
// more, those around are moved apart (makeRoom).

const (
	// gap is how far a task is put from the one that it is put before or behind, where
	// nothing is on the other side.
	gap = 1 << 20
	// minGap is how far apart tasks are at least once they are renumbered.
	minGap = 1 << 12
	// firstRenumbered is among how many tasks room is looked for first.
	firstRenumbered = 16
	// maxRenumbered is how many tasks a move renumbers at most. There is always room among so
	// many: 2^53 positions are for more tasks than a list can have.
	maxRenumbered = 1 << 14
)

// takeAlong takes what belongs to a task into its list: its subtasks, and, of a series
// that is under no other task, the other occurrences with theirs.
func takeAlong(ctx context.Context, tx *change.Tx, t *Task) error {
	parents := []*Task{t}
	parted := map[uuid.UUID]uuid.UUID{}
	for len(parents) > 0 {
		for _, p := range parents {
			if err := takeSubtasks(ctx, tx, t, p, parted); err != nil {
				return err
			}
		}
		if t.SeriesID == nil || t.ParentID != nil {
			return nil
		}
		var others []*Task
		err := tx.NewSelect().Model(&others).Where("series_id = ?", *t.SeriesID).Where("list_id <> ?", t.ListID).Where("parent_id IS NULL").
			OrderExpr("id").Limit(batch).For("UPDATE").Scan(ctx)
		if err != nil {
			return fmt.Errorf("read the other occurrences: %w", err)
		}
		if err := readReminders(ctx, tx, others, "UPDATE"); err != nil {
			return err
		}
		if err := take(ctx, tx, others, t.ListID, nil); err != nil {
			return err
		}
		parents = others
	}
	return nil
}

// takeSubtasks takes along the subtasks of a parent, which is t or another occurrence of its
// series. Parted are series by those that they are parts of, which are in another list.
func takeSubtasks(ctx context.Context, tx *change.Tx, t, parent *Task, parted map[uuid.UUID]uuid.UUID) error {
	for {
		subtasks, err := subtasksOf(ctx, tx, parent.ID, "UPDATE", "list_id <> ?", parent.ListID)
		if err != nil {
			return err
		}
		if err := part(ctx, tx, t, subtasks, parted); err != nil {
			return err
		}
		if err := take(ctx, tx, subtasks, parent.ListID, parted); err != nil || len(subtasks) < batch {
			return err
		}
	}
}

// part finds series of which only the subtasks that t takes along go to its list, while
// others are elsewhere, and makes a series for each.
func part(ctx context.Context, tx *change.Tx, t *Task, subtasks []*Task, parted map[uuid.UUID]uuid.UUID) error {
	var ids []uuid.UUID
	for _, sub := range subtasks {
		if sub.SeriesID != nil && !slices.Contains(ids, *sub.SeriesID) {
			ids = append(ids, *sub.SeriesID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	var stay []uuid.UUID
	err := tx.NewRaw(`SELECT DISTINCT s.series_id FROM task.tasks s LEFT JOIN task.tasks p ON p.id = s.parent_id
		WHERE s.series_id IN (?0) AND s.list_id <> ?1 AND (p.id IS NULL OR p.id <> ?2 AND (p.series_id = ?3) IS NOT TRUE)`,
		bun.List(ids), t.ListID, t.ID, t.SeriesID).Scan(ctx, &stay)
	if err != nil {
		return fmt.Errorf("look where the series of the subtasks are: %w", err)
	}
	for _, id := range stay {
		if _, is := parted[id]; is {
			continue
		}
		if parted[id], err = uuid.NewV7(); err != nil {
			return fmt.Errorf("make a series id: %w", err)
		}
	}
	return nil
}

// take has tasks keep their places among each other in another list. Those of a series that
// is parted are of the other part there.
func take(ctx context.Context, tx *change.Tx, tasks []*Task, list uuid.UUID, parted map[uuid.UUID]uuid.UUID) error {
	if len(tasks) == 0 {
		return nil
	}
	if err := tx.HasRoom(ctx, list, len(tasks)); err != nil {
		return err
	}
	for _, t := range tasks {
		was := t.clone()
		t.ListID = list
		if was.SeriesID != nil {
			if other, leaves := parted[*was.SeriesID]; leaves {
				t.SeriesID = &other
				leftSeries(tx, *was.SeriesID, t)
			}
		}
		if err := leaveOthers(ctx, tx, t, t.AssigneeID); err != nil {
			return err
		}
		t.carriedOn(t.Version + 1)
		if err := save(ctx, tx, was, t, event.TaskUpdated); err != nil {
			return err
		}
	}
	// Thousands may have been done; their events are too much to keep.
	return tx.Flush(ctx)
}

// Move says where a task is to be: in a list or under a parent, or where it is where both
// are left out, and there before or behind another one, or at the end.
type Move struct {
	ListID        *uuid.UUID
	ParentID      Optional[uuid.UUID]
	Before, After *uuid.UUID
}

// Move moves a task of the actor. Its event is an update, as are those of tasks that had
// to make room.
func (s *Store) Move(ctx context.Context, actor access.Actor, id uuid.UUID, match Versions, to Move) (*Task, error) {
	e, err := to.edit(id)
	if err != nil {
		return nil, err
	}
	return s.edit(ctx, actor, id, match, e)
}

func (to Move) edit(id uuid.UUID) (edit, error) {
	if to.ListID != nil && *to.ListID == uuid.Nil {
		return edit{}, refuse.Part("list_id", noList)
	}
	if to.Before != nil && to.After != nil {
		return edit{}, refuse.Part("after", "can not be said together with before")
	}
	return edit{
		kinds: updated, moves: to.ParentID.Present,
		apply: func(t *Task, _ asking) error {
			if to.ListID != nil {
				t.ListID = *to.ListID
			}
			if to.ParentID.Present {
				t.ParentID = to.ParentID.pointer()
			}
			return nil
		},
		lockPlaces: func(tx *change.Tx) { lockPlaces(tx, id, to.ListID) },
		place:      func(ctx context.Context, tx *change.Tx, t *Task) error { return place(ctx, tx, t, to) },
	}, nil
}

// spot is where a task is in its list.
type spot struct {
	ID       uuid.UUID `bun:"id"`
	Position int64     `bun:"position"`
}

// lockPlaces has one move at a time in a list: two that find the same room would have the
// same position. It comes before the locks of tasks, which a move that has to make room
// takes of others.
func lockPlaces(tx *change.Tx, id uuid.UUID, list *uuid.UUID) {
	mine := tx.Actor.InLists("id")
	tx.Queue("SELECT FROM task.lists WHERE id = coalesce(?::uuid, (SELECT list_id FROM task.tasks WHERE id = ?)) AND "+mine.SQL+" FOR NO KEY UPDATE",
		append([]any{list, id}, mine.Args...)...)
}

// place gives a task the position that it is moved to.
func place(ctx context.Context, tx *change.Tx, t *Task, to Move) error {
	tx.Queue("SELECT FROM task.lists WHERE id = ? FOR NO KEY UPDATE", t.ListID)
	next, previous, name := to.Before, to.After, "before"
	if to.After != nil {
		name = "after"
	}
	var low, high *spot
	var err error
	switch {
	case next != nil:
		if high, err = spotOf(ctx, tx, t, *next, name); err == nil {
			low, err = neighbour(ctx, tx, t, *high, true)
		}
	case previous != nil:
		if low, err = spotOf(ctx, tx, t, *previous, name); err == nil {
			high, err = neighbour(ctx, tx, t, *low, false)
		}
	default:
		low, err = neighbour(ctx, tx, t, spot{uuid.Max, maxPosition}, true)
	}
	if err != nil {
		return err
	}
	switch {
	case low == nil && high == nil:
		t.Position = tx.Now.UnixMicro()
	case high == nil:
		// New tasks go behind it.
		t.Position = max(tx.Now.UnixMicro(), low.Position+1)
	case low == nil:
		t.Position = high.Position - gap
	case high.Position-low.Position < 2:
		return makeRoom(ctx, tx, t, *low, *high)
	default:
		t.Position = low.Position + (high.Position-low.Position)/2
	}
	if t.Position < minPosition || t.Position > maxPosition {
		return fmt.Errorf("list %s has no positions left at its end", t.ListID)
	}
	return nil
}

// Positions are exact in JSON for clients whose numbers are doubles.
const minPosition, maxPosition = -(1 << 53) + 1, 1<<53 - 1

// spotOf is where another task is, which has to be in the list that t is moved to.
func spotOf(ctx context.Context, tx *change.Tx, t *Task, id uuid.UUID, name string) (*spot, error) {
	s := new(spot)
	err := tx.NewRaw("SELECT id, position FROM task.tasks WHERE id = ? AND id <> ? AND list_id = ?", id, t.ID, t.ListID).Scan(ctx, s)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, refuse.Part(name, "is none of the other tasks in the list")
	}
	if err != nil {
		return nil, fmt.Errorf("read where the other task is: %w", err)
	}
	return s, nil
}

// neighbour is the next task before or behind a spot; nil for none.
func neighbour(ctx context.Context, tx *change.Tx, t *Task, at spot, before bool) (*spot, error) {
	found, err := neighbours(ctx, tx, t, at, before, 1)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &spot{found[0].ID, found[0].Position}, nil
}

// neighbours reads up to n tasks before or behind a spot, the nearest first.
func neighbours(ctx context.Context, tx *change.Tx, t *Task, at spot, before bool, n int) ([]*Task, error) {
	than, direction := ">", ""
	if before {
		than, direction = "<", " DESC"
	}
	order := " ORDER BY position" + direction + ", id" + direction + " LIMIT ?"
	var b builder
	for i, half := range openAndDone {
		if i > 0 {
			b.add(" UNION ALL ")
		}
		b.add("(SELECT "+columns+" FROM task.tasks WHERE list_id = ? AND "+half.SQL+" AND id <> ? AND (position, id) "+than+" (?, ?)"+order,
			t.ListID, t.ID, at.Position, at.ID, n)
		b.add(")")
	}
	b.wrap("SELECT * FROM (", ") t")
	b.add(order, n)
	var found []*Task
	err := tx.NewRaw(b.String(), b.args...).Scan(ctx, &found)
	if err != nil {
		return nil, fmt.Errorf("look around in the list: %w", err)
	}
	return found, nil
}

// makeRoom makes room for t between two tasks that have none: those around are put as far
// from each other as the room between the first and the last of them allows. There are
// more of them, the less room there is.
func makeRoom(ctx context.Context, tx *change.Tx, t *Task, low, high spot) error {
	for n := firstRenumbered; ; n *= 4 {
		before, err := neighbours(ctx, tx, t, spot{high.ID, high.Position}, true, n)
		if err != nil {
			return err
		}
		behind, err := neighbours(ctx, tx, t, spot{low.ID, low.Position}, false, n)
		if err != nil {
			return err
		}
		// The outermost stay; where the list ends there is all the room.
		slices.Reverse(before)
		from, to := int64(minPosition), int64(maxPosition)
		switch {
		case len(before) == n:
			from, before = before[0].Position, before[1:]
		case len(before) > 0:
			from = before[0].Position - int64(len(before)+len(behind)+2)*gap
		}
		switch {
		case len(behind) == n:
			to, behind = behind[n-1].Position, behind[:n-1]
		case len(behind) > 0:
			// No later than now: new tasks go behind.
			to = max(behind[len(behind)-1].Position, tx.Now.UnixMicro()) + 1
		}
		from, to = max(from, minPosition), min(to, maxPosition)
		step := (to - from) / int64(len(before)+len(behind)+2)
		if step < minGap && n < maxRenumbered {
			continue
		}
		if step < 2 {
			return fmt.Errorf("no room among %d tasks of list %s", 2*n, t.ListID)
		}
		all := append(append(before, t), behind...) //nolint:gocritic // its own slice
		return renumber(ctx, tx, t, all, from, step)
	}
}

// renumber puts tasks a step apart, and saves all but t, which its move saves.
func renumber(ctx context.Context, tx *change.Tx, t *Task, all []*Task, from, step int64) error {
	others := make([]*Task, 0, len(all))
	for _, o := range all {
		if from += step; o == t {
			t.Position = from
			continue
		}
		o.Position = from
		others = append(others, o)
	}
	// Locked by their ids, and read again: somebody may have changed one meanwhile.
	positions := map[uuid.UUID]int64{}
	ids := make([]uuid.UUID, len(others))
	for i, o := range others {
		positions[o.ID], ids[i] = o.Position, o.ID
	}
	var locked []*Task
	if err := tx.NewSelect().Model(&locked).Where("id IN (?)", bun.List(ids)).Where("(list_id = ?) IS TRUE", t.ListID).OrderExpr("id").For("UPDATE").Scan(ctx); err != nil {
		return fmt.Errorf("lock the tasks that make room: %w", err)
	}
	if err := readReminders(ctx, tx, locked, "UPDATE"); err != nil {
		return err
	}
	for _, o := range locked {
		was := o.clone()
		o.Position = positions[o.ID]
		o.carriedOn(o.Version + 1)
		if err := save(ctx, tx, was, o, event.TaskUpdated); err != nil {
			return err
		}
	}
	return nil
}
