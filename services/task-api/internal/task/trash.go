package task

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/outage"
	"github.com/taskwire/taskwire/pkg/page"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

// A task that is deleted goes into the trash (task.trash): the rows that it was, with
// those of its subtasks. Its id is that of what it was thrown away with, the root. There
// is nothing else of it, until it is restored.

// Trashed is a thing in the trash that was thrown away by itself.
type Trashed struct {
	ID        uuid.UUID `bun:"id" json:"id" format:"uuid" doc:"The task or the list"`
	Kind      string    `bun:"kind" json:"kind" enum:"task,list" doc:"What it is"`
	Title     string    `bun:"title" json:"title" doc:"How it was called"`
	ListID    uuid.UUID `bun:"list_id" json:"list_id" format:"uuid" doc:"The list that it was in, or that it is"`
	Tasks     int       `bun:"tasks" json:"tasks" doc:"How many tasks come back with it"`
	DeletedBy uuid.UUID `bun:"deleted_by" json:"deleted_by" format:"uuid" doc:"Who has deleted it"`
	DeletedAt time.Time `bun:"deleted_at" json:"deleted_at" doc:"When"`
}

// trashed are the columns of a Trashed but Tasks, of task.trash x.
const trashed = "x.id, CASE WHEN x.task IS NULL THEN 'list' ELSE 'task' END AS kind, x.title, x.list_id, x.deleted_by, x.deleted_at"

// Trash reads up to limit things in the trash of the actor's lists, the latest first,
// behind one. A list that was deleted is there for those who were its members.
func (s *Store) Trash(ctx context.Context, actor access.Actor, behind *page.Place, limit int) ([]*Trashed, error) {
	where := actor.TrashMemberships()
	if behind != nil {
		where = where.And("(x.deleted_at, x.id) < (?, ?)", behind.At, behind.ID)
	}
	const latest = " ORDER BY x.deleted_at DESC, x.id DESC LIMIT ?"
	found := []*Trashed{}
	// The latest of each list of his: all that there are have an index as well, along which
	// Postgres would rather look for his among everybody's.
	err := s.DB.NewRaw("SELECT "+trashed+`,
			(SELECT count(*) FROM task.trash w WHERE w.root_id = x.id AND w.task IS NOT NULL) AS tasks
		FROM task.members m CROSS JOIN LATERAL (
			SELECT x.* FROM task.trash x WHERE x.list_id = m.list_id AND x.root_id = x.id AND NOT x.let_go AND `+where.SQL+latest+`
		) x WHERE m.user_id = ?`+latest, slices.Concat(where.Args, []any{limit, actor.UserID, limit})...).Scan(ctx, &found)
	if err != nil {
		return nil, fmt.Errorf("read the trash: %w", err)
	}
	return found, nil
}

// insertTrash writes the rows of a task into the trash, which are about to be deleted. letGo
// are those that a series lets go: only who undoes that finds them.
func insertTrash(tx *change.Tx, t *Task, root uuid.UUID, letGo bool) {
	// It may have been let go before, and have come again.
	tx.Queue("DELETE FROM task.trash WHERE (id = ? OR root_id = ?) AND let_go AND deleted_at <> ?", t.ID, t.ID, tx.Now)
	tx.Queue(`INSERT INTO task.trash (id, root_id, list_id, series_id, title, version, deleted_by, deleted_at, let_go, task, reminders, comments)
		SELECT t.id, ?, t.list_id, t.series_id, t.title, ?, ?, ?, ?, to_jsonb(t), (SELECT jsonb_agg(to_jsonb(r)) FROM task.reminders r WHERE r.task_id = t.id),
			(SELECT jsonb_agg(to_jsonb(c)) FROM task.comments c WHERE c.task_id = t.id)
		FROM task.tasks t WHERE t.id = ?`, root, t.Version, tx.Actor.UserID, tx.Now, letGo, t.ID)
}

// oneByOne are the rows of a batch. Postgres does not see how many they are: it would rather
// read the whole table for each batch, where that is not so much longer than the list.
const oneByOne = "id = ANY (ARRAY(SELECT unnest(?::uuid[])))"

