package task

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
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
	for indexed := 1; indexed > 0; {
		var err error
		indexed, err = s.indexBatch(t.Context())
		require.NoError(t, err)
	}
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
			db, got := s.DB, []string{}
			s.DB, hook.statements = db.WithQueryHook(hook), nil
			for range 3 { // pages
				items, next := a.page(in)
				for _, item := range items {
					got = append(got, item.Title)
				}
				if next == nil {
					break
				}
				in.Cursor = *next
			}
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
