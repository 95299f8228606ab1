package task

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/search"
)

// ListQuery is what a list of tasks is narrowed and ordered by.
type ListQuery struct {
	IsComplete   string   `query:"is_complete" enum:"true,false"`
	Priority     []string `query:"priority,explode" enum:"none,low,medium,high,urgent" doc:"Any of these"`
	Tag          []string `query:"tag,explode" maxItems:"20" doc:"All of these"`
	DueBefore    string   `query:"due_before" format:"date-time" doc:"Due earlier than this"`
	DueAfter     string   `query:"due_after" format:"date-time" doc:"Due at this time or later"`
	UpdatedAfter string   `query:"updated_after" format:"date-time" doc:"Changed at this time or later"`
	ParentID     string   `query:"parent_id" maxLength:"36" doc:"Subtasks of this task, or none: those that are no subtask"`
	SeriesID     string   `query:"series_id" format:"uuid" doc:"Tasks of this series"`
	Q            string   `query:"q" maxLength:"200" doc:"Text in the title or the description, whatever its case, accents and Unicode form"`
	Sort         string   `query:"sort" enum:"created_at,-created_at,updated_at,-updated_at,due_at,-due_at,priority,-priority,title,-title" default:"-created_at" doc:"- turns the order round; tasks without a due time come last; titles sort as people sort them, in the root collation of CLDR"`
	Limit        int      `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"A page ends earlier at 2 MiB"`
	Cursor       string   `query:"cursor" maxLength:"4000" doc:"next_cursor of the page before"`
}

// Page is one page of a list.
type Page struct {
	Items      []event.Task `json:"items" nullable:"false"`
	NextCursor *string      `json:"next_cursor" doc:"null on the last page"`
}

// cursor is the place of the last item of a page: its sort value and id. The
// next page begins behind that place, whatever was added or removed since.
type cursor struct {
	Sort  string  `json:"s"`
	Value *string `json:"v"`
	// Key is the value in a list by title. A cursor without it is of a list by
	// the title itself, as it was before titles had keys.
	Key *[]byte   `json:"k,omitempty"`
	ID  uuid.UUID `json:"i"`
}

// listed is a row of a list.
type listed struct {
	Task

	TitleKey []byte `bun:"title_key"`
	// Found is how many tasks the list has, where gatherFew counted them.
	Found int `bun:"found"`
}

// searchTime is how long a search may take. It looks through texts, and there are
// texts and words that no index and no method of looking is quick with.
const searchTime = 2 * time.Second

// List reads a page of the actor's tasks.
func (s *Store) List(ctx context.Context, actor change.Actor, in ListQuery) (Page, error) {
	l, err := s.listing(ctx, actor, in)
	if err != nil {
		return Page{}, err
	}
	reading, cancel := ctx, context.CancelFunc(func() {})
	if l.folded != "" {
		reading, cancel = context.WithTimeout(ctx, searchTime)
	}
	defer cancel()
	// One more than asked for, to know whether there is a next page.
	rows, err := l.read(reading, in.Limit+1)
	if err != nil && ctx.Err() == nil && reading.Err() != nil {
		return Page{}, httpapi.Unavailable("the search took too long; search for a longer or a rarer text")
	}
	if err != nil {
		return Page{}, fmt.Errorf("list the tasks: %w", err)
	}
	found := make([]*Task, len(rows))
	for i := range rows {
		found[i] = &rows[i].Task
	}
	if err := readReminders(ctx, s.DB, found, ""); err != nil {
		return Page{}, err
	}
	items := make([]event.Task, len(found))
	for i, t := range found {
		items[i] = t.public()
	}
	var page Page
	page.Items, page.NextCursor, err = httpapi.CutPage(items, in.Limit, func(last int) any { return l.cursorOf(&rows[last]) })
	return page, err
}

// condition is a part of a WHERE clause.
type condition struct {
	sql  string
	args []any
}

// listing is a list of a user's tasks as the database is asked for it. Postgres
// knows how common a value is among all tasks, not among those of one user, so
// that which way to go is found out here: see read.
type listing struct {
	store *Store
	user  uuid.UUID

	sort       string // as the request says it
	column     string // of the index that is in this order
	descending bool

	// The list is these parts of that order, one behind the other.
	parts []condition
	// Each part is merged of these ranges of the index.
	ranges []condition
	// What else a task must meet.
	filters []condition
	// The same for a task that is unindexed.
	stale []condition
	// The columns that filters look at, and whether each index of an order has them.
	reads   []string
	covered bool
	// The priorities that are filtered by, unless they are ranges of the index.
	priorities []int
	// What the search index is asked for, if anything; long texts have the other keys.
	keys, long []int64
	folded     string
	// Few tasks meet the filters, whoever asks.
	few bool
}

