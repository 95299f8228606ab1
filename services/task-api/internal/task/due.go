package task

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/taskwire/taskwire/pkg/recurrence"
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
// its due_at. A zone is less than farthest from UTC, so that due_at alone, which is in
// every index, tells of all tasks but those near the edge on which side they are.
// Those near it are looked at.
type edge struct {
	than  string
	date  time.Time // midnight in UTC
	timed time.Time // the edge of tasks with a time
}

const farthest = 16 * time.Hour

// near is the time in which due_at does not tell enough.
func (e edge) near() (from, to time.Time) {
	from, to = e.date.Add(-farthest), e.date.Add(farthest)
	if e.timed.After(to) {
		to = e.timed // now, in the evening of a zone in the west
	}
	return from, to
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
	for i, e := range edges {
		if i > 0 {
			b.add(" UNION ")
		}
		from, to := e.near()
		b.add("SELECT DISTINCT timezone FROM task.tasks WHERE "+l.mine.SQL, l.mine.Args...)
		b.add(" AND NOT is_complete AND all_day AND due_at >= ? AND due_at < ?", from, to)
	}
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
	allDay := make(map[string]time.Time, len(zones))
	for _, zone := range zones {
		var err error
		if allDay[zone], err = begins(e.date, known(zone)); err != nil {
			return err
		}
	}
	text, err := json.Marshal(allDay)
	if err != nil {
		return fmt.Errorf("write the beginnings of a day: %w", err)
	}
	may, must := e.near()
	if e.than == "<" {
		may, must = must, may
	}
	l.filterTime("due_at", e.than, &may)
	l.also("due_at", "due_at "+e.than+" ? OR (SELECT x.due_at "+e.than+
		" CASE WHEN x.all_day THEN (?::jsonb ->> x.timezone)::timestamptz ELSE ? END FROM task.tasks x WHERE x.id = t.id)", must, string(text), e.timed.UTC())
	return nil
}
