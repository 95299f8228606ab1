package task

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/search"
)

// looked is how many tasks a plan looks at beyond the index of an order.
func (n node) looked() (rows float64) {
	if n.Table == "tasks" {
		if rows = n.Fetches; n.Type != "Index Only Scan" {
			rows += (n.Rows + n.Removed + n.Recheck) * n.Loops
		}
	}
	for _, p := range n.Plans {
		rows += p.looked()
	}
	return rows
}

// Each task that has a tag was looked at, also where the list is short, or where they lie
// last in it.
func TestATagOfHalfOfTheTasksIsNotLookedUpInEach(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	const tasks, limit = 1000, 2
	a := many(t, s, tasks)
	var ids []uuid.UUID
	require.NoError(t, s.DB.NewRaw("SELECT id FROM task.tasks WHERE user_id = ? ORDER BY created_at, id", a.id).Scan(t.Context(), &ids))
	half, other := ids[tasks/2:], uuid.New()
	for _, q := range []struct {
		sql  string
		args []any
	}{
		{"INSERT INTO task.lists (id, created_by, name, version, created_at, updated_at) VALUES (?, ?, 'other', 1, now(), now())", []any{other, a.id}},
		{"INSERT INTO task.members (user_id, list_id, role, position, since) VALUES (?, ?, 'owner', 1, now())", []any{a.id, other}},
		// All but two of those with the tag are done; ten of another list have nothing.
		{"UPDATE task.tasks SET is_complete = false, due_at = timestamptz '2028-01-01' + (tag.n % 50) * interval '1 day' FROM (SELECT id, row_number() OVER (ORDER BY title) AS n FROM task.tasks) tag WHERE tag.id = tasks.id AND user_id = ?", []any{a.id}},
		{"UPDATE task.tasks SET tags = '{new}', description = 'soon', version = 2, is_complete = id NOT IN (?) WHERE id IN (?)", []any{bun.List(half[100:102]), bun.List(half)}},
		{"UPDATE task.tasks SET list_id = ? WHERE id IN (?)", []any{other, bun.List(ids[:10])}},
	} {
		_, err := s.DB.NewRaw(q.sql, q.args...).Exec(t.Context())
		require.NoError(t, err, q.sql)
	}
	a.index()
	// Some wait for the index.
	a.asOlderVersion("t.id IN (?)", bun.List([]uuid.UUID{half[1], half[101], half[300]}))
	a.tidy()
	var all []*Task
	require.NoError(t, s.DB.NewSelect().Model(&all).Where("user_id = ?", a.id).OrderExpr("created_at, id").Scan(t.Context()))

	hook := &plans{}
	for name, c := range map[string]struct {
		in    Query
		meets func(*Task) bool
	}{
		"a tag":                  {Query{Tags: []string{"new"}}, func(t *Task) bool { return len(t.Tags) > 0 && t.Tags[0] == "new" }},
		"a text":                 {Query{Text: "SOON"}, func(t *Task) bool { return t.Description == "soon" }},
		"both":                   {Query{Tags: []string{"new"}, Text: "soon"}, func(t *Task) bool { return t.Description == "soon" }},
		"open ones with a tag":   {Query{Tags: []string{"new"}, IsComplete: ptr(false)}, func(t *Task) bool { return !t.IsComplete && t.Description == "soon" }},
		"a tag in a short list":  {Query{Tags: []string{"new"}, ListIDs: []uuid.UUID{other}}, func(*Task) bool { return false }},
		"a text in a short list": {Query{Text: "soon", ListIDs: []uuid.UUID{other}}, func(*Task) bool { return false }},
		"a tag on a day":         {Query{Tags: []string{"new"}, DueAfter: at("2028-01-07T00:00:00Z"), DueBefore: at("2028-01-08T00:00:00Z")}, func(t *Task) bool { return t.Description == "soon" && t.DueAt.YearDay() == 7 }},
	} {
		for _, sort := range []string{"created_at", "-created_at"} {
			want := []string{}
			for _, task := range all {
				if c.meets(task) {
					want = append(want, task.Title)
				}
			}
			if sort == "-created_at" {
				slices.Reverse(want)
			}
			in := c.in
			in.Sort, in.Limit = sort, limit
			db := s.DB
			s.DB, hook.statements = db.WithQueryHook(hook), nil
			got := a.titlesOf(3, in)
			s.DB = db
			require.Equal(t, want[:min(len(want), 3*limit)], got, "%s by %s", name, sort)
			var looked float64
			for _, statement := range hook.statements {
				looked += planOf(t, s, statement).looked()
			}
			require.LessOrEqual(t, looked, float64(100*limit), "%s by %s: %s", name, sort, strings.Join(hook.statements, "\n"))
		}
	}
}