func (s *Store) listing(ctx context.Context, actor change.Actor, in ListQuery) (*listing, error) {
	l := &listing{store: s, user: actor.UserID, sort: in.Sort}
	l.column, l.descending = strings.CutPrefix(in.Sort, "-")
	c, err := l.decode(in.Cursor)
	if err != nil {
		return nil, err
	}
	if l.column == "title" {
		byKey := c != nil && c.Key != nil
		if c == nil {
			// Until each of the user's titles has its key, they sort as they are stored.
			var waiting bool
			err := s.DB.NewRaw("SELECT EXISTS (SELECT FROM task.tasks WHERE user_id = ? AND "+unindexed+")", l.user).Scan(ctx, &waiting)
			if err != nil {
				return nil, fmt.Errorf("look for titles without a key: %w", err)
			}
			byKey = !waiting
		}
		if byKey {
			l.column = "title_key"
		}
	}
	if err := l.filter(in); err != nil {
		return nil, err
	}
	l.after(c, in)
	return l, nil
}

var likeEscape = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// covering are the columns that each index of an order includes (migration 0014):
// lists that are filtered by nothing else are found without reading the tasks.
var covering = []string{"due_at", "parent_id", "priority", "updated_at"}

// filter takes over what the list is narrowed by: to ranges of the index where
// that is possible, else as filters.
func (l *listing) filter(in ListQuery) error {
	l.ranges = []condition{{"NOT is_complete", nil}, {"is_complete", nil}}
	switch in.IsComplete {
	case "true":
		l.ranges = l.ranges[1:]
	case "false":
		l.ranges = l.ranges[:1]
	}
	l.covered = true
	also := func(column, sql string, args ...any) {
		l.reads = append(l.reads, column)
		l.covered = l.covered && slices.Contains(covering, column)
		l.filters = append(l.filters, condition{sql, args})
		l.stale = append(l.stale, condition{sql, args})
	}
	if len(in.Priority) > 0 {
		wanted := make([]int, len(in.Priority))
		for i, name := range in.Priority {
			wanted[i] = int(priorityOf(name))
		}
		slices.Sort(wanted)
		wanted = slices.Compact(wanted)
		if l.column == "priority" {
			l.ranges = within(l.ranges, "priority = ?", wanted)
		} else {
			l.priorities = wanted
			also("priority", "priority = ANY (?)", pgdialect.Array(wanted))
		}
	}
	for _, bound := range []struct {
		name, column, than, at string
	}{
		{"due_before", "due_at", "<", in.DueBefore}, {"due_after", "due_at", ">=", in.DueAfter}, {"updated_after", "updated_at", ">=", in.UpdatedAfter},
	} {
		if bound.at == "" {
			continue
		}
		// A text until here: as a time, one of the year 1 would be taken for none.
		at, err := time.Parse(time.RFC3339, bound.at)
		if err != nil {
			return httpapi.Invalid("query."+bound.name, "must be a time such as 2027-03-28T09:00:00Z")
		}
		if !httpapi.StorableTime(at) {
			return httpapi.Invalid("query."+bound.name, httpapi.TimeRange)
		}
		if bound.column == l.column {
			for i := range l.ranges {
				l.ranges[i].and(bound.column+" "+bound.than+" ?", at.UTC())
			}
		} else {
			also(bound.column, bound.column+" "+bound.than+" ?", at.UTC())
		}
	}
	switch {
	case in.ParentID == "none":
		also("parent_id", "parent_id IS NULL")
	case in.ParentID != "":
		id, err := uuid.Parse(in.ParentID)
		if err != nil {
			return httpapi.Invalid("query.parent_id", "must be a task's id, or none")
		}
		also("parent_id", "parent_id = ?", id)
		l.few = true
	}
	if in.SeriesID != "" {
		id, err := uuid.Parse(in.SeriesID)
		if err != nil {
			return httpapi.Invalid("query.series_id", "must be a series' id")
		}
		also("series_id", "series_id = ?", id)
		l.few = true
	}
	for _, tag := range in.Tag {
		also("tags", "? = ANY (tags)", tag)
	}
	// Of nothing but accents nothing is left: every text has that.
	if l.folded = search.Fold(in.Q); l.folded != "" {
		l.covered = false
		l.reads = append(l.reads, "title", "description", "search_version", "version")
		text := "%" + likeEscape.Replace(in.Q) + "%"
		l.stale = append(l.stale, condition{"(title ILIKE ? OR description ILIKE ?)", []any{text, text}})
		l.filters = append(l.filters, condition{"(SELECT strpos(s.text, ?) > 0 FROM task.search s WHERE s.task_id = t.id)", []any{l.folded}})
	}
	l.keys, l.long = search.Wanted(l.user, l.folded, in.Tag)
	// Due dates have two bounds, tags many.
	slices.Sort(l.reads)
	l.reads = slices.DeleteFunc(slices.Compact(l.reads), func(column string) bool { return column == l.column })
	return nil
}