// TrashList deletes the tasks of a list into the trash, with the list as their root. Its
// caller has locked the list against tasks that would come into it.
func TrashList(ctx context.Context, tx *change.Tx, list uuid.UUID) error {
	for {
		// No index has the tasks of a list by id: they are looked for once, and not for each batch.
		var all []uuid.UUID
		if err := tx.NewRaw("SELECT id FROM task.tasks WHERE list_id = ? AND parent_id IS NULL ORDER BY id", list).Scan(ctx, &all); err != nil {
			return fmt.Errorf("look for the tasks of the list: %w", err)
		}
		for ids := range slices.Chunk(all, batch) {
			if err := trashSome(ctx, tx, list, ids); err != nil {
				return err
			}
		}
		// While there were many, a subtask may have become a task by itself.
		if len(all) < batch {
			return nil
		}
	}
}

// trashSome deletes those of the tasks into the trash that are in the list, under no other.
func trashSome(ctx context.Context, tx *change.Tx, list uuid.UUID, ids []uuid.UUID) error {
	var found []*Task
	// IS TRUE: Postgres looks at each of them, and not through the list, which it takes for short.
	err := tx.NewSelect().Model(&found).Where(oneByOne, pgdialect.Array(ids)).Where("(list_id = ? AND parent_id IS NULL) IS TRUE", list).OrderExpr("id").For("UPDATE").Scan(ctx)
	if err != nil {
		return fmt.Errorf("read the tasks of the list: %w", err)
	}
	if err := readReminders(ctx, tx, found, "UPDATE"); err != nil {
		return err
	}
	for _, t := range found {
		outcome := ""
		if t.SeriesID != nil && !t.IsComplete {
			outcome = event.Ended
		}
		if err := remove(ctx, tx, t, removal{outcome: outcome, root: list}); err != nil {
			return err
		}
	}
	return tx.Flush(ctx)
}

var errNotInTrash = refuse.Missing("thing in the trash")

// lockTrash locks what was thrown away with a root that the actor may restore, or purge
// where he has to own the list, and answers what it is.
func lockTrash(ctx context.Context, tx *change.Tx, root uuid.UUID, owns bool) (*Trashed, error) {
	// The list first, and in a statement of its own: who deletes the list has it before or
	// after, and then this is in the trash with it, or within.
	tx.Queue("SELECT FROM task.lists WHERE id = (SELECT list_id FROM task.trash WHERE id = ? AND root_id = id AND task IS NOT NULL) FOR KEY SHARE", root)
	where, role := tx.Actor.Trash(), tx.Actor.RoleIn("x.list_id")
	var found []struct {
		Trashed
		Role access.Role `bun:"role"`
	}
	err := tx.NewRaw("SELECT "+trashed+", "+role.SQL+
		" AS role FROM task.trash x WHERE x.id = ? AND x.root_id = ? AND "+where.SQL+" FOR UPDATE OF x",
		slices.Concat(role.Args, []any{root, root}, where.Args)...).Scan(ctx, &found)
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the trash: %w", err)
	case len(found) == 0:
		return nil, errNotInTrash
	case (owns || found[0].Kind == "list") && !found[0].Role.Rules():
		return nil, access.ErrOwnersOnly
	case !found[0].Role.Writes():
		return nil, access.ErrReadOnly
	case found[0].Kind == "list":
		return &found[0].Trashed, tx.Actor.ChangesLists()
	}
	return &found[0].Trashed, nil
}

// Restore brings what was thrown away back as it was: in its list, at its place, with its
// reminders, of which those whose time is past do not fire. A subtask whose parent is
// gone comes back without. Each task has an event.
func (s *Store) Restore(ctx context.Context, actor access.Actor, root uuid.UUID) (*Trashed, error) {
	var what *Trashed
	err := s.Changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) (err error) {
		what, err = Restore(ctx, tx, root)
		return err
	})
	return what, err
}

// Restore is Store.Restore in a change under way.
func Restore(ctx context.Context, tx *change.Tx, root uuid.UUID) (*Trashed, error) {
	what, err := lockTrash(ctx, tx, root, false)
	if err != nil {
		return nil, err
	}
	if what.Kind == "list" {
		tx.Queue("UPDATE task.lists SET trashed_at = NULL, version = version + 1, updated_at = ? WHERE id = ?", tx.Now, root)
		tx.Queue("UPDATE task.members SET trashed = false WHERE list_id = ?", root)
		tx.Queue("DELETE FROM task.trash WHERE id = ?", root)
		if err := appendListAudit(tx, event.ListRestored, root); err != nil {
			return nil, err
		}
	}
	what.Tasks, err = bringBack(ctx, tx, root)
	return what, err
}

