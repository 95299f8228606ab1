package task

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
	"github.com/taskwire/taskwire/services/task-api/internal/search"
)

// listing is a list of a user's tasks as the database is asked for it. Postgres
// knows how common a value is among all tasks, not among those of one user, so
// that which way to go is found out here: see read.
type listing struct {
	store *Store
	user  uuid.UUID
	// Of the rows of task.members m in whose lists the user wants to look, and of the tasks
	// there.
	lists access.Condition
	mine  access.Condition

	sort       string // as the request says it
	column     string // of the index that is in this order
	descending bool

	// The list is these parts of that order, one behind the other.
	parts []access.Condition
	// Each part is merged of these ranges of the index.
	ranges []access.Condition
	// What else a task must meet: by the columns that each index of an order has, which
	// are read then, and by others.
	filters []access.Condition
	reads   []string
	others  []access.Condition
	// On which sides of the edges of days it is due.
	sides []side
	// That it has the text, and the same for a task that is unindexed.
	text, stale access.Condition
	// There is nothing but what the index has.
	covered bool
	// An index may find few tasks by these: the due times have a beginning and an end,
	// or a column that an index begins with is filtered by.
	dated, narrowed bool
	// How many days those are.
	days int
	// Which lists there are, none where they are many; nil until tellApart asks.
	apart []uuid.UUID
	// It is a part of an order: what is open, done, in some lists or within some bounds alone.
	part bool
	// The priorities that are filtered by, unless they are ranges of the index.
	priorities []int
	// What the search index knows: a text as it is searched for, and tags.
	folded string
	tags   []string
	// Whose tasks are asked for; nobody's in particular where it is nil.
	assignee uuid.UUID
	// Few tasks meet the filters, whoever asks. Those that meet kin are a task's subtasks
	// or a series, for which there are indexes.
	few bool
	kin []access.Condition
}

// listingOf is one in the order that q asks for, yet to be filtered.
func (s *Store) listingOf(actor access.Actor, q Query) *listing {
	l := &listing{
		store: s, user: actor.UserID, sort: q.Sort, lists: actor.Memberships(q.ListIDs...), mine: actor.InLists("list_id", q.ListIDs...),
	}
	l.column, l.descending = strings.CutPrefix(q.Sort, "-")
	return l
}

func (s *Store) listing(ctx context.Context, actor access.Actor, q Query) (*listing, error) {
	l := s.listingOf(actor, q)
	if !slices.Contains(orders, l.column) {
		return nil, refuse.Part("sort", "must be one of "+strings.Join(orders, ", ")+", or one with - before it")
	}
	if err := q.checkDue(); err != nil {
		return nil, err
	}
	if err := l.checkLists(ctx, q.ListIDs); err != nil {
		return nil, err
	}
	if err := l.checkIDs(ctx, actor, q); err != nil {
		return nil, err
	}
	c, err := l.decode(q.Cursor)
	if err != nil {
		return nil, err
	}
	if l.column == "title" {
		byKey := c != nil && c.Key != nil
		if c == nil {
			// Until each of the user's titles has its key, they sort as they are stored.
			var waiting bool
			err := s.DB.NewRaw("SELECT EXISTS (SELECT FROM task.tasks WHERE "+l.mine.SQL+" AND "+unindexed+")", l.mine.Args...).Scan(ctx, &waiting)
			if err != nil {
				return nil, fmt.Errorf("look for titles without a key: %w", err)
			}
			byKey = !waiting
		}
		if byKey {
			l.column = "title_key"
		}
	}
	if err := l.filter(ctx, q); err != nil {
		return nil, err
	}
	l.after(c, q)
	return l, nil
}

// checkLists refuses a list that is none of the user's.
func (l *listing) checkLists(ctx context.Context, named []uuid.UUID) error {
	if len(named) == 0 {
		return nil
	}
	var found []uuid.UUID
	if err := l.store.DB.NewRaw("SELECT m.list_id FROM task.members m WHERE "+l.lists.SQL, l.lists.Args...).Scan(ctx, &found); err != nil {
		return fmt.Errorf("read the lists: %w", err)
	}
	for _, list := range named {
		if !slices.Contains(found, list) {
			return refuse.Part("list_id", "is none of your lists")
		}
	}
	return nil
}

