package reminder_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/pkg/eventlog"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/migrations"
	"github.com/taskwire/taskwire/services/task-api/internal/reminder"
	"github.com/taskwire/taskwire/services/task-api/internal/task"
)

func TestMain(m *testing.M) { os.Exit(databasetest.Main(m)) }

var quiet = slog.New(slog.DiscardHandler)

// start is when the tests' clocks begin.
var start = time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)

type rig struct {
	t     *testing.T
	db    *bun.DB
	url   string
	tasks *task.Store
	actor access.Actor
	ctx   context.Context
	mu    sync.Mutex
	now   time.Time
}

func newRig(t *testing.T) *rig {
	db, url := databasetest.Open(t, migrations.Schema)
	r := &rig{t: t, db: db, url: url, now: start, actor: access.Actor{UserID: uuid.New(), Email: "ada@example.org"}, ctx: t.Context()}
	r.tasks = &task.Store{DB: db, Changes: &change.Writer{
		DB: db, Events: eventlog.NewSignal(url, "e", quiet), Clock: eventlog.NewSignal(url, "r", quiet), Now: r.time,
	}}
	return r
}

func (r *rig) time() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

func (r *rig) set(t time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = t
}

func (r *rig) clock() *reminder.Clock {
	return &reminder.Clock{Changes: r.tasks.Changes, Log: quiet}
}

// fire lets a clock fire all that is due and says how many that were.
func (r *rig) fire() int {
	r.t.Helper()
	total := 0
	for {
		n, err := r.clock().Fire(r.ctx)
		require.NoError(r.t, err)
		if total += n; n == 0 {
			return total
		}
	}
}

func (r *rig) edit(id uuid.UUID, change func(*task.Task)) {
	r.t.Helper()
	t, err := r.tasks.Get(r.ctx, r.actor, id)
	require.NoError(r.t, err)
	had := len(t.Reminders)
	change(t)
	patch := task.Patch{
		Title: task.Optional[string]{Present: true, Value: t.Title}, IsComplete: task.Optional[bool]{Present: true, Value: t.IsComplete},
		DueAt: task.Optional[time.Time]{Present: true, Null: t.DueAt == nil},
	}
	if t.DueAt != nil {
		patch.DueAt.Value = *t.DueAt
	}
	if len(t.Reminders) != had {
		patch.Reminders.Present = true
		for _, one := range t.Reminders {
			kept := task.ReminderDraft{ID: &one.ID, At: one.At}
			if one.BeforeDue != nil {
				kept.BeforeDue = *one.BeforeDue
			}
			patch.Reminders.Value = append(patch.Reminders.Value, kept)
		}
	}
	_, err = r.tasks.Patch(r.ctx, r.actor, id, nil, patch, task.ScopeThis)
	require.NoError(r.t, err)
}

// rezone has the laws under which a task's due time was written replaced by today's.
func (r *rig) rezone(id uuid.UUID, written string) {
	r.t.Helper()
	_, err := r.db.ExecContext(r.ctx, "UPDATE task.tasks SET due_wall = ? WHERE id = ?", written, id)
	require.NoError(r.t, err)
	moved := 0
	require.NoError(r.t, r.tasks.Rezone(r.ctx, false, func(task.Rezoned) { moved++ }, func(int) {}))
	require.Equal(r.t, 1, moved)
}

func (r *rig) count(sql string) int {
	r.t.Helper()
	var n int
	require.NoError(r.t, r.db.NewRaw(sql).Scan(r.ctx, &n))
	return n
}

func at(t time.Time) task.ReminderDraft     { return task.ReminderDraft{At: &t} }
func before(span string) task.ReminderDraft { return task.ReminderDraft{BeforeDue: span} }
func ptr[T any](v T) *T                     { return &v }
func hours(n int) time.Time                 { return start.Add(time.Duration(n) * time.Hour) }

