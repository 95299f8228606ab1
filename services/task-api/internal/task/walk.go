package task

import (
	"cmp"
	"context"
	"fmt"
	"hash/maphash"
	"reflect"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/taskwire/taskwire/pkg/page"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/search"
)

// columns are those of a Task.
var columns = func() string {
	var names []string
	for field := range reflect.TypeFor[Task]().Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("bun"), ",")
		if field.Name != "BaseModel" && name != "" && !strings.Contains(options, "scanonly") {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}()

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
// first steps of the walk tell, and then how many are found. Those of some days are
// few as a rule; and what few had who asked before for the same, few will have again.
func (l *listing) read(ctx context.Context, n int) ([]listed, error) {
	switch {
	case l.covered && len(l.reads) == 0: // what filters there are look at the ends of a range alone
		return l.walkAll(ctx, n, nil)
	case l.few:
		return l.gather(ctx, n)
	}
	if _, rare := l.store.rare.Get(l.wanted()); rare && !l.covered && !l.dated {
		return l.search(ctx, n, false)
	}
	var few bool
	if l.dated {
		if l.covered && l.days > 2 {
			// On so many days more are due, as a rule, than a walk passes.
			rows, err := l.step(ctx, n, 60*n)
			if err != nil || len(rows) == n {
				return rows, err
			}
		}
		most := 100 * n
		if l.covered && !slices.Contains(daily, l.column) {
			most = 10 * n // of which that column is looked up
		}
		// Of many that are due then, the first may do.
		rows, found, done, err := l.gatherFew(ctx, n, most, 5*n)
		if err != nil || done {
			return rows, err
		}
		few = found <= most
	}
	if !few && !(l.dated && l.covered) {
		rows, err := l.step(ctx, n, 5*n)
		if err != nil || len(rows) == n {
			return rows, err
		}
	}
	if (l.narrowed || l.part && !l.covered) && !l.dated {
		rows, _, done, err := l.gatherFew(ctx, n, 20*n, 20*n)
		if err != nil || done {
			return rows, err
		}
	}
	if !l.covered {
		return l.search(ctx, n, few)
	}
	if err := l.tellApart(ctx); err != nil {
		return nil, err
	}
	return l.walkAll(ctx, n, nil)
}

// mostApart is how many ranges of lists are asked for by themselves.
const mostApart = 8

// tellApart finds out which lists there are, where they are few. Each is asked for by itself
// from then on, and Postgres merges them in their order, no further than it has to; else it
// reads as many tasks of each as might be needed, and sorts those. For some steps that is as quick.
func (l *listing) tellApart(ctx context.Context) error {
	if l.apart != nil {
		return nil
	}
	lists := []uuid.UUID{}
	err := l.store.DB.NewRaw("SELECT m.list_id FROM task.members m WHERE "+l.lists.SQL+" LIMIT ?", append(slices.Clone(l.lists.Args), mostApart+1)...).Scan(ctx, &lists)
	if err != nil {
		return fmt.Errorf("read the lists: %w", err)
	}
	if len(lists) > mostApart {
		lists = []uuid.UUID{} // and it is not asked again
	}
	l.apart = lists
	return nil
}

// step walks along some steps of the order, and on where those tell that it is not far. It
// may answer fewer than n.
func (l *listing) step(ctx context.Context, n, steps int) ([]listed, error) {
	if steps > 5*n {
		if err := l.tellApart(ctx); err != nil {
			return nil, err
		}
		if !l.isApart(l.ranges) {
			steps = 5 * n // of each list
		}
	}
	if l.folded != "" && len(l.indexed(false)) == 0 {
		steps = n + 50 // each looks at a text
	}
	rows, err := l.walk(ctx, l.parts[0], n, steps, nil)
	if err != nil || len(rows) == n {
		return rows, err
	}
	if len(l.parts) > 1 {
		// Few have a due time, perhaps: then those without one are near, too.
		short, err := l.short(ctx, l.parts[0], steps)
		if err != nil {
			return nil, err
		}
		if short {
			rest, err := l.walk(ctx, l.parts[1], n-len(rows), steps, nil)
			return append(rows, rest...), err
		}
	}
	// One in 50: to walk on is as long as to sort what is found.
	if len(rows)*50 >= steps {
		if err := l.tellApart(ctx); err != nil {
			return nil, err
		}
		// Twice as far as they are, going by those.
		return l.walk(ctx, l.parts[0], n, min(2*n*steps/len(rows), 100*n), nil)
	}
	return nil, nil
}

