package task

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/recurrence"
	"github.com/taskwire/taskwire/pkg/telemetry"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
	"github.com/taskwire/taskwire/services/task-api/internal/search"
)

// RecurrencePatch changes parts of a recurrence.
type RecurrencePatch struct {
	RRule, Basis, MonthEnd, DSTGap, Missed Optional[string]
}

// Optional is a part of a patch: absent, null, or a value.
type Optional[T any] struct {
	Present bool
	Null    bool
	Value   T
}

// or is the value, fallback when the part is absent, and zero when it is null.
func (o Optional[T]) or(fallback T) T {
	if !o.Present {
		return fallback
	}
	return o.Value
}

// pointer is nil when the part is null.
func (o Optional[T]) pointer() *T {
	if o.Null {
		return nil
	}
	return &o.Value
}

// over is the recurrence that the patch makes of was, which may be nil.
func (p RecurrencePatch) over(was *event.Recurrence) *RecurrenceDraft {
	if was == nil {
		was = &event.Recurrence{}
	}
	return &RecurrenceDraft{
		RRule: p.RRule.or(was.RRule), Basis: p.Basis.or(was.Basis), MonthEnd: p.MonthEnd.or(was.MonthEnd),
		DSTGap: p.DSTGap.or(was.DSTGap), Missed: p.Missed.or(was.Missed),
	}
}

// Versions are those of a task that a change is meant for; nil are all.
type Versions = change.Versions

var errStale = refuse.Because(refuse.TaskChanged, "the task has changed since; read it again and send its new ETag")

// Scope is how far an edit of a recurring task goes.
type Scope string

// The scopes.
const (
	ScopeThis      Scope = "this"      // a new due time is that of this occurrence
	ScopeFollowing Scope = "following" // and the series goes on from it
)

// edit is what a request changes of a task.
type edit struct {
	apply func(t *Task, by asking) error
	kinds func(before, after *Task) []string // of its events
	// due says that it tells when the task is due, following that the series goes
	// on from there.
	due, following bool
	moves          bool // it moves the task under another parent
	// lockPlaces and place give the task its position, where that is not the end of its list.
	lockPlaces func(tx *change.Tx)
	place      func(ctx context.Context, tx *change.Tx, t *Task) error
}

// Replace makes a task of the actor what draft says, and Patch changes parts of it.
// Their event is an update; where the task became complete, a completion follows.
func (s *Store) Replace(ctx context.Context, actor access.Actor, id uuid.UUID, match Versions, draft Draft, scope Scope) (*Task, error) {
	return s.edit(ctx, actor, id, match, edit{apply: draft.apply, kinds: updated, due: true, following: scope == ScopeFollowing})
}

// Patch changes parts of a task of the actor; see Replace.
func (s *Store) Patch(ctx context.Context, actor access.Actor, id uuid.UUID, match Versions, patch Patch, scope Scope) (*Task, error) {
	return s.edit(ctx, actor, id, match, patch.edit(scope))
}

func (in Patch) edit(scope Scope) edit {
	return edit{apply: in.apply, kinds: updated, due: in.DueAt.Present, following: scope == ScopeFollowing, moves: in.ParentID.Present}
}

// updated are the events of a change of any part of a task.
func updated(before, after *Task) []string {
	if !before.IsComplete && after.IsComplete {
		return []string{event.TaskUpdated, event.TaskCompleted}
	}
	return []string{event.TaskUpdated}
}

// Complete sets whether a task of the actor is complete; nil toggles it.
func (s *Store) Complete(ctx context.Context, actor access.Actor, id uuid.UUID, match Versions, complete *bool) (*Task, error) {
	return s.edit(ctx, actor, id, match, completion(complete))
}

func completion(complete *bool) edit {
	return edit{apply: func(t *Task, by asking) error {
		done := !t.IsComplete
		if complete != nil {
			done = *complete
		}
		t.complete(done, by.now)
		return nil
	}, kinds: func(_, after *Task) []string {
		if after.IsComplete {
			return []string{event.TaskCompleted}
		}
		return []string{event.TaskUpdated}
	}}
}