func (c *condition) and(sql string, args ...any) {
	c.sql += " AND " + sql
	c.args = append(slices.Clone(c.args), args...)
}

// within splits each range into one for each value.
func within(ranges []condition, sql string, values []int) []condition {
	var split []condition
	for _, r := range ranges {
		for _, v := range values {
			one := r
			one.and(sql, v)
			split = append(split, one)
		}
	}
	return split
}

// decode reads a cursor; nil when there is none.
func (l *listing) decode(text string) (*cursor, error) {
	if text == "" {
		return nil, nil
	}
	c := new(cursor)
	if err := httpapi.DecodeCursor(text, c); err != nil {
		return nil, err
	}
	if c.Sort != l.sort || c.Key != nil && l.column != "title" {
		return nil, httpapi.ErrCursor
	}
	switch {
	case c.Key != nil:
	case c.Value == nil:
		if l.column != "due_at" {
			return nil, httpapi.ErrCursor
		}
	case l.column == "title":
		if !httpapi.Storable(*c.Value) {
			return nil, httpapi.ErrCursor
		}
	case l.column != "priority":
		at, err := time.Parse(time.RFC3339Nano, *c.Value)
		if err != nil || !httpapi.StorableTime(at) {
			return nil, httpapi.ErrCursor
		}
	}
	return c, nil
}

// after sets the parts of the order that lie behind the cursor's place.
func (l *listing) after(c *cursor, in ListQuery) {
	than := ">"
	if l.descending {
		than = "<"
	}
	var behind condition
	switch {
	case c == nil:
		behind = condition{"true", nil}
	case c.Key != nil:
		behind = condition{"(title_key, id) " + than + " (?, ?)", []any{*c.Key, c.ID}}
	case c.Value == nil:
		behind = condition{"id " + than + " ?", []any{c.ID}}
	default:
		var value any = *c.Value
		switch l.column {
		case "created_at", "updated_at", "due_at":
			value, _ = time.Parse(time.RFC3339Nano, *c.Value) // decode has read it
		case "priority":
			value = int(priorityOf(*c.Value))
		}
		behind = condition{"(" + l.column + ", id) " + than + " (?, ?)", []any{value, c.ID}}
	}
	l.parts = []condition{behind}
	if l.column != "due_at" {
		return
	}
	// Tasks without a due time come last, whichever way the others go.
	undated := condition{"due_at IS NULL", nil}
	switch {
	case c != nil && c.Value == nil:
		undated.and(behind.sql, behind.args...)
		l.parts = []condition{undated}
	case in.DueBefore == "" && in.DueAfter == "":
		behind.and("due_at IS NOT NULL")
		l.parts = []condition{behind, undated}
	}
}

// columns are those of a Task, and what a cursor by title needs.
const columns = `id, user_id, title, description, is_complete, priority, tags, due_at, all_day, timezone, recurrence, parent_id,
	series_id, occurrence, follows_id, followed, completed_at, version, created_at, updated_at, search_version, title_key`

// order is the ORDER BY clause of a part, and that of the whole list.
func (l *listing) order(whole bool) string {
	direction := ""
	if l.descending {
		direction = " DESC"
	}
	nulls := ""
	if whole {
		nulls = " NULLS LAST"
	}
	return " ORDER BY " + l.column + direction + nulls + ", id" + direction
}