// short says whether a part has no more tasks than some steps lead to, filtered or not.
func (l *listing) short(ctx context.Context, part access.Condition, steps int) (bool, error) {
	var b builder
	b.add("SELECT count(*) <= ? FROM (", steps)
	l.eachList(&b, l.ranges, []string{"id"}, l.order(false), steps+1, steps+1, func() { b.and([]access.Condition{part}) })
	b.add(") t")
	var short bool
	err := l.store.DB.NewRaw(b.String(), b.args...).Scan(ctx, &short)
	return short, err
}

// search answers by the search index or by that of assignees, where it knows what is looked for
// and few have that; or by those that are due then, where they are few.
func (l *listing) search(ctx context.Context, n int, fewDue bool) ([]listed, error) {
	keys, err := l.keys(ctx)
	if err != nil {
		return nil, err
	}
	known := keys != nil || l.assignee != uuid.Nil && l.folded == ""
	if known {
		rows, few, err := l.gatherKeyed(ctx, n, 100*n, keys)
		if err != nil {
			return nil, err
		}
		if len(rows) == 0 || few && rows[0].Found <= 5*n { // no more than a walk begins with
			l.store.rare.Put(l.wanted(), struct{}{}, mostRare)
			return rows, nil
		}
		l.store.rare.Forget(l.wanted())
		if few {
			return rows, nil
		}
	}
	if fewDue {
		rows, _, done, err := l.gatherFew(ctx, n, 100*n, 100*n)
		if err != nil || done {
			return rows, err
		}
	}
	if !known {
		return l.gather(ctx, n)
	}
	if err := l.tellApart(ctx); err != nil {
		return nil, err
	}
	return l.walkAll(ctx, n, keys)
}