// Of a day with many tasks each was looked at for its tags and its text, for a page of few.
func TestOfADayTheFirstThatDoAreLookedAt(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	const tasks, limit = 1000, 2
	a := many(t, s, tasks)
	_, err := s.DB.NewRaw(`UPDATE task.tasks t SET is_complete = false, version = 2, due_at = timestamptz '2028-01-01' + n % 4 * interval '1 day',
			tags = CASE WHEN n % 3 = 0 THEN ARRAY['new'] ELSE '{}' END, description = CASE WHEN n % 3 = 0 THEN 'soon' ELSE '' END
		FROM (SELECT id, row_number() OVER (ORDER BY title) AS n FROM task.tasks WHERE user_id = ?0) numbered WHERE numbered.id = t.id`, a.id).Exec(t.Context())
	require.NoError(t, err)
	a.index()
	a.tidy()
	var all []*Task
	require.NoError(t, s.DB.NewSelect().Model(&all).Where("user_id = ?", a.id).OrderExpr("created_at, id").Scan(t.Context()))
	hook := &plans{}
	for name, in := range map[string]Query{
		"a tag": {Tags: []string{"new"}}, "a text": {Text: "SOON"}, "a tag of none": {Tags: []string{"never"}}, "a text of none": {Text: "nowhere"},
	} {
		in.DueAfter, in.DueBefore, in.Sort, in.Limit = at("2028-01-02T00:00:00Z"), at("2028-01-03T00:00:00Z"), "created_at", limit
		want := []string{}
		for _, task := range all {
			if task.DueAt.Day() == 2 && task.Description == "soon" && !strings.Contains(name, "none") {
				want = append(want, task.Title)
			}
		}
		db := s.DB
		s.DB, hook.statements = db.WithQueryHook(hook), nil
		got := a.titlesOf(3, in)
		s.DB = db
		require.Equal(t, want[:min(len(want), 3*limit)], got, name)
		var looked float64
		for _, statement := range hook.statements {
			looked += planOf(t, s, statement).looked()
		}
		require.LessOrEqual(t, looked, float64(3*8*(limit+1)), "%s: %s", name, strings.Join(hook.statements, "\n"))
	}
}

// All that is due on some days was found and sorted, however soon a walk has a page of it.
func TestOfManyDaysNoMoreIsReadThanAPageTakes(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	const tasks, limit = 4000, 5
	a := many(t, s, tasks)
	// A tenth is due in the week.
	_, err := s.DB.NewRaw("UPDATE task.tasks SET is_complete = false, due_at = timestamptz '2028-01-01' + extract(epoch FROM created_at)::bigint % 70 * interval '1 day' WHERE user_id = ?", a.id).Exec(t.Context())
	require.NoError(t, err)
	_, err = s.DB.NewRaw("VACUUM ANALYZE task.tasks").Exec(t.Context())
	require.NoError(t, err)
	for _, column := range []string{"created_at", "updated_at", "priority", "title"} {
		for _, sort := range []string{column, "-" + column} {
			in := Query{Sort: sort, Limit: limit, DueAfter: at("2028-01-04T00:00:00Z"), DueBefore: at("2028-01-11T00:00:00Z")}
			for range 2 {
				items, next := a.page(in)
				require.Len(t, items, limit, sort)
				for _, task := range items {
					require.Equal(t, 2028, task.DueAt.Year())
					require.Contains(t, []int{4, 5, 6, 7, 8, 9, 10}, task.DueAt.YearDay())
				}
				rows, statements := a.passed(in)
				require.LessOrEqual(t, rows, float64(40*limit), "%s: %s", sort, statements)
				in.Cursor = *next
			}
		}
	}
}

