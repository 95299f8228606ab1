package task

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/recurrence"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
)

// The open tasks that a list can be narrowed to, by the day they are due.
const (
	DueOverdue  = "overdue"
	DueToday    = "today"
	DueTomorrow = "tomorrow"
	DueWeek     = "week" // today and the six days after it
	DueNone     = "none" // no due time
)

var dues = []string{DueOverdue, DueToday, DueTomorrow, DueWeek, DueNone}

// checkDue refuses a Due or a Timezone that can not be.
func (q Query) checkDue() error {
	var p problems
	if q.Due != "" && !slices.Contains(dues, q.Due) {
		p.add("due", "must be one of "+strings.Join(dues, ", "))
	}
	if q.Due != "" && q.IsComplete != nil && *q.IsComplete {
		p.add("is_complete", "must not be true beside due, which is of open tasks")
	}
	if q.Timezone != "" {
		if _, err := recurrence.Location(q.Timezone); err != nil {
			p.addErr("timezone", err)
		}
	}
	return p.err()
}

// edge is where the days that a list is narrowed to begin or end: its tasks are due
// before (<) a date, or on it or later (>=).
//
// An all-day task is due on its date, whose first instant in the task's own zone is
// its due_at.
type edge struct {
	than  string
	date  time.Time // midnight in UTC
	timed time.Time // the edge of tasks with a time
}

// farthest is more than any zone is from UTC.
const farthest = 16 * time.Hour

// side is the condition of the tasks on one side of an edge. due_at, which every index has,
// tells it surely of those that are not near the edge; of the others it hangs on the zone.
type side struct {
	surely, exactly access.Condition
}

// filterDue narrows the list to the tasks that are due when the query says.
func (l *listing) filterDue(ctx context.Context, q Query) error {
	switch q.Due {
	case "":
		return nil
	case DueNone:
		l.narrow("due_at", "due_at IS NULL")
		return nil
	}
	zone := q.Timezone
	if zone == "" {
		var err error
		if zone, err = l.zone(ctx); err != nil {
			return err
		}
	}
	edges, err := edgesOf(q.Due, l.store.Changes.Now(), zone)
	if err != nil {
		return err
	}
	zones, err := l.zonesNear(ctx, edges)
	if err != nil {
		return err
	}
	for _, e := range edges {
		if err := l.filterEdge(e, zones); err != nil {
			return err
		}
	}
	return nil
}

// edgesOf are the edges of the days that a word means at a moment in a zone.
func edgesOf(due string, now time.Time, zone string) ([]edge, error) {
	loc, err := recurrence.Location(zone)
	if err != nil {
		return nil, fmt.Errorf("find the days: %w", err)
	}
	year, month, today := now.In(loc).Date()
	date := func(days int) time.Time { return time.Date(year, month, today+days, 0, 0, 0, 0, time.UTC) }
	if due == DueOverdue {
		return []edge{{"<", date(0), now}}, nil
	}
	first, after := 0, 1
	switch due {
	case DueTomorrow:
		first, after = 1, 2
	case DueWeek:
		after = 7
	}
	edges := []edge{{than: ">=", date: date(first)}, {than: "<", date: date(after)}}
	for i := range edges {
		if edges[i].timed, err = begins(edges[i].date, zone); err != nil {
			return nil, err
		}
	}
	return edges, nil
}

// begins is when a date begins in a zone.
func begins(date time.Time, zone string) (time.Time, error) {
	at, err := recurrence.Resolve(date.Format(recurrence.WallLayout), zone, true)
	if err != nil {
		return at, fmt.Errorf("find the beginning of a day: %w", err)
	}
	return at, nil
}

// zone is that of the user. One who has no row has none, and one that this process
// does not know was stored by another, with newer zones: UTC then.
func (l *listing) zone(ctx context.Context) (string, error) {
	var zone string
	err := l.store.DB.NewSelect().Table("task.users").Column("timezone").Where("id = ?", l.user).Scan(ctx, &zone)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("read the user's zone: %w", err)
	}
	return known(zone), nil
}

func known(zone string) string {
	if _, err := recurrence.Location(zone); err != nil {
		return "UTC"
	}
	return zone
}

// zonesNear are the zones of the all-day tasks near the edges.
func (l *listing) zonesNear(ctx context.Context, edges []edge) ([]string, error) {
	var b builder
	b.add("SELECT DISTINCT t.timezone FROM (VALUES ")
	for i, e := range edges {
		if i > 0 {
			b.add(", ")
		}
		b.add("(?::timestamptz, ?::timestamptz)", e.date.Add(-farthest), e.date.Add(farthest))
	}
	b.add(") near (from_time, to_time), task.members m, LATERAL (SELECT timezone FROM task.tasks t" +
		" WHERE t.list_id = m.list_id AND NOT is_complete AND all_day AND due_at >= near.from_time AND due_at < near.to_time ORDER BY due_at, id) t WHERE ")
	b.add(l.lists.SQL, l.lists.Args...)
	b.add(" ORDER BY timezone")
	var zones []string
	if err := l.store.DB.NewRaw(b.String(), b.args...).Scan(ctx, &zones); err != nil {
		return nil, fmt.Errorf("look for zones of all-day tasks: %w", err)
	}
	return zones, nil
}

// filterEdge narrows the list to the tasks on the edge's side. When its date begins
// in the tasks' zones is computed here, as due_at was: Postgres may lack a zone, or
// know another rule of it.
func (l *listing) filterEdge(e edge, zones []string) error {
	first, last := e.timed.UTC(), e.timed.UTC()
	begin := map[time.Time][]string{} // the zones in which the date begins then
	for _, zone := range zones {
		at, err := begins(e.date, known(zone))
		if err != nil {
			return err
		}
		at = at.UTC()
		begin[at] = append(begin[at], zone)
		if at.Before(first) {
			first = at
		}
		if at.After(last) {
			last = at
		}
	}
	may, must := first, last
	if e.than == "<" {
		may, must = must, may
	}
	l.filterTime("due_at", e.than, &may)
	if first.Equal(last) {
		return nil
	}
	exactly := access.Condition{SQL: "due_at " + e.than + " CASE WHEN NOT all_day THEN ?::timestamptz", Args: []any{e.timed.UTC()}}
	for _, at := range slices.SortedFunc(maps.Keys(begin), time.Time.Compare) {
		exactly.SQL += " WHEN timezone IN (?) THEN ?::timestamptz"
		exactly.Args = append(exactly.Args, bun.List(begin[at]), at)
	}
	exactly.SQL += " END"
	l.sides = append(l.sides, side{access.Condition{SQL: "due_at " + e.than + " ?", Args: []any{must}}, exactly})
	return nil
}