// errMoves says that an edit moves the task, which was not known before it was read.
var errMoves = errors.New("the task moves")

func (s *Store) edit(ctx context.Context, actor access.Actor, id uuid.UUID, match Versions, e edit) (*Task, error) {
	t, err := s.editOnce(ctx, actor, id, match, e)
	if errors.Is(err, errMoves) {
		e.moves = true
		return s.editOnce(ctx, actor, id, match, e)
	}
	return t, err
}

func (s *Store) editOnce(ctx context.Context, actor access.Actor, id uuid.UUID, match Versions, e edit) (*Task, error) {
	var t *Task
	err := s.Changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) (err error) {
		t, err = e.in(ctx, tx, id, match)
		return err
	})
	return t, err
}

// in makes the edit in a transaction.
func (e edit) in(ctx context.Context, tx *change.Tx, id uuid.UUID, match Versions) (*Task, error) {
	apply := func(t *Task) error { return e.apply(t, askingIn(ctx, tx)) }
	if e.lockPlaces != nil {
		e.lockPlaces(tx)
	}
	if e.moves {
		if err := lockMove(ctx, tx, id, apply); err != nil {
			return nil, err
		}
	}
	t, err := lock(ctx, tx, id)
	if err != nil {
		return nil, err
	}
	if !match.Allow(t.Version) {
		return nil, errStale
	}
	before := t.clone()
	if e.following && t.recurs() && t.IsComplete {
		return nil, refuse.Because(refuse.AlreadyComplete, "the occurrence is complete; change the open one, which the following ones come from")
	}
	if err := apply(t); err != nil {
		return nil, err
	}
	if !equal(t.ParentID, before.ParentID) && !e.moves {
		return nil, errMoves
	}
	if err := t.joinSeries(before, e); err != nil {
		return nil, err
	}
	if err := placeInList(ctx, tx, before, t); err != nil {
		return nil, err
	}
	if t.ListID != before.ListID {
		alone, err := t.goesAlone(ctx, tx, before)
		if err == nil && alone {
			err = t.leaveSeries(ctx, tx)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := keepApart(ctx, tx, before, t); err != nil {
		return nil, err
	}
	if e.place != nil {
		if err := e.place(ctx, tx, t); err != nil {
			return nil, err
		}
	}
	if err := save(ctx, tx, before, t, e.kinds(before, t)...); err != nil {
		return nil, err
	}
	if t.ListID != before.ListID {
		if err := takeAlong(ctx, tx, t); err != nil {
			return nil, err
		}
	}
	if t.IsComplete == before.IsComplete {
		return t, nil
	}
	if !t.IsComplete && t.SeriesID != nil {
		if err := takeBack(ctx, tx, t, t.ListID); err != nil {
			return nil, err
		}
	}
	return t, completeSubtasks(ctx, tx, before, t)
}

// save writes a task that was changed, with its events, unless it is as before.
func save(ctx context.Context, tx *change.Tx, before, t *Task, kinds ...string) error {
	if err := t.arm(before, tx.Now); err != nil {
		return err
	}
	if reflect.DeepEqual(before.onTheWire(), t.onTheWire()) {
		return nil
	}
	t.Version += int64(len(kinds))
	t.UpdatedAt = tx.Now
	if err := update(ctx, tx, before, t); err != nil {
		return err
	}
	return appendEvents(tx, kinds, before, t, nil)
}

// lockMove takes the locks that come before the task's own: see lockSeries, and that of
// a parent that the edit moves it under, in the order of their ids. Where the edit moves
// nothing, or fails, it locks no parent.
func lockMove(ctx context.Context, tx *change.Tx, id uuid.UUID, apply func(*Task) error) error {
	lockSeries(tx, id)
	t, err := read(ctx, tx, id)
	if err != nil {
		return err
	}
	had := t.ParentID
	if err := apply(t); err != nil {
		if refused := (*refuse.Error)(nil); errors.As(err, &refused) {
			return nil // it is said when the task is locked
		}
		return err
	}
	if equal(t.ParentID, had) {
		return nil
	}
	for _, parent := range []*uuid.UUID{had, t.ParentID} {
		if err := touchParent(ctx, tx, parent); err != nil {
			return err
		}
	}
	if t.ParentID == nil {
		return nil
	}
	ids := []uuid.UUID{id, *t.ParentID}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	may := tx.Actor.Tasks()
	for _, one := range ids {
		if _, err := tx.NewRaw("SELECT FROM task.tasks WHERE id = ? AND "+may.SQL+" FOR UPDATE", append([]any{one}, may.Args...)...).Exec(ctx); err != nil {
			return fmt.Errorf("lock the task and its new parent: %w", err)
		}
	}
	return nil
}

func update(ctx context.Context, tx *change.Tx, before, t *Task) error {
	t.keepWalls()
	indexed := before.indexed()
	t.SearchVersion = t.searchVersion()
	names, values := tx.Columns(t, "id", "user_id", "created_at", "follows_id", "followed")
	tx.Queue("UPDATE task.tasks SET "+strings.Join(names, " = ?, ")+" = ?, title_key = ? WHERE id = ?", append(values, search.TitleKey(t.Title), t.ID)...)
	if !indexed || t.Title != before.Title || t.Description != before.Description || !slices.Equal(t.Tags, before.Tags) || t.ListID != before.ListID {
		if err := t.index(ctx, tx); err != nil {
			return err
		}
	}
	kept := make([]uuid.UUID, len(t.Reminders))
	for i, r := range t.Reminders {
		kept[i] = r.ID
	}
	if slices.ContainsFunc(before.Reminders, func(b Reminder) bool { return !slices.Contains(kept, b.ID) }) {
		tx.Queue("DELETE FROM task.reminders WHERE task_id = ? AND NOT id = ANY (?)", t.ID, kept)
	}
	for _, r := range t.Reminders {
		if slices.ContainsFunc(before.Reminders, r.same) {
			continue
		}
		r.TraceParent = telemetry.TraceParent(ctx)
		names, values := tx.Columns(&r)
		tx.Queue(insertion("task.reminders", names)+` ON CONFLICT (id) DO UPDATE SET ordinal = EXCLUDED.ordinal, at = EXCLUDED.at, at_wall = EXCLUDED.at_wall,
			before_due = EXCLUDED.before_due, remind_at = EXCLUDED.remind_at, armed = EXCLUDED.armed, passed_for = EXCLUDED.passed_for, trace_parent = EXCLUDED.trace_parent`, values...)
	}
	return nil
}

// showDue writes a stored due time as the user sees it, before the zone may
// change: a task that stays all-day keeps its date in another zone.
func (t *Task) showDue(staysAllDay bool) error {
	if t.DueAt == nil {
		return nil
	}
	zone, err := recurrence.Location(t.Timezone)
	if err != nil {
		return fmt.Errorf("load the zone of a stored task: %w", err)
	}
	shown := t.DueAt.In(zone)
	if t.AllDay && staysAllDay {
		if wall, ok := wallOf(t.DueWall, *t.DueAt, t.Timezone); ok {
			shown = wall
		}
		shown = time.Date(shown.Year(), shown.Month(), shown.Day(), 0, 0, 0, 0, time.UTC)
	}
	t.DueAt = &shown
	return nil
}

// complete sets whether t is done; a task that is done already keeps its time.
func (t *Task) complete(done bool, now time.Time) {
	switch {
	case done && !t.IsComplete:
		t.IsComplete, t.CompletedAt = true, &now
	case !done:
		t.IsComplete, t.CompletedAt = false, nil
	}
}