// bringBack restores the tasks of roots, and says how many they are. Their series, and
// the parents that they had, are locked before: what these are then they stay.
func bringBack(ctx context.Context, tx *change.Tx, roots ...uuid.UUID) (n int, err error) {
	tx.Queue(`SELECT pg_advisory_xact_lock(s.lock) FROM (SELECT DISTINCT hashtextextended(series_id::text, 0) AS lock FROM task.trash
		WHERE root_id = ANY (?) AND series_id IS NOT NULL ORDER BY 1) s`, roots)
	tx.Queue("SELECT FROM task.tasks WHERE id IN (SELECT (task ->> 'parent_id')::uuid FROM task.trash WHERE root_id = ANY (?) AND task IS NOT NULL) ORDER BY id FOR NO KEY UPDATE", roots)
	var coming []struct {
		ListID uuid.UUID `bun:"list_id"`
		Tasks  int       `bun:"tasks"`
	}
	err = tx.NewRaw("SELECT list_id, count(*) AS tasks FROM task.trash WHERE root_id IN (?) AND task IS NOT NULL GROUP BY list_id", bun.List(roots)).Scan(ctx, &coming)
	if err != nil {
		return 0, fmt.Errorf("count what comes back: %w", err)
	}
	for _, c := range coming {
		if err := tx.HasRoom(ctx, c.ListID, c.Tasks); err != nil {
			return 0, err
		}
	}
	// In batches, parents first: whose parent is neither there nor among them has none. No index
	// has them in this order: it is looked for once, and not for each batch.
	const order = " ORDER BY (x.task ->> 'parent_id' IS NOT NULL), x.id"
	var all []uuid.UUID
	if err := tx.NewRaw("SELECT x.id FROM task.trash x WHERE x.root_id IN (?) AND x.task IS NOT NULL"+order, bun.List(roots)).Scan(ctx, &all); err != nil {
		return 0, fmt.Errorf("look for what comes back: %w", err)
	}
	for some := range slices.Chunk(all, batch) {
		var back []struct {
			ID      uuid.UUID `bun:"id"`
			Skipped bool      `bun:"skipped"`
		}
		err := tx.NewRaw(`WITH next AS MATERIALIZED (
				SELECT x.* FROM task.trash x WHERE x.`+oneByOne+order+`
			), back AS (
				INSERT INTO task.tasks SELECT t.* FROM next x CROSS JOIN LATERAL jsonb_populate_record(NULL::task.tasks, x.task || jsonb_build_object(
					'version', x.version + 1, 'updated_at', ?::timestamptz,
					'pristine_version', CASE abs((x.task ->> 'pristine_version')::bigint) WHEN (x.task ->> 'version')::bigint THEN sign((x.task ->> 'pristine_version')::bigint)::bigint * (x.version + 1) ELSE (x.task ->> 'pristine_version')::bigint END,
					'parent_id', (SELECT p.id FROM task.tasks p WHERE p.id = (x.task ->> 'parent_id')::uuid AND p.list_id = x.list_id AND p.parent_id IS NULL
							AND (x.id <> x.root_id OR (SELECT count(*) FROM task.tasks s WHERE s.parent_id = p.id AND NOT (s.is_complete AND s.recurrence IS NOT NULL)) < ?)
						UNION SELECT p.id FROM next p WHERE p.id = (x.task ->> 'parent_id')::uuid))) t
				RETURNING id
			), reminders AS (
				INSERT INTO task.reminders SELECT (jsonb_populate_recordset(NULL::task.reminders, x.reminders)).* FROM next x WHERE x.reminders IS NOT NULL
			), said AS MATERIALIZED ( -- with one that was skipped went its subtasks' comments; its own went on with another, and are known by their ids
				SELECT x.id AS task_id, c.value, jsonb_typeof(c.value) = 'object' AS whole FROM next x, LATERAL jsonb_array_elements(x.comments) c
			), comments AS (
				INSERT INTO task.comments SELECT c.* FROM said s CROSS JOIN LATERAL jsonb_populate_record(NULL::task.comments, s.value) c WHERE s.whole
			), moved AS ( -- to the first of several that were skipped, on which it was said
				UPDATE task.comments c SET task_id = (SELECT s.task_id FROM said s WHERE s.value = to_jsonb(c.id) ORDER BY s.task_id LIMIT 1)
				WHERE id = ANY (ARRAY(SELECT (s.value #>> '{}')::uuid FROM said s WHERE NOT s.whole))
			), emptied AS (
				DELETE FROM task.trash WHERE id = ANY (ARRAY(SELECT id FROM next))
			), forgotten AS (
				DELETE FROM task.gone_occurrences g USING next x WHERE g.series_id = x.series_id AND g.task_id = x.id
				RETURNING x.id, x.let_go AND x.id = x.root_id AND NOT g.taken_back AS skipped
			)
			SELECT id, EXISTS (SELECT FROM forgotten f WHERE f.id = back.id AND f.skipped) AS skipped FROM back ORDER BY id`, pgdialect.Array(some), tx.Now, maxSubtasks).Scan(ctx, &back)
		if err != nil {
			return n, fmt.Errorf("bring tasks back from the trash: %w", err)
		}
		ids, skipped := make([]uuid.UUID, len(back)), map[uuid.UUID]bool{}
		for i, b := range back {
			ids[i], skipped[b.ID] = b.ID, b.Skipped
		}
		var found []*Task
		if err := tx.NewSelect().Model(&found).Where(oneByOne, pgdialect.Array(ids)).OrderExpr("id").Scan(ctx); err != nil {
			return n, fmt.Errorf("read the tasks that are back: %w", err)
		}
		if err := readReminders(ctx, tx, found, ""); err != nil {
			return n, err
		}
		for _, t := range found {
			if err := t.isBack(ctx, tx, skipped[t.ID]); err != nil {
				return n, err
			}
		}
		for _, t := range found {
			if !t.recurs() || !t.IsComplete || t.Followed {
				continue
			}
			// Whoever was to have it followed has not found it.
			if _, err := follow(ctx, tx, t, false); err != nil {
				return n, err
			}
			if err := markFollowed(ctx, tx, t); err != nil {
				return n, err
			}
		}
		n += len(ids)
		if err := tx.Flush(ctx); err != nil {
			return n, err
		}
	}
	return n, nil
}