// In the order of due times, those without one come last: who has hardly any due time has all
// of them there.
func TestTasksWithoutADueTimeAreNotFarFromTheFirst(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	const tasks, limit = 2000, 2
	a := many(t, s, tasks)
	_, err := s.DB.NewRaw(`UPDATE task.tasks t SET is_complete = false, assignee_id = CASE WHEN n % 2 = 0 THEN ?0::uuid END, due_at = CASE WHEN n <= 3 THEN timestamptz '2028-01-01' END
		FROM (SELECT id, row_number() OVER (ORDER BY title) AS n FROM task.tasks WHERE user_id = ?0) numbered WHERE numbered.id = t.id`, a.id).Exec(t.Context())
	require.NoError(t, err)
	a.index()
	a.tidy()
	hook := &plans{}
	for _, sort := range []string{"due_at", "-due_at"} {
		in := Query{Assignee: &a.id, IsComplete: ptr(false), Sort: sort, Limit: limit}
		var want []string
		q := s.DB.NewSelect().Table("task.tasks").Column("title").Where("assignee_id = ?", a.id)
		direction := map[string]string{"due_at": "", "-due_at": " DESC"}[sort]
		require.NoError(t, q.OrderExpr("due_at"+direction+" NULLS LAST, id"+direction).Limit(3*limit).Scan(t.Context(), &want))
		db := s.DB
		s.DB, hook.statements = db.WithQueryHook(hook), nil
		got := a.titlesOf(3, in)
		s.DB = db
		require.Equal(t, want, got, sort)
		var looked float64
		for _, statement := range hook.statements {
			looked += planOf(t, s, statement).looked()
		}
		require.LessOrEqual(t, looked, float64(100*limit), "%s: %s", sort, strings.Join(hook.statements, "\n"))
	}
}

// What few tasks have is looked for in the search index at once, when it is looked for again.
func TestWhatIsRareIsRemembered(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	a := many(t, s, 1000)
	hook := &plans{}
	for name, in := range map[string]Query{"a tag": {Tags: []string{"rare"}}, "no text": {Text: "nowhere"}, "nobody's": {Assignee: &a.id}} {
		in.Sort, in.Limit = "created_at", 10
		asked := func() (titles []string, statements int) {
			db := s.DB
			s.DB, hook.statements = db.WithQueryHook(hook), nil
			items, _ := a.page(in)
			s.DB = db
			for _, t := range items {
				titles = append(titles, t.Title)
			}
			return titles, len(hook.statements)
		}
		first, before := asked()
		again, after := asked()
		require.Equal(t, first, again, name)
		require.Less(t, after, before, name)
	}
	// Then all have it.
	_, err := s.DB.NewRaw("UPDATE task.tasks SET tags = '{rare}', description = 'nowhere', assignee_id = user_id, version = version + 1 WHERE user_id = ?", a.id).Exec(t.Context())
	require.NoError(t, err)
	a.index()
	for _, in := range []Query{{Tags: []string{"rare"}}, {Text: "nowhere"}, {Assignee: &a.id}} {
		in.Sort, in.Limit = "created_at", 8
		for range 2 {
			require.Equal(t, a.titlesOf(3, Query{Sort: in.Sort, Limit: in.Limit}), a.titlesOf(3, in))
		}
	}
}