func TestThreeReplicasFireEachReminderOnce(t *testing.T) {
	r := newRig(t)
	const tasks, each = 50, 20
	for i := range tasks {
		in := task.Draft{Title: fmt.Sprint(i)}
		for j := range each {
			in.Reminders = append(in.Reminders, at(hours(1).Add(time.Duration(j)*time.Millisecond)))
		}
		_, err := r.tasks.Create(r.ctx, r.actor, in, nil)
		require.NoError(t, err)
	}
	require.Zero(t, r.fire(), "none is due")
	r.set(hours(1).Add(time.Second))
	ctx, stop := context.WithCancel(r.ctx)
	var running sync.WaitGroup
	for range 3 {
		running.Go(func() { _ = r.clock().Run(ctx) }) // ends with its context
	}
	require.Eventually(t, func() bool {
		return r.count("SELECT count(*) FROM task.reminders WHERE armed") == 0
	}, time.Minute, 10*time.Millisecond)
	stop()
	running.Wait()
	require.Equal(t, tasks*each, r.count("SELECT count(*) FROM task.events WHERE topic = 'reminders'"))
	require.Equal(t, tasks*each, r.count("SELECT count(DISTINCT data::json->>'reminder_id') FROM task.events WHERE topic = 'reminders'"))
}

func TestWhatFires(t *testing.T) {
	yes, no := true, false
	for _, c := range []struct {
		name   string
		in     task.Draft
		change func(*rig, uuid.UUID)
		fires  int
	}{
		{"one at its time", task.Draft{Reminders: []task.ReminderDraft{at(hours(1))}}, nil, 1},
		{"two of one day", task.Draft{Reminders: []task.ReminderDraft{at(hours(1)), at(hours(1).Add(time.Minute))}}, nil, 2},
		{"of two of one moment, one", task.Draft{Reminders: []task.ReminderDraft{at(hours(1)), at(hours(1))}}, nil, 1},
		{"of two of one moment, the other, when the first is removed", task.Draft{Reminders: []task.ReminderDraft{at(hours(1)), at(hours(1))}}, func(r *rig, id uuid.UUID) {
			r.edit(id, func(t *task.Task) { t.Reminders = t.Reminders[1:] })
		}, 1},
		{"both of one moment, when one is moved with its task", task.Draft{DueAt: ptr(hours(2)), Reminders: []task.ReminderDraft{at(hours(1)), before("PT1H")}}, func(r *rig, id uuid.UUID) {
			r.edit(id, func(t *task.Task) { t.DueAt = ptr(hours(3)) })
			r.set(hours(2))
		}, 2},
		{"one of one moment, of a task that was completed and reopened", task.Draft{Reminders: []task.ReminderDraft{at(hours(1)), at(hours(1))}}, func(r *rig, id uuid.UUID) {
			r.edit(id, func(t *task.Task) { t.IsComplete = true })
			r.edit(id, func(t *task.Task) { t.IsComplete = false })
		}, 1},
		{"one before it is due", task.Draft{DueAt: ptr(hours(2)), Reminders: []task.ReminderDraft{before("PT1H")}}, nil, 1},
		{"one that is already past", task.Draft{Reminders: []task.ReminderDraft{at(hours(-48))}}, nil, 1},
		{"of many that are past, the latest", task.Draft{Reminders: []task.ReminderDraft{at(hours(-48)), at(hours(-1)), at(hours(-2)), at(hours(-3))}}, func(r *rig, _ uuid.UUID) {
			require.Equal(r.t, 1, r.count("SELECT count(*) FROM task.reminders WHERE armed AND remind_at = '"+hours(-1).Format(time.RFC3339)+"'"))
		}, 1},
		{"of two that are past at the same moment, one", task.Draft{Reminders: []task.ReminderDraft{at(hours(-1)), at(hours(-1))}}, nil, 1},
		{"of those past the latest, and each that lies ahead", task.Draft{DueAt: ptr(hours(1)), Reminders: []task.ReminderDraft{at(hours(-2)), before("PT2H"), at(hours(1)), before("PT15M")}}, nil, 3},
		{"the latest of those past of a task that is moved", task.Draft{DueAt: ptr(hours(9)), Reminders: []task.ReminderDraft{before("PT1H"), before("PT2H"), before("PT3H")}}, func(r *rig, id uuid.UUID) {
			r.edit(id, func(t *task.Task) { t.DueAt = ptr(hours(-1)) })
		}, 1},
		{"those that a clock was away for, all", task.Draft{Reminders: []task.ReminderDraft{at(hours(1)), at(hours(2)), at(hours(3))}}, func(r *rig, id uuid.UUID) {
			r.set(hours(5))
			r.edit(id, func(t *task.Task) { t.Title = "another" })
		}, 3},
		{"of those past none that was passed over, when its task is changed in another way", task.Draft{Reminders: []task.ReminderDraft{at(hours(-2)), at(hours(-1))}}, func(r *rig, id uuid.UUID) {
			require.Equal(r.t, 1, r.fire())
			r.edit(id, func(t *task.Task) { t.Title = "another" })
			r.edit(id, func(t *task.Task) { t.IsComplete = true })
			r.edit(id, func(t *task.Task) { t.IsComplete = false })
		}, 0},
		{"one that was passed over, when it is moved ahead", task.Draft{DueAt: ptr(hours(-3)), Reminders: []task.ReminderDraft{before("PT1H"), before("PT2H")}}, func(r *rig, id uuid.UUID) {
			require.Equal(r.t, 1, r.fire())
			r.edit(id, func(t *task.Task) { t.DueAt = ptr(hours(4)) })
			require.Zero(r.t, r.fire())
			r.set(hours(3))
		}, 2},
		{"one that is not due yet", task.Draft{Reminders: []task.ReminderDraft{at(hours(3))}}, nil, 0},
		{"of a task that is created complete", task.Draft{IsComplete: true, Reminders: []task.ReminderDraft{at(hours(1))}}, nil, 0},
		{"of a task that was completed", task.Draft{Reminders: []task.ReminderDraft{at(hours(1))}}, func(r *rig, id uuid.UUID) {
			_, err := r.tasks.Complete(r.ctx, r.actor, id, nil, &yes)
			require.NoError(r.t, err)
		}, 0},
		{"of a task that was completed and reopened in time", task.Draft{Reminders: []task.ReminderDraft{at(hours(1))}}, func(r *rig, id uuid.UUID) {
			for _, done := range []*bool{&yes, &no} {
				_, err := r.tasks.Complete(r.ctx, r.actor, id, nil, done)
				require.NoError(r.t, err)
			}
		}, 1},
		{"of a task that was reopened after its moment", task.Draft{Reminders: []task.ReminderDraft{at(hours(1))}}, func(r *rig, id uuid.UUID) {
			_, err := r.tasks.Complete(r.ctx, r.actor, id, nil, &yes)
			require.NoError(r.t, err)
			r.set(hours(2))
			_, err = r.tasks.Complete(r.ctx, r.actor, id, nil, &no)
			require.NoError(r.t, err)
		}, 0},
		{"of a task that was moved to later", task.Draft{DueAt: ptr(hours(2)), Reminders: []task.ReminderDraft{before("PT1H")}}, func(r *rig, id uuid.UUID) {
			r.edit(id, func(t *task.Task) { t.DueAt = ptr(hours(9)) })
		}, 0},
		{"of a task that was moved to sooner", task.Draft{DueAt: ptr(hours(9)), Reminders: []task.ReminderDraft{before("PT1H")}}, func(r *rig, id uuid.UUID) {
			r.edit(id, func(t *task.Task) { t.DueAt = ptr(hours(2)) })
		}, 1},
		{"of a task that was moved and moved back", task.Draft{DueAt: ptr(hours(2)), Reminders: []task.ReminderDraft{before("PT1H")}}, func(r *rig, id uuid.UUID) {
			r.edit(id, func(t *task.Task) { t.DueAt = ptr(hours(9)) })
			r.edit(id, func(t *task.Task) { t.DueAt = ptr(hours(2)) })
		}, 1},
		{"of a task that is due no more", task.Draft{DueAt: ptr(hours(2)), Reminders: []task.ReminderDraft{before("PT1H")}}, func(r *rig, id uuid.UUID) {
			r.edit(id, func(t *task.Task) { t.DueAt = nil })
		}, 0},
		{"that was removed, of two", task.Draft{Reminders: []task.ReminderDraft{at(hours(1)), at(hours(1).Add(time.Second))}}, func(r *rig, id uuid.UUID) {
			r.edit(id, func(t *task.Task) { t.Reminders = t.Reminders[1:] })
		}, 1},
		{"that has fired, when its task is changed in another way", task.Draft{Reminders: []task.ReminderDraft{at(hours(1))}}, func(r *rig, id uuid.UUID) {
			r.set(hours(2))
			require.Equal(r.t, 1, r.fire())
			r.edit(id, func(t *task.Task) { t.Title = "another" })
			r.edit(id, func(t *task.Task) { t.IsComplete = true })
			r.edit(id, func(t *task.Task) { t.IsComplete = false })
		}, 0},
		{"that has fired, when its task is moved to later", task.Draft{DueAt: ptr(hours(2)), Reminders: []task.ReminderDraft{before("PT1H")}}, func(r *rig, id uuid.UUID) {
			r.set(hours(1))
			require.Equal(r.t, 1, r.fire())
			r.edit(id, func(t *task.Task) { t.DueAt = ptr(hours(4)) })
			require.Zero(r.t, r.fire())
			r.set(hours(3))
		}, 1},
		{"that has fired, when new laws have its task an hour earlier", task.Draft{DueAt: ptr(hours(3)), Reminders: []task.ReminderDraft{before("PT2H")}}, func(r *rig, id uuid.UUID) {
			r.set(hours(1))
			require.Equal(r.t, 1, r.fire())
			r.set(hours(1).Add(10 * time.Minute))
			r.rezone(id, "2027-03-01T15:00:00+00:00[Europe/Berlin]")
		}, 0},
		{"that has just fired, and may not be delivered, when new laws have its task an hour earlier", task.Draft{DueAt: ptr(hours(3)), Reminders: []task.ReminderDraft{before("PT2H")}}, func(r *rig, id uuid.UUID) {
			r.set(hours(1))
			require.Equal(r.t, 1, r.fire())
			r.set(hours(1).Add(10 * time.Second))
			r.rezone(id, "2027-03-01T15:00:00+00:00[Europe/Berlin]")
		}, 1},
		{"of a task that was deleted", task.Draft{Reminders: []task.ReminderDraft{at(hours(1))}}, func(r *rig, id uuid.UUID) {
			require.NoError(r.t, r.tasks.Delete(r.ctx, r.actor, id, nil))
		}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			c.in.Title, c.in.Timezone = c.name, "Europe/Berlin"
			created, err := r.tasks.Create(r.ctx, r.actor, c.in, nil)
			require.NoError(t, err)
			if c.change != nil {
				c.change(r, created.ID)
			}
			if r.time().Before(hours(1)) {
				r.set(hours(1).Add(time.Minute))
			}
			require.Equal(t, c.fires, r.fire())
			require.Zero(t, r.fire(), "and not again")
			// Nothing waits for ever: what is due has fired, or is known not to.
			require.Zero(t, r.count("SELECT count(*) FROM task.reminders r JOIN task.tasks t ON t.id = r.task_id WHERE NOT t.is_complete"+
				" AND remind_at <= '"+r.time().Format(time.RFC3339)+"' AND fired_for IS DISTINCT FROM remind_at AND passed_for IS DISTINCT FROM remind_at"))
		})
	}
}