// read answers the first n tasks of the list.
//
// Without filters they are the first n of the index in the list's order. With
// filters there are two ways: to walk along that index until n are found, which
// is quick where many tasks meet them, and to find all that do through another
// index and sort those, which is quick where few do. Which of the two it is, the
// first steps of the walk tell, and then how many are found.
func (l *listing) read(ctx context.Context, n int) ([]listed, error) {
	switch {
	case len(l.filters) == 0:
		return l.walkAll(ctx, n)
	case l.few:
		return l.gather(ctx, n)
	}
	steps := 5 * n
	if l.folded != "" {
		steps = n + 50 // each looks at a text
	}
	rows, err := l.walk(ctx, l.parts[0], n, steps)
	if err != nil || len(rows) == n {
		return rows, err
	}
	if l.covered {
		if slices.Equal(l.reads, []string{"parent_id"}) {
			return l.walkAll(ctx, n) // no index is in its order
		}
		rows, few, err := l.gatherFew(ctx, n, 20*n)
		if err != nil || few {
			return rows, err
		}
		return l.walkAll(ctx, n)
	}
	// One in 50: to walk on is as long as to sort what is found.
	if len(rows)*50 >= steps {
		rows, err := l.walk(ctx, l.parts[0], n, 100*n)
		if err != nil || len(rows) == n {
			return rows, err
		}
	}
	return l.gather(ctx, n)
}

// walkAll walks through the parts of the list until it has n tasks.
func (l *listing) walkAll(ctx context.Context, n int) ([]listed, error) {
	var all []listed
	for _, part := range l.parts {
		rows, err := l.walk(ctx, part, n-len(all), 0)
		if err != nil {
			return nil, err
		}
		if all = append(all, rows...); len(all) == n {
			break
		}
	}
	return all, nil
}

// walk reads a part in the list's order until it has n tasks, or after a number
// of steps unless that is 0.
func (l *listing) walk(ctx context.Context, part condition, n, steps int) ([]listed, error) {
	// Of nothing but these the index knows the answer, without the tasks.
	names := strings.Join(append([]string{"id", l.column}, l.reads...), ", ")
	var b builder
	for i, r := range l.ranges {
		if i > 0 {
			b.add(" UNION ALL ")
		}
		// With a limit each is planned by itself: only so does Postgres see that
		// the index has the order.
		b.add("(SELECT "+names+" FROM task.tasks t WHERE user_id = ? AND ", l.user)
		b.all([]condition{r, part})
		if steps == 0 {
			for _, f := range l.filters {
				b.add(" AND ("+f.sql+")", f.args...)
			}
		}
		b.add(l.order(false)+" LIMIT ?)", cmp.Or(steps, n))
	}
	if steps > 0 {
		b.wrap("SELECT * FROM (", ") t")
		b.add(l.order(false)+" LIMIT ?", steps)
	}
	b.wrap("SELECT id FROM (", ") t")
	if steps > 0 {
		b.add(" WHERE ")
		l.met(&b)
	}
	b.add(l.order(false)+" LIMIT ?", n)
	return l.scan(ctx, &b)
}

// met adds the condition of the tasks that meet the filters, indexed or not.
func (l *listing) met(b *builder) {
	if l.folded == "" {
		b.all(l.filters)
		return
	}
	b.add("CASE WHEN " + unindexed + " THEN ")
	b.all(l.stale)
	b.add(" ELSE ")
	b.all(l.filters)
	b.add(" END")
}

// gatherFew finds the tasks that meet the filters in an index, and sorts those,
// unless there are more than most.
func (l *listing) gatherFew(ctx context.Context, n, most int) (rows []listed, few bool, err error) {
	ranges, order := l.ranges, ""
	if len(l.reads) == 1 {
		// In the order of what it is filtered by, Postgres takes the index that
		// begins with that, however many of all users' tasks meet the filter.
		order = " ORDER BY " + l.reads[0] + ", id"
	}
	if len(l.priorities) > 0 {
		ranges = within(ranges, "priority = ?", l.priorities)
	}
	var b builder
	for i, r := range ranges {
		if i > 0 {
			b.add(" UNION ALL ")
		}
		b.add("(SELECT id, "+l.column+" FROM task.tasks WHERE user_id = ? AND ", l.user)
		b.all([]condition{r})
		b.add(" AND (")
		b.any(l.parts)
		b.add(") AND ")
		b.all(l.filters)
		b.add(order+" LIMIT ?)", most+1)
	}
	b.wrap("WITH found AS MATERIALIZED (SELECT * FROM (", ") t")
	b.add(" LIMIT ?) SELECT id, (SELECT count(*) FROM found) AS found FROM found"+l.order(true)+" LIMIT ?", most+1, n)
	rows, err = l.scan(ctx, &b, "found")
	return rows, len(rows) == 0 || rows[0].Found <= most, err
}