// Any filters in any order answer what reading everything would, whichever way the list is
// read: pages of a task or three make a few tasks many.
func TestAnyListIsWhatReadingAllWouldAnswer(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	one := func(of ...string) string { return of[random.IntN(len(of))] }
	maybe := func(times int) bool { return random.IntN(times) == 0 }
	s := newStore(t)
	const tasks = 700
	for round := range 2 {
		a := newAccount(t, s)
		a.create(Draft{Title: "the inbox"})
		inbox, other := access.Inbox(a.id), uuid.New()
		first := at("2026-01-01T00:00:00Z")
		waiting := round%2 == 1 // for the index
		sql := func(sql string, args ...any) {
			t.Helper()
			_, err := s.DB.NewRaw(sql, args...).Exec(t.Context())
			require.NoError(t, err, sql)
		}
		sql("INSERT INTO task.lists (id, created_by, name, version, created_at, updated_at) VALUES (?, ?, 'other', 1, now(), now())", other, a.id)
		sql("INSERT INTO task.members (user_id, list_id, role, position, since) VALUES (?, ?, 'owner', 1, now())", a.id, other)
		if random.IntN(2) == 0 { // too many to be asked for by themselves
			sql("INSERT INTO task.lists (id, created_by, name, version, created_at, updated_at) SELECT md5(?0 || n::text)::uuid, ?0, 'empty', 1, now(), now() FROM generate_series(1, ?1) n", a.id, mostApart)
			sql("INSERT INTO task.members (user_id, list_id, role, position, since) SELECT ?0, md5(?0 || n::text)::uuid, 'owner', 1, now() FROM generate_series(1, ?1) n", a.id, mostApart)
		}
		colleague := uuid.New()
		sql("INSERT INTO task.members (user_id, list_id, role, position, since) VALUES (?, ?, 'editor', 1, now())", colleague, inbox)
		// Half of what there is follows the order of creation.
		for i := range tasks {
			last, tags := i > tasks/2, "{}"
			switch {
			case last && !maybe(5):
				tags = "{late}"
			case maybe(2):
				tags = "{often,late}"
			case maybe(40):
				tags = "{rare}"
			}
			var due *time.Time
			if !maybe(4) {
				d := first.Add(time.Duration(random.IntN(30*24)) * time.Hour)
				if maybe(2) {
					d = first.Add(time.Duration(i) * time.Hour)
				}
				due = &d
			}
			list := inbox
			if maybe(20) {
				list = other
			}
			var assignee *uuid.UUID
			switch {
			case maybe(2):
				assignee = &a.id
			case maybe(20):
				assignee = &colleague
			}
			sql(`INSERT INTO task.tasks (id, user_id, list_id, position, title, description, is_complete, priority, tags, due_at, all_day, timezone, version, created_at, updated_at, assignee_id)
				VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?::text[], ?, false, 'UTC', 1, ?, ?, ?)`,
				uuid.New(), a.id, list, random.IntN(1000), one("Apple", "pear", "Äpfel")+" "+strconv.Itoa(i), map[bool]string{true: "soon and late", false: one("", "", "seldom")}[last],
				maybe(3) || last && !maybe(20), random.IntN(5), tags, due, first.Add(time.Duration(i)*time.Second), first.Add(time.Duration(random.IntN(2*tasks))*time.Second), assignee)
		}
		a.index()
		if waiting {
			a.asOlderVersion("t.user_id = ? AND t.priority = 3", a.id)
		}
		sql("ANALYZE task.tasks, task.search")
		var all []*Task
		require.NoError(t, s.DB.NewSelect().Model(&all).Where("user_id = ?", a.id).Scan(t.Context()))
		for range 120 {
			in := Query{Sort: one("", "-") + orders[random.IntN(len(orders))], Limit: 1 + 2*random.IntN(2)}
			column, descending := strings.CutPrefix(in.Sort, "-")
			if waiting && column == "title" {
				continue // they sort as they are stored then
			}
			if maybe(3) {
				in.IsComplete = ptr(maybe(2))
			}
			if maybe(2) {
				in.Tags = []string{one("late", "often", "rare", "never")}
			}
			if maybe(3) {
				in.Text = one("SOON", "seldom", "äpf", "e", "nowhere", "late")
			}
			if maybe(4) {
				in.Priorities = []string{"urgent", one("none", "low")}[random.IntN(2):]
			}
			if maybe(3) {
				d := first.Add(time.Duration(random.IntN(30*24)) * time.Hour)
				in.DueAfter = &d
				if maybe(2) {
					before := d.Add(time.Duration(random.IntN(20*24)) * time.Hour)
					in.DueBefore = &before
				}
			}
			if maybe(5) {
				u := first.Add(time.Duration(random.IntN(2*tasks)) * time.Second)
				in.UpdatedAfter = &u
			}
			if maybe(5) {
				in.ListIDs = []uuid.UUID{other}
			}
			if maybe(6) {
				in.TopLevel = true
			}
			if maybe(5) {
				in.Assignee = []*uuid.UUID{&a.id, &colleague}[random.IntN(2)]
			}
			var want []*Task
			for _, task := range all {
				if (in.IsComplete == nil || *in.IsComplete == task.IsComplete) && (in.Tags == nil || slices.Contains(task.Tags, in.Tags[0])) &&
					strings.Contains(search.Text(task.Title, task.Description), search.Fold(in.Text)) && (in.Priorities == nil || slices.Contains(in.Priorities, task.Priority.String())) &&
					(in.DueAfter == nil || task.DueAt != nil && !task.DueAt.Before(*in.DueAfter)) && (in.DueBefore == nil || task.DueAt != nil && task.DueAt.Before(*in.DueBefore)) &&
					(in.UpdatedAfter == nil || !task.UpdatedAt.Before(*in.UpdatedAfter)) && (in.ListIDs == nil || task.ListID == other) &&
					(in.Assignee == nil || task.AssigneeID != nil && *task.AssigneeID == *in.Assignee) {
					want = append(want, task)
				}
			}
			slices.SortFunc(want, func(x, y *Task) int {
				if column == "due_at" && (x.DueAt == nil) != (y.DueAt == nil) {
					return map[bool]int{true: 1, false: -1}[x.DueAt == nil]
				}
				order := cmp.Or(compare(column, x, y), bytes.Compare(x.ID[:], y.ID[:]))
				if descending {
					return -order
				}
				return order
			})
			titles := []string{}
			for _, task := range want[:min(len(want), 4*in.Limit)] {
				titles = append(titles, task.Title)
			}
			require.Equal(t, titles, a.titlesOf(4, in), "%+v", in)
		}
	}
}

