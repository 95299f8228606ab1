package series

import (
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/taskwire/taskwire/pkg/recurrence"
)

// row is a task as it is stored.
type row struct {
	ID         uuid.UUID
	Version    int64
	IsComplete bool
	Armed      int
}

// entry is an occurrence in the ledger.
type entry struct {
	SeriesID   uuid.UUID
	Occurrence string
	TaskID     *uuid.UUID
	Status     string
}

func collect[T any](q *sequence, sql string) []T {
	rows, err := q.pair.db.Query(context.Background(), sql, q.user)
	if err != nil {
		q.fail("%v", err)
		return nil
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[T])
	if err != nil {
		q.fail("%v", err)
	}
	return list
}

// check holds what is stored against the model, when nothing is on its way any more.
func (q *sequence) check() {
	rows := map[uuid.UUID]row{}
	for _, r := range collect[row](q, `SELECT t.id, t.version, t.is_complete, (SELECT count(*) FROM task.reminders r WHERE r.task_id = t.id AND r.armed)
		FROM task.tasks t WHERE t.user_id = $1`) {
		rows[r.ID] = r
	}
	for _, t := range q.model.all() {
		r, stored := rows[t.ID]
		delete(rows, t.ID)
		if stored == t.deleted {
			q.fail("%s: stored: %t, deleted: %t", t.name, stored, t.deleted)
			continue
		}
		if stored && (r.Version != t.Version || r.IsComplete != t.IsComplete) {
			q.fail("%s is stored with version %d, complete: %t; the log says %d, %t", t.name, r.Version, r.IsComplete, t.Version, t.IsComplete)
		}
		if r.IsComplete && r.Armed > 0 {
			q.fail("%s is complete, and %d of its reminders are armed", t.name, r.Armed)
		}
	}
	for id := range rows {
		q.fail("task %s is stored, and the log does not know it", id)
	}
	q.checkLedger()
	seen := map[uuid.UUID]bool{}
	for _, t := range q.model.all() {
		if t.SeriesID != nil && !seen[*t.SeriesID] {
			seen[*t.SeriesID] = true
			q.checkEnd(*t.SeriesID)
		}
	}
	q.checkSubtasks()
}

// checkLedger: it says of each task what has become of it, and else only what was missed.
func (q *sequence) checkLedger() {
	of := map[uuid.UUID][]entry{}
	missed := map[string]bool{}
	for _, e := range collect[entry](q, `
		SELECT series_id, occurrence, CASE WHEN status <> 'taken_back' OR NOT passed THEN task_id END, CASE WHEN status = 'taken_back' AND passed THEN 'missed' ELSE status END
		FROM recurring.occurrences WHERE user_id = $1`) {
		switch {
		case e.TaskID != nil:
			of[*e.TaskID] = append(of[*e.TaskID], e)
		case e.Status == "missed":
			missed[e.SeriesID.String()+e.Occurrence] = true
		default:
			q.fail("the ledger says %s of %s, and names no task", e.Status, e.Occurrence)
		}
	}
	for _, t := range q.model.all() {
		entries := slices.DeleteFunc(of[t.ID], func(e entry) bool { return e.Status == takenBack })
		delete(of, t.ID)
		if t.SeriesID == nil {
			continue
		}
		want := "open"
		switch {
		case t.how == takenBack:
			if len(entries) > 0 {
				q.fail("%s was taken back, and the ledger says %s", t, entries[0].Status)
			}
			continue
		case t.IsComplete:
			want = "done"
		case t.deleted:
			want = t.how
			if want == "" {
				want = ended
			}
		}
		entries = slices.DeleteFunc(entries, func(e entry) bool { return e.SeriesID != *t.SeriesID && e.Status != "open" })
		if len(entries) != 1 || entries[0].Status != want || entries[0].Occurrence != *t.Occurrence || entries[0].SeriesID != *t.SeriesID {
			q.fail("%s is %s, and the ledger says %v", t, want, entries)
		}
		if missed[t.SeriesID.String()+*t.Occurrence] {
			q.fail("%s has a task, and the ledger says missed", t)
		}
		if t.follows == nil || t.restless || t.follows.restless || t.Recurrence == nil || t.Recurrence.Basis != recurrence.BasisDue || t.Recurrence.Missed != t.follows.missedPolicy() {
			continue
		}
		for _, wall := range q.between(t.follows, t) {
			if !missed[t.SeriesID.String()+wall] {
				q.fail("%s follows %s, and %s is not missed in the ledger", t, t.follows, wall)
			}
		}
	}
	for _, entries := range of {
		q.fail("the ledger says %v, and there never was such a task", entries)
	}
}

func (t *task) missedPolicy() string {
	if t.Recurrence == nil {
		return ""
	}
	return t.Recurrence.Missed
}

// between are the dates of the rule between two tasks of a series that no task has
// stood for.
func (q *sequence) between(p, t *task) []string {
	var walls []string
	stood := map[string]bool{}
	for _, o := range q.model.series(*t.SeriesID) {
		for _, wall := range o.walls {
			stood[wall] = true // also where it was moved since
		}
	}
	for _, o := range dates(t.Recurrence.Rule(t.Timezone, t.AllDay)) {
		if o.Wall > *p.Occurrence && o.Wall < *t.Occurrence && !stood[o.Wall] {
			walls = append(walls, o.Wall)
		}
	}
	return walls
}

// checkEnd: a series without an open task was ended by its user, or by its rule.
func (q *sequence) checkEnd(series uuid.UUID) {
	tasks := q.model.series(series)
	var last *task // to be completed
	for _, t := range tasks {
		if !t.deleted && !t.IsComplete {
			return
		}
		if t.IsComplete && (last == nil || t.CompletedAt.After(*last.CompletedAt)) {
			last = t
		}
	}
	if last == nil || q.model.ended[series] || !last.recurs() {
		return
	}
	if last.parent != nil && last.deleted || last.ruled {
		return // it went with its parent; or its rule is of after it was done
	}
	if next := q.model.next(last, *last.CompletedAt, false); !slices.Contains(next, "") {
		q.fail("nothing is open in the series of %s, which was completed last; %s comes next", last, strings.Join(next, " or "))
	}
}

// checkSubtasks: what is done has nothing open under it that its user has not put
// there, and nothing is there twice.
func (q *sequence) checkSubtasks() {
	for _, t := range q.model.standing() {
		seen := map[string]bool{}
		for _, s := range q.model.subtasks(t) {
			if s.SeriesID == nil {
				if seen[s.family] {
					q.fail("%s has %s twice", t.name, s.family)
				}
				seen[s.family] = true
			}
			if t.IsComplete && !s.IsComplete && s.Recurrence == nil && !s.byUser {
				q.fail("%s is complete, and its subtask %s is open", t.name, s.name)
			}
		}
	}
}