// place adds the condition of the user's tasks that lie in the list and meet the filters.
func (l *listing) place(b *builder, filters []condition) {
	b.add("t.user_id = ? AND (", l.user)
	b.any(l.ranges)
	b.add(") AND (")
	b.any(l.parts)
	b.add(")")
	for _, f := range filters {
		b.add(" AND ("+f.sql+")", f.args...)
	}
}

// gather finds all tasks of the list by what they are filtered by, and sorts them.
func (l *listing) gather(ctx context.Context, n int) ([]listed, error) {
	var b builder
	exact := l.filters // but for the text, which comes last
	if l.folded != "" {
		exact = exact[:len(exact)-1]
	}
	names := "t.id, t." + l.column
	b.add("WITH ")
	if len(l.keys) > 0 && !l.few {
		b.add("found AS MATERIALIZED (SELECT s.task_id FROM task.search s WHERE (s.keys @> ?", pgdialect.Array(l.keys))
		if l.long != nil {
			b.add(" OR s.keys @> ?", pgdialect.Array(l.long))
		}
		b.add(")")
		if l.folded != "" {
			b.add(" AND strpos(s.text, ?) > 0", l.folded)
		}
		// OFFSET 0: Postgres takes 1 in 200 tasks for what has a key, and would
		// rather read all than look up those.
		b.add("), hits AS MATERIALIZED (SELECT t.* FROM found, LATERAL (SELECT " + names + " FROM task.tasks t WHERE t.id = found.task_id AND NOT (" + unindexed + ") AND ")
		l.place(&b, exact)
		b.add(" OFFSET 0) t UNION ALL SELECT " + names + " FROM task.tasks t WHERE " + unindexed + " AND ")
		l.place(&b, l.stale)
	} else {
		b.add("hits AS MATERIALIZED (SELECT " + names + " FROM task.tasks t WHERE ")
		l.place(&b, exact)
		if l.folded != "" {
			b.add(" AND ")
			l.met(&b)
		}
	}
	b.add(") SELECT id FROM hits"+l.order(true)+" LIMIT ?", n)
	return l.scan(ctx, &b)
}

// scan reads the tasks that b is the ids of until they have the bytes of a page,
// and what else b answers of each. More would not fit the page: JSON is never
// shorter than its texts.
func (l *listing) scan(ctx context.Context, b *builder, also ...string) ([]listed, error) {
	names := strings.Join(append([]string{columns}, also...), ", ")
	b.wrap("SELECT "+names+", sum(octet_length(title) + octet_length(description)) OVER ("+l.order(true)[1:]+
		" ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before FROM (", ") page JOIN task.tasks USING (id)")
	b.wrap("SELECT "+names+" FROM (", ") page WHERE bytes_before IS NULL OR bytes_before <= ?")
	b.add(l.order(true), httpapi.PageBytes)
	var rows []listed
	err := l.store.DB.NewRaw(b.String(), b.args...).Scan(ctx, &rows)
	return rows, err
}

// cursorOf is the place of t in the list.
func (l *listing) cursorOf(t *listed) cursor {
	c := cursor{Sort: l.sort, ID: t.ID}
	var text string
	switch l.column {
	case "title_key":
		key := append([]byte{}, t.TitleKey...)
		c.Key = &key
		return c
	case "created_at":
		text = t.CreatedAt.UTC().Format(time.RFC3339Nano)
	case "updated_at":
		text = t.UpdatedAt.UTC().Format(time.RFC3339Nano)
	case "due_at":
		if t.DueAt == nil {
			return c
		}
		text = t.DueAt.UTC().Format(time.RFC3339Nano)
	case "priority":
		text = t.Priority.String()
	case "title":
		text = t.Title
	}
	c.Value = &text
	return c
}

// builder puts a statement together.
type builder struct {
	strings.Builder

	args []any
}

func (b *builder) add(sql string, args ...any) {
	b.WriteString(sql)
	b.args = append(b.args, args...)
}

// wrap puts the statement as it is into the middle of another.
func (b *builder) wrap(before, behind string) {
	inner := b.String()
	b.Reset()
	b.WriteString(before + inner + behind)
}

func (b *builder) all(of []condition) { b.join(of, " AND ") }
func (b *builder) any(of []condition) { b.join(of, " OR ") }

func (b *builder) join(of []condition, with string) {
	for i, c := range of {
		if i > 0 {
			b.add(with)
		}
		b.add("("+c.sql+")", c.args...)
	}
}