// checkIDs refuses what the user may not see, or what is not there, to narrow a list by.
func (l *listing) checkIDs(ctx context.Context, actor access.Actor, q Query) error {
	may, mine := actor.Tasks(), actor.InLists("o.list_id")
	for _, named := range []struct {
		field, is string
		id        *uuid.UUID
		sql       string
		args      []any
	}{
		{"parent_id", "is none of your tasks", q.ParentID, "SELECT FROM task.tasks WHERE id = ? AND " + may.SQL, may.Args},
		// OFFSET 0: see gather.
		{"series_id", "is the series of none of your tasks", q.SeriesID, "SELECT FROM (SELECT list_id FROM task.tasks WHERE series_id = ? OFFSET 0) t WHERE " + may.SQL, may.Args},
		{"assignee", "is in none of your lists", q.Assignee, "SELECT FROM task.members o WHERE o.user_id = ? AND " + mine.SQL, mine.Args},
	} {
		if named.id == nil || *named.id == actor.UserID {
			continue
		}
		var there bool
		if err := l.store.DB.NewRaw("SELECT EXISTS ("+named.sql+")", append([]any{*named.id}, named.args...)...).Scan(ctx, &there); err != nil {
			return fmt.Errorf("look for what the list is narrowed by: %w", err)
		}
		if !there {
			return refuse.Part(named.field, named.is)
		}
	}
	return nil
}

var likeEscape = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// orders are the columns that a list can be in the order of.
var orders = []string{"created_at", "updated_at", "due_at", "priority", "title", "position"}

// covering are the columns that each index of an order includes (migrations 0022 and 0038):
// lists that are filtered by nothing else are found without reading the tasks. That by due
// time has daily (migration 0037).
var (
	covering = []string{"due_at", "parent_id", "priority", "updated_at"}
	daily    = append(slices.Clone(covering), "created_at")
)

// openAndDone are what each index of an order has one behind the other.
var openAndDone = []access.Condition{{SQL: "NOT is_complete"}, {SQL: "is_complete"}}

// filter takes over what the list is narrowed by: to ranges of the index where
// that is possible, else as filters.
func (l *listing) filter(ctx context.Context, q Query) error {
	l.ranges = slices.Clone(openAndDone)
	if q.IsComplete != nil && *q.IsComplete {
		l.ranges = l.ranges[1:]
	} else if q.IsComplete != nil || q.Due != "" {
		l.ranges = l.ranges[:1]
	}
	l.covered, l.part = true, q.IsComplete != nil || q.Due != "" || len(q.ListIDs) > 0
	switch {
	case q.DueAfter != nil && q.DueBefore != nil:
		l.days = int(q.DueBefore.Sub(*q.DueAfter) / (24 * time.Hour))
	case q.Due == DueWeek:
		l.days = 7
	}
	l.dated = q.DueAfter != nil && q.DueBefore != nil || q.Due != "" && q.Due != DueOverdue && q.Due != DueNone
	if len(q.Priorities) > 0 {
		l.filterPriorities(q.Priorities)
	}
	l.filterTime("due_at", "<", q.DueBefore)
	l.filterTime("due_at", ">=", q.DueAfter)
	if err := l.filterDue(ctx, q); err != nil {
		return err
	}
	l.filterTime("updated_at", ">=", q.UpdatedAfter)
	if q.TopLevel {
		l.also("parent_id", "parent_id IS NULL")
	}
	if q.ParentID != nil {
		l.also("parent_id", "parent_id = ?", *q.ParentID)
		l.few, l.kin = true, append(l.kin, l.filters[len(l.filters)-1])
	}
	if q.Assignee != nil {
		l.also("assignee_id", "assignee_id = ?", *q.Assignee)
		l.assignee = *q.Assignee
	}
	if q.SeriesID != nil {
		l.also("series_id", "series_id = ?", *q.SeriesID)
		l.few, l.kin = true, append(l.kin, l.others[len(l.others)-1])
	}
	l.tags = q.Tags
	for _, tag := range q.Tags {
		l.also("tags", "? = ANY (tags)", tag)
	}
	// Of nothing but accents nothing is left: every text has that.
	if l.folded = search.Fold(q.Text); l.folded != "" {
		l.covered = false
		text := "%" + likeEscape.Replace(q.Text) + "%"
		l.stale = access.Condition{SQL: "title ILIKE ? OR description ILIKE ?", Args: []any{text, text}}
		l.text = access.Condition{SQL: "SELECT strpos(s.text, ?) > 0 FROM task.search s WHERE s.task_id = t.id", Args: []any{l.folded}}
	}
	// Due dates have several bounds.
	slices.Sort(l.reads)
	l.reads = slices.DeleteFunc(slices.Compact(l.reads), func(column string) bool { return column == l.column })
	return nil
}