// Who looked for a tag or a text in lists that many had made had all read that anybody can look
// for: so many keys seemed to be most of it.
func TestInListsOfManyWhatIsLookedForAloneIsRead(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	const others, lists, tasks = 1000, 60, 3
	many(t, s, others)
	a := newAccount(t, s)
	var long strings.Builder
	for r := range rune(3000) {
		long.WriteRune('一' + r) // each pair once
	}
	for i := range lists {
		of := newAccount(t, s)
		of.create(Draft{Title: "nothing"})
		if i%(lists/tasks) == 0 {
			title := fmt.Sprint("a wordy title ", i)
			of.create(Draft{Title: title, Tags: []string{"shared", "other"}})
			of.create(Draft{Title: title + " and a long text", Description: long.String()})
		}
		_, err := s.DB.NewRaw("INSERT INTO task.members (user_id, list_id, role, position, since) VALUES (?, ?, 'viewer', 1, now())", a.id, access.Inbox(of.id)).Exec(t.Context())
		require.NoError(t, err)
	}
	a.index()
	_, err := s.DB.NewRaw("VACUUM ANALYZE task.tasks, task.search, task.members").Exec(t.Context())
	require.NoError(t, err)
	for _, c := range []struct {
		in    Query
		finds int
	}{
		{Query{Tags: []string{"shared"}}, tasks},
		{Query{Tags: []string{"other", "shared"}}, tasks},
		{Query{Tags: []string{"shared"}, Text: "wordy"}, tasks},
		{Query{Text: "A WORDY TITLE"}, 2 * tasks},
		{Query{Text: "y t"}, 2 * tasks},
		{Query{Tags: []string{"nobody's"}}, 0},
		{Query{Text: "nowhere"}, 0},
	} {
		c.in.Sort, c.in.Limit = "-created_at", 20
		require.LessOrEqual(t, reads(t, s, "task.search", func() {
			found, err := s.List(t.Context(), a.actor, c.in)
			require.NoError(t, err)
			require.Len(t, found.Tasks, c.finds, "%+v", c.in)
		}), 4*lists, "%+v", c.in)
	}
}