// isBack makes good what time has made of a task in the trash, and tells of it, and whether
// it had been skipped.
func (t *Task) isBack(ctx context.Context, tx *change.Tx, skipped bool) error {
	was := t.clone()
	if err := leaveOthers(ctx, tx, t, t.AssigneeID); err != nil {
		return err
	}
	for i := range t.Reminders {
		if r := &t.Reminders[i]; r.Armed && !r.RemindAt.After(tx.Now) {
			r.Armed, r.PassedFor = false, r.RemindAt
		}
	}
	was.SearchVersion = nil // the rows of the search are gone
	if err := t.leaveSeries(ctx, tx); err != nil {
		return err
	}
	if err := update(ctx, tx, was, t); err != nil {
		return err
	}
	var about map[string]any
	if skipped {
		about = map[string]any{event.MetaOccurrence: event.Skipped}
	}
	return appendEvents(tx, []string{event.TaskRestored}, nil, t, about)
}

// Purge takes something out of the trash for good.
func (s *Store) Purge(ctx context.Context, actor access.Actor, root uuid.UUID) error {
	return s.Changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) error {
		what, err := lockTrash(ctx, tx, root, true)
		if err != nil {
			return err
		}
		return purge(ctx, tx, what)
	})
}

// purge deletes what was thrown away with a root. Each task gets its audit event.
func purge(ctx context.Context, tx *change.Tx, what *Trashed) error {
	var last uuid.UUID
	for {
		var gone []struct {
			ID       uuid.UUID  `bun:"id"`
			UserID   uuid.UUID  `bun:"user_id"`
			ListID   uuid.UUID  `bun:"list_id"`
			SeriesID *uuid.UUID `bun:"series_id"`
			LetGo    bool       `bun:"let_go"`
		}
		// With a list goes what was thrown away in it before. Each of the two has an index by id.
		err := tx.NewRaw(`DELETE FROM task.trash WHERE id = ANY (ARRAY(
				(SELECT id FROM task.trash WHERE root_id = ?0 AND id > ?1 AND task IS NOT NULL ORDER BY id LIMIT ?2)
				UNION (SELECT id FROM task.trash WHERE list_id = ?0 AND id > ?1 AND task IS NOT NULL ORDER BY id LIMIT ?2)
				ORDER BY id LIMIT ?2))
			RETURNING id, (task ->> 'user_id')::uuid AS user_id, list_id, series_id, let_go`, what.ID, last, batch).Scan(ctx, &gone)
		if err != nil {
			return fmt.Errorf("empty the trash: %w", err)
		}
		var series []uuid.UUID
		for _, g := range gone {
			if bytes.Compare(g.ID[:], last[:]) > 0 {
				last = g.ID
			}
			if g.SeriesID != nil {
				series = append(series, *g.SeriesID)
			}
			if g.LetGo {
				continue // it has been gone
			}
			tx.Queue("INSERT INTO task.purged (id) VALUES (?) ON CONFLICT DO NOTHING", g.ID)
			err := tx.AppendAudit(g.ID, event.AuditOf[any]{
				Frame: event.Frame{TaskID: g.ID, UserID: g.UserID}, Action: event.TaskPurged, Target: "task/" + g.ID.String(), ListID: &g.ListID,
			})
			if err != nil {
				return err
			}
		}
		if err := forgetSeries(ctx, tx, series); err != nil {
			return err
		}
		if err := tx.Flush(ctx); err != nil {
			return err
		}
		if len(gone) < batch {
			break
		}
	}
	if what.Kind != "list" {
		return nil
	}
	tx.Queue("DELETE FROM task.trash WHERE id = ?", what.ID)
	tx.Queue("DELETE FROM task.lists WHERE id = ?", what.ID)
	return appendListAudit(tx, event.ListPurged, what.ID)
}