// also adds a filter that looks at a column.
func (l *listing) also(column, sql string, args ...any) {
	c := access.Condition{SQL: sql, Args: args}
	if !slices.Contains(covering, column) {
		l.others, l.covered = append(l.others, c), false
		return
	}
	l.filters, l.reads = append(l.filters, c), append(l.reads, column)
	l.narrowed = l.narrowed || column != "parent_id" // no index of a list begins with that
}

func (l *listing) filterPriorities(names []string) {
	wanted := make([]int, len(names))
	for i, name := range names {
		wanted[i] = int(priorityOf(name))
	}
	slices.Sort(wanted)
	wanted = slices.Compact(wanted)
	switch {
	case l.column == "priority":
		l.ranges = within(l.ranges, "priority = ?", wanted)
		return
	case len(wanted) == 1:
		l.also("priority", "priority = ?", wanted[0]) // a walk is half as long
	default:
		l.also("priority", "priority = ANY (?)", pgdialect.Array(wanted))
	}
	l.priorities = wanted
}

func (l *listing) filterTime(column, than string, at *time.Time) {
	if at != nil {
		l.narrow(column, column+" "+than+" ?", at.UTC())
	}
}

// narrow adds a filter by a column that an index has the order of.
func (l *listing) narrow(column, sql string, args ...any) {
	if column != l.column {
		l.also(column, sql, args...)
		return
	}
	l.part = true
	for i := range l.ranges {
		l.ranges[i] = l.ranges[i].And(sql, args...)
	}
}

// within splits each range into one for each value.
func within(ranges []access.Condition, sql string, values []int) []access.Condition {
	var split []access.Condition
	for _, r := range ranges {
		for _, v := range values {
			split = append(split, r.And(sql, v))
		}
	}
	return split
}

// after sets the parts of the order that lie behind the cursor's place.
func (l *listing) after(c *cursor, q Query) {
	than := ">"
	if l.descending {
		than = "<"
	}
	var behind access.Condition
	switch {
	case c == nil:
		behind = access.Condition{SQL: "true"}
	case c.Key != nil:
		behind = access.Condition{SQL: "(title_key, id) " + than + " (?, ?)", Args: []any{*c.Key, c.ID}}
	case c.Value == nil:
		behind = access.Condition{SQL: "id " + than + " ?", Args: []any{c.ID}}
	default:
		var value any = *c.Value
		switch l.column {
		case "created_at", "updated_at", "due_at":
			value, _ = time.Parse(time.RFC3339Nano, *c.Value) // decode has read it
		case "priority":
			value = int(priorityOf(*c.Value))
		case "position":
			value, _ = strconv.ParseInt(*c.Value, 10, 64) // decode has read it
		}
		behind = access.Condition{SQL: "(" + l.column + ", id) " + than + " (?, ?)", Args: []any{value, c.ID}}
	}
	l.parts = []access.Condition{behind}
	if l.column != "due_at" {
		return
	}
	// Tasks without a due time come last, whichever way the others go.
	undated := access.Condition{SQL: "due_at IS NULL"}
	switch {
	case c != nil && c.Value == nil:
		undated = undated.And(behind.SQL, behind.Args...)
		l.parts = []access.Condition{undated}
	case q.Due == DueNone:
		l.parts = []access.Condition{undated}
	case q.DueBefore == nil && q.DueAfter == nil && q.Due == "":
		l.parts = []access.Condition{behind.And("due_at IS NOT NULL"), undated}
	}
}