// walkAll walks through the parts of the list until it has n tasks, past what find does not
// find.
func (l *listing) walkAll(ctx context.Context, n int, keys []wantedKeys) ([]listed, error) {
	var all []listed
	for _, part := range l.parts {
		rows, err := l.walk(ctx, part, n-len(all), 0, keys)
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
func (l *listing) walk(ctx context.Context, part access.Condition, n, steps int, keys []wantedKeys) ([]listed, error) {
	// What an index of an order has is read from it alone. The rest is looked up of the
	// tasks that the steps lead to.
	names := append([]string{"id", l.column}, l.reads...)
	var b builder
	l.eachList(&b, l.ranges, names, l.order(false), cmp.Or(steps, n), 0, func() {
		b.and([]access.Condition{part})
		if steps > 0 {
			return
		}
		b.and(l.indexed(l.column == "due_at"))
		if !l.covered {
			// Only what may meet the rest is looked at.
			b.add(" AND CASE WHEN id IN (SELECT task_id FROM found) THEN (SELECT ")
			l.met(&b)
			b.add(" FROM task.tasks x WHERE x.id = t.id) END")
		}
	})
	merged := "SELECT " + strings.Join(names, ", ")
	if l.isApart(l.ranges) {
		merged += l.unsortable()
	}
	b.wrap(merged+" FROM (", ") t")
	b.add(l.order(false)+" LIMIT ?", cmp.Or(steps, n))
	if in := l.indexed(false); steps > 0 && len(in) > 0 {
		b.wrap("SELECT * FROM (", ") t WHERE ")
		b.all(in)
	}
	if steps > 0 && !l.covered {
		// In the order of the steps, and so only until there are n.
		b.wrap("SELECT id FROM (", ") s, LATERAL (SELECT FROM task.tasks t WHERE t.id = s.id AND ")
		l.met(&b)
		b.add(" OFFSET 0) t"+l.order(false)+" LIMIT ?", n)
		return l.scan(ctx, &b)
	}
	b.wrap("SELECT id FROM (", ") t")
	b.add(l.order(false)+" LIMIT ?", n)
	if !l.covered {
		var found builder
		found.add("WITH found AS MATERIALIZED (")
		l.find(&found, keys)
		found.add(" UNION ALL SELECT id FROM task.tasks WHERE "+unindexed+" AND "+l.mine.SQL+") ", l.mine.Args...)
		b.before(&found)
	}
	return l.scan(ctx, &b)
}

// isApart says whether each list is asked for by itself.
func (l *listing) isApart(ranges []access.Condition) bool {
	return len(l.apart) > 0 && len(l.apart)*len(ranges) <= mostApart
}

// unsortable are page.Unsortable where an index has the order. What has to be sorted would
// seem so dear that it does not matter to Postgres how it does the rest.
func (l *listing) unsortable() string {
	if l.column == "title" {
		return ""
	}
	return page.Unsortable
}

// eachList adds a query for the tasks of each list that lie in each of some ranges, and that
// narrow narrows down: in an order the first ones up to a limit, and up to another of all lists
// unless that is 0. It asks for each list and range by itself, and with a limit: only so does
// Postgres see that an index has the order. There may be columns beside those named.
func (l *listing) eachList(b *builder, ranges []access.Condition, names []string, order string, limit, all int, narrow func()) {
	columns, lists := strings.Join(names, ", ")+l.unsortable(), l.apart
	if !l.isApart(ranges) {
		lists = nil
	}
	for i, r := range ranges {
		if i > 0 {
			b.add(" UNION ALL ")
		}
		for j, list := range lists {
			if j > 0 {
				b.add(" UNION ALL ")
			}
			b.add("(SELECT "+columns+" FROM task.tasks t WHERE list_id = ? AND EXISTS (SELECT FROM task.members m WHERE m.list_id = ? AND ", list, list)
			b.add(l.lists.SQL+")", l.lists.Args...)
			b.and([]access.Condition{r})
			narrow()
			b.add(order+" LIMIT ?)", limit)
		}
		if len(lists) > 0 {
			continue
		}
		b.add("(SELECT t." + strings.Join(names, ", t.") + " FROM task.members m, LATERAL (SELECT " + columns + " FROM task.tasks t WHERE t.list_id = m.list_id")
		b.and([]access.Condition{r})
		narrow()
		b.add(order+" LIMIT ?) t WHERE "+l.lists.SQL, append([]any{limit}, l.lists.Args...)...)
		if all > 0 {
			b.add(" LIMIT ?", all)
		}
		b.add(")")
	}
}

// indexed are the conditions by what the index of an order has. On which side of an edge
// a task is hangs on columns that the index by due time has alone (byDue): with another,
// those are looked up of the tasks near the edge.
func (l *listing) indexed(byDue bool) []access.Condition {
	all := slices.Clone(l.filters)
	for _, s := range l.sides {
		exactly := s.exactly.SQL
		if !byDue {
			exactly = "(SELECT " + exactly + " FROM task.tasks x WHERE x.id = t.id)"
		}
		all = append(all, access.Condition{SQL: s.surely.SQL + " OR " + exactly, Args: slices.Concat(s.surely.Args, s.exactly.Args)})
	}
	return all
}

// met adds the other conditions, that of the text for tasks that are indexed and others.
func (l *listing) met(b *builder) {
	b.all(l.others)
	if l.folded == "" {
		return
	}
	if len(l.others) > 0 {
		b.add(" AND ")
	}
	b.add("CASE WHEN "+unindexed+" THEN ("+l.stale.SQL+")", l.stale.Args...)
	b.add(" ELSE ("+l.text.SQL+") END", l.text.Args...)
}

// gatherFew finds the tasks that meet the filters in an index, and sorts those, unless there
// are more than most. What the index does not have is looked at in that order, until there
// are n of them, but in no more than look. It says how many it found, of more than most
// only that, and whether the rows are what was asked for.
func (l *listing) gatherFew(ctx context.Context, n, most, look int) (rows []listed, found int, done bool, err error) {
	ranges, order, byDue := l.ranges, "", l.dated
	// In the order of what it is filtered by, Postgres takes the index that begins with
	// that, however many of all users' tasks meet the filter.
	if l.dated {
		order = " ORDER BY due_at, id"
	} else if l.covered && len(l.reads) == 1 {
		order, byDue = " ORDER BY "+l.reads[0]+", id", l.reads[0] == "due_at"
	}
	if len(l.priorities) > 0 && !l.dated {
		ranges = within(ranges, "priority = ?", l.priorities)
	}
	var b builder
	l.eachList(&b, ranges, []string{"id", l.column}, order, most+1, most+1, func() {
		b.add(" AND (")
		b.any(l.parts)
		b.add(")")
		b.and(l.indexed(byDue))
	})
	b.wrap("WITH found AS MATERIALIZED (SELECT id, "+l.column+" FROM (", ") t")
	b.add(" LIMIT ?), counted AS MATERIALIZED (SELECT count(*) AS found FROM found) ", most+1)
	if l.covered {
		b.add("SELECT id, (SELECT found FROM counted) AS found, false AS cut FROM found")
	} else {
		// That there are more is seen by the last one looked at: where there are too many,
		// that is the first.
		b.add("SELECT f.id, (SELECT found FROM counted) AS found, f.cut FROM (SELECT *, (SELECT found FROM counted) > ? AND row_number() OVER () = (SELECT CASE WHEN found > ? THEN 1 ELSE ? END FROM counted) AS cut", look, most, look)
		b.add(" FROM (SELECT * FROM found" + l.order(true))
		b.add(" LIMIT (SELECT CASE WHEN found > ? THEN 1 ELSE ? END FROM counted)) f) f, LATERAL (SELECT FROM task.tasks t WHERE t.id = f.id AND (f.cut OR ", most, look)
		l.met(&b)
		b.add(") OFFSET 0) t")
	}
	// Of too many one is enough to tell.
	b.add(l.order(true)+" LIMIT (SELECT CASE WHEN found > ? THEN 1 ELSE ? END FROM counted)", most, n)
	rows, err = l.scan(ctx, &b, "found", "cut")
	if err != nil || len(rows) == 0 {
		return nil, 0, err == nil, err
	}
	found = rows[0].Found
	return rows, found, found <= most && !rows[len(rows)-1].Cut, nil
}

// place adds the condition of the user's tasks that lie in the list and meet the filters
// but for the text.
func (l *listing) place(b *builder) {
	b.add(l.mine.SQL+" AND (", l.mine.Args...)
	b.any(l.ranges)
	b.add(") AND (")
	b.any(l.parts)
	b.add(")")
	b.and(l.indexed(true))
	b.and(l.others)
}

// gather finds all tasks of the list by what they are filtered by, and sorts them.
func (l *listing) gather(ctx context.Context, n int) ([]listed, error) {
	var b builder
	b.add("WITH hits AS MATERIALIZED (SELECT id, " + l.column + " FROM ")
	if len(l.kin) > 0 {
		// OFFSET 0: Postgres takes the lists for such of usual length, and would
		// rather look through a whole one, or all that its index has.
		b.add("(SELECT * FROM task.tasks WHERE ")
		b.all(l.kin)
		b.add(" OFFSET 0) t WHERE ")
	} else {
		b.add("task.tasks t WHERE ")
	}
	l.place(&b)
	if l.folded != "" {
		b.add(" AND ")
		l.met(&b)
	}
	b.add(") SELECT id FROM hits"+l.order(true)+" LIMIT ?", n)
	return l.scan(ctx, &b)
}

// gatherKeyed finds the tasks that the search index knows, or that are somebody's, and sorts
// those, unless there are more than most.
func (l *listing) gatherKeyed(ctx context.Context, n, most int, keys []wantedKeys) (rows []listed, few bool, err error) {
	names := "t.id, t." + l.column
	var b builder
	b.add("WITH found AS MATERIALIZED (")
	l.find(&b, keys)
	if l.folded != "" {
		b.add(" AND strpos(s.text, ?) > 0", l.folded)
	}
	// OFFSET 0: Postgres takes 1 in 200 tasks for what has a key, and would
	// rather read all than look up those.
	b.add(" LIMIT ?), hits AS MATERIALIZED (SELECT t.* FROM found, LATERAL (SELECT "+names+
		" FROM task.tasks t WHERE t.id = found.task_id AND NOT ("+unindexed+") AND ", most+1)
	l.place(&b)
	b.add(" OFFSET 0) t WHERE (SELECT count(*) FROM found) <= ? UNION ALL SELECT "+names+" FROM task.tasks t WHERE "+unindexed+" AND ", most)
	l.place(&b)
	if l.folded != "" {
		b.add(" AND ("+l.stale.SQL+")", l.stale.Args...)
	}
	// That there are too many is to be seen, too.
	b.add(" UNION ALL (SELECT task_id, NULL FROM found WHERE (SELECT count(*) FROM found) > ? LIMIT 1)", most)
	b.add(") SELECT id, (SELECT count(*) FROM found) AS found FROM hits"+l.order(true)+" LIMIT ?", n)
	rows, err = l.scan(ctx, &b, "found")
	return rows, len(rows) == 0 || rows[0].Found <= most, err
}

// wantedKeys are those that a task must have to be found; a long text has the other ones.
type wantedKeys struct{ keys, long []int64 }

// keys are what the search index is asked for: for each who has made some of the lists. They
// are nil where it knows nothing of what is looked for.
func (l *listing) keys(ctx context.Context) ([]wantedKeys, error) {
	if l.folded == "" && len(l.tags) == 0 {
		return nil, nil
	}
	var creators []uuid.UUID
	err := l.store.DB.NewRaw("SELECT DISTINCT l.created_by FROM task.members m JOIN task.lists l ON l.id = m.list_id WHERE "+l.lists.SQL, l.lists.Args...).Scan(ctx, &creators)
	if err != nil {
		return nil, fmt.Errorf("read who made the lists: %w", err)
	}
	var all []wantedKeys
	for _, creator := range creators {
		var w wantedKeys
		if w.keys, w.long = search.Wanted(creator, l.folded, l.tags); len(w.keys) == 0 {
			return nil, nil
		}
		all = append(all, w)
	}
	return all, nil
}

// wanted stands for what a user looks for that few tasks may have. Two may have the same, which
// costs one of them time.
func (l *listing) wanted() uint64 {
	return maphash.Comparable(seed, [...]string{l.user.String(), l.assignee.String(), l.folded, strings.Join(l.tags, "\x00")})
}

var seed = maphash.MakeSeed()

// mostRare is of how many of those it is remembered that few tasks have it.
const mostRare = 50_000

// find adds a query for what has the keys in the search index; without any, for what is the
// assignee's.
func (l *listing) find(b *builder, keys []wantedKeys) {
	if len(keys) == 0 {
		b.add("SELECT s.id AS task_id FROM task.tasks s WHERE s.assignee_id = ? AND s."+l.mine.SQL, append([]any{l.assignee}, l.mine.Args...)...)
		return
	}
	b.add("SELECT s.task_id FROM task.search s WHERE (")
	if len(keys) > 1 {
		l.findOfSeveral(b, keys)
	} else {
		b.add("s.keys @> ?", pgdialect.Array(keys[0].keys))
		if keys[0].long != nil {
			b.add(" OR s.keys @> ?", pgdialect.Array(keys[0].long))
		}
	}
	b.add(")")
}

// mostSeveral is about how many keys are looked for of several who made lists; what they find is
// looked at in any case.
const mostSeveral = 300

// findOfSeveral adds the condition that a task has one of the first keys of each, one of the
// second, and so on: it has those of one of them alone. Asked whether it has all of one, or all
// of another, Postgres would look for each by itself, or rather read all that there is: it takes
// one in 200 tasks for what has a key, and does not see how many these are (SELECT).
func (l *listing) findOfSeveral(b *builder, all []wantedKeys) {
	for i := range min(len(all[0].keys), max(2, mostSeveral/len(all))) {
		var some []int64
		for _, of := range all {
			some = append(some, of.keys[i])
			if i >= len(l.tags) && of.long != nil {
				some = append(some, of.long[len(of.long)-1])
			}
		}
		if i > 0 {
			b.add(" AND ")
		}
		b.add("s.keys && (SELECT ?::bigint[])", pgdialect.Array(some))
	}
}

// scan reads the tasks that b is the ids of until they have the bytes of a page,
// and what else b answers of each. More would not fit the page: JSON is never
// shorter than its texts.
func (l *listing) scan(ctx context.Context, b *builder, also ...string) ([]listed, error) {
	names := strings.Join(append([]string{columns, "title_key"}, also...), ", ")
	b.wrap("SELECT "+names+", sum(octet_length(title) + octet_length(description)) OVER ("+l.order(true)[1:]+
		" ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before FROM (", ") page JOIN task.tasks USING (id)")
	b.wrap("SELECT "+names+", "+withReminders+" FROM (", ") t WHERE bytes_before IS NULL OR bytes_before <= ?")
	b.add(l.order(true), page.Bytes)
	var rows []listed
	err := l.store.DB.NewRaw(b.String(), b.args...).Scan(ctx, &rows)
	return rows, err
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

// before puts another statement's text before this one.
func (b *builder) before(other *builder) {
	inner := b.String()
	b.Reset()
	b.WriteString(other.String() + inner)
	b.args = append(other.args, b.args...)
}

func (b *builder) all(of []access.Condition) { b.join(of, " AND ") }
func (b *builder) any(of []access.Condition) { b.join(of, " OR ") }

// and narrows what is there already; all and any begin a condition.
func (b *builder) and(of []access.Condition) {
	for _, c := range of {
		b.add(" AND ("+c.SQL+")", c.Args...)
	}
}

func (b *builder) join(of []access.Condition, with string) {
	for i, c := range of {
		if i > 0 {
			b.add(with)
		}
		b.add("("+c.SQL+")", c.Args...)
	}
}