// appendListAudit appends the audit event of a list that came back, or is gone for good.
func appendListAudit(tx *change.Tx, action string, list uuid.UUID) error {
	return tx.AppendAudit(list, event.AuditOf[any]{Action: action, Target: "list/" + list.String(), ListID: &list})
}

// forgetSeries forgets what series have had of which there is nothing left.
func forgetSeries(ctx context.Context, tx *change.Tx, series []uuid.UUID) error {
	if len(series) == 0 {
		return nil
	}
	_, err := tx.NewRaw(`DELETE FROM task.gone_occurrences g WHERE series_id IN (?) AND NOT EXISTS (SELECT FROM task.tasks t WHERE t.series_id = g.series_id)
		AND NOT EXISTS (SELECT FROM task.trash x WHERE x.series_id = g.series_id)`, bun.List(series)).Exec(ctx)
	if err != nil {
		return fmt.Errorf("forget the series that are gone: %w", err)
	}
	return nil
}

const (
	purgeEvery = 10 * time.Minute
	purgeBatch = 20 // roots that are looked for at once
)

// KeepTrash purges what has been in the trash for as long as it is kept, until ctx ends.
// Any number of replicas may do it.
func (s *Store) KeepTrash(ctx context.Context, retention time.Duration, log *slog.Logger) error {
	failing := &outage.Outage{Log: log, Gone: "the trash can not be emptied; trying again", Back: "the trash is emptied again"}
	return database.Repeat(ctx, failing, nil, func(ctx context.Context) (time.Duration, error) {
		n, err := s.purgeOld(ctx, s.Changes.Now().Add(-retention))
		if err != nil || n < purgeBatch {
			return purgeEvery, err
		}
		return 0, nil
	})
}

// purgeOld purges the oldest that were deleted before a moment, and says how many. Each is
// a transaction of its own: one that fails does not keep the others.
func (s *Store) purgeOld(ctx context.Context, before time.Time) (n int, err error) {
	var roots []uuid.UUID
	err = s.DB.NewRaw("SELECT id FROM task.trash WHERE root_id = id AND deleted_at < ? ORDER BY deleted_at, id LIMIT ?", before, purgeBatch).Scan(ctx, &roots)
	if err != nil {
		return 0, fmt.Errorf("look for what is old in the trash: %w", err)
	}
	for _, root := range roots {
		err = errors.Join(err, s.Changes.Do(ctx, access.Actor{Service: "trash"}, func(ctx context.Context, tx *change.Tx) error {
			var old []*Trashed
			err := tx.NewRaw("SELECT "+trashed+" FROM task.trash x WHERE x.id = ? AND x.root_id = x.id FOR UPDATE SKIP LOCKED", root).Scan(ctx, &old)
			if err != nil {
				return fmt.Errorf("read what is old in the trash: %w", err)
			}
			for _, what := range old {
				if err := purge(ctx, tx, what); err != nil {
					return err
				}
				n++
			}
			return nil
		}))
	}
	return n, err
}
