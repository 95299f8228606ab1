package task

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"golang.org/x/text/unicode/norm"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/eventlog"
	"github.com/taskwire/taskwire/pkg/page"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/migrations"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
	"github.com/taskwire/taskwire/services/task-api/internal/search"
)

// account is a user of a store.
type account struct {
	t testing.TB
	*Store
	id    uuid.UUID
	actor access.Actor
	ctx   context.Context
}

func newStore(t testing.TB) *Store {
	t.Helper()
	return storeIn(t, databasetest.Migrated(t, migrations.Schema))
}

// storeIn is one in a database that has the schema.
func storeIn(t testing.TB, url string) *Store {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	db, err := database.Open(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return &Store{DB: db, Changes: &change.Writer{DB: db, Events: eventlog.NewSignal(url, "e", log), Clock: eventlog.NewSignal(url, "c", log), Now: time.Now}}
}

func newAccount(t testing.TB, s *Store) account {
	id := uuid.New()
	return account{t, s, id, access.Actor{UserID: id}, t.Context()}
}

func (a account) create(in Draft) uuid.UUID {
	a.t.Helper()
	created, err := a.Create(a.ctx, a.actor, in, nil)
	require.NoError(a.t, err)
	return created.ID
}

// page is a page of a list, and where the next one begins.
func (a account) page(in Query) ([]event.Task, *string) {
	a.t.Helper()
	list, err := a.List(a.ctx, a.actor, in)
	require.NoError(a.t, err)
	items := make([]event.Task, len(list.Tasks))
	for i, t := range list.Tasks {
		items[i] = t.onTheWire()
	}
	items, next, err := page.Cut(items, in.Limit, list.CursorOf)
	require.NoError(a.t, err)
	return items, next
}

func at(text string) *time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return &t
}

func ptr[T any](v T) *T { return &v }

// titles are those of the whole list, walked by pages.
func (a account) titles(in Query) []string {
	a.t.Helper()
	return a.titlesOf(math.MaxInt, in)
}

// titlesOf are those of the first pages of a list.
func (a account) titlesOf(pages int, in Query) []string {
	a.t.Helper()
	if in.Limit == 0 {
		in.Limit = 50
	}
	if in.Sort == "" {
		in.Sort = "created_at"
	}
	out := []string{}
	for range pages {
		items, next := a.page(in)
		for _, item := range items {
			out = append(out, item.Title)
		}
		if next == nil {
			break
		}
		require.NotEmpty(a.t, items, "an empty page with a cursor")
		in.Cursor = *next
	}
	return out
}

// asOlderVersion is what a version before the search index leaves behind.
func (a account) asOlderVersion(where string, args ...any) {
	a.t.Helper()
	_, err := a.DB.NewRaw("WITH gone AS (DELETE FROM task.search s USING task.tasks t WHERE s.task_id = t.id AND "+where+")"+
		" UPDATE task.tasks t SET search_version = NULL, title_key = NULL WHERE "+where, append(args, args...)...).Exec(a.ctx)
	require.NoError(a.t, err)
}

// inEachLocale runs f on databases of the locales that matter.
func inEachLocale(t *testing.T, f func(t *testing.T, s *Store)) {
	for _, locale := range []string{"C", "C.UTF-8"} {
		t.Run(locale, func(t *testing.T) {
			url := databasetest.InLocale(t, locale)
			require.NoError(t, database.Migrate(t.Context(), database.Migration{Schema: migrations.Schema, OwnerURL: url, RuntimeURL: url, Log: slog.New(slog.DiscardHandler)}))
			f(t, storeIn(t, url))
		})
	}
}

// In a cluster of locale C "молоко" did not find "Молоко", and é was two words.
func TestASearchFindsAcrossCaseAccentsAndForms(t *testing.T) {
	t.Parallel()
	inEachLocale(t, func(t *testing.T, s *Store) {
		a, other := newAccount(t, s), newAccount(t, s)
		titles := []string{"Купить Молоко", "Café au lait", norm.NFD.String("Crème brûlée"), "Straße fegen", "ΟΔΥΣΣΕΥΣ", "100% _sure\\", "Zürich 水", "a  b"}
		for _, title := range titles {
			a.create(Draft{Title: title, Description: "Über " + strings.Repeat("x", len(title))})
			other.create(Draft{Title: title})
		}
		for q, want := range map[string][]string{
			"молоко": {titles[0]}, "МОЛОКО": {titles[0]}, "о": {titles[0]}, "молокоо": {},
			"cafe": {titles[1]}, "CAFÉ": {titles[1]}, norm.NFD.String("café"): {titles[1]}, "é A": {titles[1]},
			"crème": {titles[2]}, norm.NFD.String("ÈME"): {titles[2]}, "e b": {titles[2]},
			"strasse": {titles[3]}, "straße": {titles[3]}, "STRASSE": {titles[3]}, "ß": {titles[3]},
			"Οδυσσεύς": {titles[4]}, "οδυσσευσ": {titles[4]}, "ς": {titles[4]},
			"100%": {titles[5]}, "%": {titles[5]}, "_": {titles[5]}, `\`: {titles[5]}, "%s": {},
			"zurich": {titles[6]}, "水": {titles[6]}, "  ": {titles[7]}, "   ": {},
			"uber": titles, " ": titles, "\u0301": titles, "nothing": {}, "q": {}, titles[0] + "Ü": {},
		} {
			require.ElementsMatch(t, want, a.titles(Query{Text: q, Limit: 3}), "q=%q", q)
		}
		// A change is found at once, and what it replaced is not.
		id := a.create(Draft{Title: "before", Tags: []string{"one"}})
		_, err := a.Replace(a.ctx, a.actor, id, nil, Draft{Title: "nachher", Tags: []string{"two"}}, ScopeThis)
		require.NoError(t, err)
		require.Equal(t, []string{"nachher"}, a.titles(Query{Text: "NACH"}))
		require.Empty(t, a.titles(Query{Text: "before"}))
		require.Empty(t, a.titles(Query{Tags: []string{"one"}}))
		require.Equal(t, []string{"nachher"}, a.titles(Query{Tags: []string{"two"}}))
		require.NoError(t, a.Delete(a.ctx, a.actor, id, nil))
		n, err := s.DB.NewSelect().Table("task.search").Where("task_id = ?", id).Count(a.ctx)
		require.NoError(t, err)
		require.Zero(t, n, "a deleted task's text is gone")
	})
}

// Titles sorted Apple, Zebra, apple.
func TestAListByTitleIsAsPeopleSort(t *testing.T) {
	t.Parallel()
	inEachLocale(t, func(t *testing.T, s *Store) {
		a := newAccount(t, s)
		want := []string{"10 eggs", "2 eggs", "apple", "Apple", "Äpfel", "banana", "Éclair", "eel", "Zebra", "Ёлка", "ель"}
		want[4], want[5] = "banana", "Äpfel"
		sorted := []string{"10 eggs", "2 eggs", "Äpfel", "apple", "Apple", "banana", "Éclair", "eel", "Zebra", "Ёлка", "ель"}
		for i, title := range want {
			a.create(Draft{Title: title, IsComplete: i%2 == 0})
		}
		require.Equal(t, sorted, a.titles(Query{Sort: "title", Limit: 2}))
		slices.Reverse(sorted)
		require.Equal(t, sorted, a.titles(Query{Sort: "-title", Limit: 3}))
	})
}

// What a version before the index wrote is found the old way until it is indexed.
func TestTasksOfAnOlderVersionAreListedWhole(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	a := newAccount(t, s)
	a.create(Draft{Title: "indexed", Tags: []string{"x"}})
	a.create(Draft{Title: "waiting", Tags: []string{"x"}, Description: "of an older version"})
	changed := a.create(Draft{Title: "Changed"})
	a.asOlderVersion("title = ?", "waiting")
	// An older version changes a task and leaves what it does not know alone.
	_, err := s.DB.NewRaw("UPDATE task.tasks SET title = 'by an older version', version = version + 1 WHERE id = ?", changed).Exec(a.ctx)
	require.NoError(t, err)
	check := func() {
		require.ElementsMatch(t, []string{"indexed", "waiting"}, a.titles(Query{Tags: []string{"x"}}))
		require.ElementsMatch(t, []string{"waiting", "by an older version"}, a.titles(Query{Text: "OLDER"}))
		require.Empty(t, a.titles(Query{Text: "Changed"}))
		require.Equal(t, []string{"by an older version", "indexed", "waiting"}, a.titles(Query{Sort: "title", Limit: 1}))
	}
	check()
	// A walk that began in the old order ends in it.
	_, first := a.page(Query{Sort: "-title", Limit: 1})
	n, err := s.indexBatch(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2, n)
	n, err = s.indexBatch(t.Context())
	require.NoError(t, err)
	require.Zero(t, n)
	check()
	require.Equal(t, []string{"indexed", "by an older version"}, a.titles(Query{Sort: "-title", Limit: 1, Cursor: *first}))
	// One that began in the new order does, too, when an older version is at work meanwhile.
	_, first = a.page(Query{Sort: "title", Limit: 1})
	a.asOlderVersion("title = ?", "not there")
	_, err = s.DB.NewRaw("UPDATE task.tasks SET version = version + 1 WHERE title = 'indexed'").Exec(a.ctx)
	require.NoError(t, err)
	require.Equal(t, []string{"indexed", "waiting"}, a.titles(Query{Sort: "title", Limit: 1, Cursor: *first}))
}

func TestTasksOfAnOlderVersionAreIndexedBesideRequests(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	a := newAccount(t, s)
	for i := range 2*indexBatch + 10 {
		a.create(Draft{Title: fmt.Sprint("t", i)})
	}
	a.asOlderVersion("t.user_id = ?", a.id)
	ctx, stop := context.WithCancel(t.Context())
	var working sync.WaitGroup
	for range 2 { // replicas
		working.Go(func() {
			if err := s.KeepIndexed(ctx, slog.New(slog.DiscardHandler)); err != nil {
				t.Error(err)
			}
		})
	}
	require.Eventually(t, func() bool {
		left, err := s.DB.NewSelect().Table("task.tasks").Where(unindexed).Count(t.Context())
		indexed, err2 := s.DB.NewSelect().Table("task.search").Count(t.Context())
		return err == nil && err2 == nil && left == 0 && indexed == 2*indexBatch+10
	}, 30*time.Second, 10*time.Millisecond)
	stop()
	working.Wait()
	require.Equal(t, []string{"t409"}, a.titles(Query{Text: "T409"}))
}

// 200 tasks of 20,000 emoji made a page of 15 MiB.
func TestAPageIsBoundedInBytes(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for name, text := range map[string]string{"emoji": strings.Repeat("💥", maxDescription), "escaped to six bytes": strings.Repeat("\x01", maxDescription)} {
		t.Run(name, func(t *testing.T) {
			a := newAccount(t, s)
			const tasks = 40
			want := []string{}
			for i := range tasks {
				want = append(want, fmt.Sprintf("t%02d", i))
				a.create(Draft{Title: want[i], Description: text, Priority: "low"})
			}
			for _, in := range []Query{{}, {Priorities: []string{"low"}}, {Text: "t"}} {
				in.Limit, in.Sort = 200, "created_at"
				items, next := a.page(in)
				raw, err := json.Marshal(items)
				require.NoError(t, err)
				require.Less(t, len(raw), page.Bytes+10_000)
				require.NotNil(t, next)
				require.Equal(t, want, a.titles(in))
			}
		})
	}
}

// 24 searches of one user kept the database from all others.
func TestASearchThatTakesTooLongIsGivenUp(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	a := newAccount(t, s)
	a.create(Draft{Title: "x"})
	tx, err := s.DB.BeginTx(a.ctx, nil)
	require.NoError(t, err)
	_, err = tx.ExecContext(a.ctx, "LOCK TABLE task.search") // as good as texts and words that no index knows
	require.NoError(t, err)
	_, err = a.List(a.ctx, a.actor, Query{Text: "x", Sort: "created_at", Limit: 5})
	var refused *refuse.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, refuse.Busy, refused.Code)
	require.Contains(t, refused.Detail, "the search took too long")
	require.NoError(t, tx.Rollback())
	require.Equal(t, []string{"x"}, a.titles(Query{Text: "x"}))
}

// plans is what the database does for a list.
type plans struct {
	bun.QueryHook

	of         string // the table; "": that of the tasks
	mu         sync.Mutex
	statements []string
}

func (p *plans) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context { return ctx }

func (p *plans) AfterQuery(_ context.Context, e *bun.QueryEvent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if strings.Contains(e.Query, cmp.Or(p.of, "task.tasks")) && !strings.HasPrefix(e.Query, "EXPLAIN") {
		p.statements = append(p.statements, e.Query)
	}
}

// node is one of a plan as EXPLAIN tells of it.
type node struct {
	Type    string  `json:"Node Type"`
	Table   string  `json:"Relation Name"`
	Rows    float64 `json:"Actual Rows"`
	Loops   float64 `json:"Actual Loops"`
	Removed float64 `json:"Rows Removed by Filter"`
	Recheck float64 `json:"Rows Removed by Index Recheck"`
	Fetches float64 `json:"Heap Fetches"`
	Plans   []node
}

// read is how many rows of tables a plan reads, and whether it reads one whole.
func (n node) read() (rows float64, whole bool) {
	if n.Table != "" {
		rows = (n.Rows + n.Removed + n.Recheck) * n.Loops
	}
	whole = n.Type == "Seq Scan" && n.Table != "members" // of which there are few here
	for _, p := range n.Plans {
		r, w := p.read()
		rows, whole = rows+r, whole || w
	}
	return rows, whole
}

// visited is how many rows of tables a plan looks at beyond the index.
func (n node) visited() (rows float64) {
	if n.Table != "" && n.Type != "Index Only Scan" {
		rows = (n.Rows + n.Removed + n.Recheck) * n.Loops
	}
	for _, p := range n.Plans {
		rows += p.visited()
	}
	return rows + n.Fetches
}

// passed is how many entries of indexes a plan passes.
func (n node) passed() (entries float64) {
	if strings.Contains(n.Type, "Index") {
		entries = (n.Rows + n.Removed + n.Recheck) * n.Loops
	}
	for _, p := range n.Plans {
		entries += p.passed()
	}
	return entries
}

func planOf(t testing.TB, s *Store, statement string) node {
	t.Helper()
	var plan []string
	require.NoError(t, s.DB.NewRaw("EXPLAIN (ANALYZE, FORMAT JSON) ?", bun.Safe(statement)).Scan(t.Context(), &plan))
	var parsed []struct{ Plan node }
	require.NoError(t, json.Unmarshal([]byte(plan[0]), &parsed))
	return parsed[0].Plan
}

// passed is how many entries of indexes a page of a list passes, and by which statements.
func (a account) passed(in Query) (entries float64, statements string) {
	a.t.Helper()
	hook, db := &plans{}, a.DB
	a.DB = db.WithQueryHook(hook)
	a.page(in)
	a.DB = db
	for _, statement := range hook.statements {
		entries += planOf(a.t, a.Store, statement).passed()
	}
	return entries, strings.Join(hook.statements, "\n")
}

// index indexes all tasks that are not.
func (a account) index() {
	a.t.Helper()
	for indexed := 1; indexed > 0; {
		var err error
		indexed, err = a.indexBatch(a.ctx)
		require.NoError(a.t, err)
	}
}

// many fills a store with n tasks of a user and four times as many of others.
func many(t testing.TB, s *Store, n int) account {
	t.Helper()
	a := newAccount(t, s)
	ctx := t.Context()
	// A busy machine may take longer than a request may.
	tx, err := s.DB.BeginTx(ctx, nil)
	require.NoError(t, err)
	_, err = tx.ExecContext(ctx, "SET LOCAL statement_timeout = 0")
	require.NoError(t, err)
	_, err = tx.NewRaw(`INSERT INTO task.tasks (id, user_id, title, description, is_complete, priority, tags, due_at, all_day, timezone, parent_id, series_id, version, created_at, updated_at, title_key, search_version)
		SELECT md5('t' || n)::uuid, CASE WHEN n % 5 = 0 THEN ?0::uuid ELSE md5('u' || n % 21)::uuid END, 'Task ' || md5(n::text), CASE WHEN n % 10 = 0 THEN 'often' ELSE '' END,
			n < ?1 * 4.5, CASE WHEN n % (?1 / 2) = 0 THEN 4 ELSE n / 15 % 3 END, CASE WHEN n % (?1 / 2) = 0 THEN '{rare}' WHEN n % 4 = 0 THEN '{often}' ELSE '{}' END::text[],
			CASE WHEN n % 3 > 0 THEN timestamptz '2027-01-01' + (n * 7919 % 20011) * interval '1 minute' END, false, 'UTC', NULL, CASE WHEN n % 1000 = 0 THEN md5('s')::uuid END, 1,
			timestamptz '2026-01-01' + n * interval '1 second', timestamptz '2026-02-01' + (n * 6007 % 20011) * interval '1 second',
			decode(md5('k' || n), 'hex'), CASE WHEN n % 5 > 0 THEN 16 + ?2 END
		FROM generate_series(1, ?1 * 5) n`, a.id, n, search.Version).Exec(ctx)
	require.NoError(t, err)
	require.NoError(t, tx.Commit())
	_, err = s.DB.NewRaw("UPDATE task.tasks SET parent_id = md5('t' || 5)::uuid WHERE user_id = ? AND id IN (SELECT md5('t' || n)::uuid FROM generate_series(10, 200, 5) n)", a.id).Exec(ctx)
	require.NoError(t, err)
	a.index()
	_, err = s.DB.NewRaw("VACUUM ANALYZE task.tasks, task.search, task.members").Exec(ctx)
	require.NoError(t, err)
	return a
}

// shortListsOfOthers are thousands: Postgres takes each list for a short one then.
func (a account) shortListsOfOthers() {
	a.t.Helper()
	_, err := a.DB.NewRaw(`INSERT INTO task.tasks (id, user_id, title, description, is_complete, priority, tags, due_at, all_day, timezone, version, created_at, updated_at, title_key, search_version)
		SELECT md5('x' || n)::uuid, md5('y' || n / 3)::uuid, 'x', '', n % 3 = 0, n % 3, '{}', CASE WHEN n % 2 = 0 THEN timestamptz '2027-01-01' + n * interval '1 minute' END, false, 'UTC', 1,
			timestamptz '2026-01-01' + n * interval '1 second', timestamptz '2026-02-01' + n * interval '1 second', decode(md5('k' || n), 'hex'), 16 + ?
		FROM generate_series(1, 12000) n`, search.Version).Exec(a.ctx)
	require.NoError(a.t, err)
	_, err = a.DB.NewRaw("VACUUM ANALYZE task.tasks").Exec(a.ctx)
	require.NoError(a.t, err)
}

// tidy makes each row of the tasks visible to all, so that an index is read alone.
func (a account) tidy() {
	// What somebody may see as it was before, such as Postgres' own worker, is not tidied up.
	for visible := false; !visible; {
		_, err := a.DB.NewRaw("VACUUM ANALYZE task.tasks").Exec(a.ctx)
		require.NoError(a.t, err)
		require.NoError(a.t, a.DB.NewRaw("SELECT relallvisible = relpages FROM pg_class WHERE oid = 'task.tasks'::regclass").Scan(a.ctx, &visible))
	}
}

// The default list and most others read all tasks of their user.
func TestEachListReadsAnIndexInItsOrder(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	const tasks, limit = 4000, 5
	a := many(t, s, tasks)
	colleague := uuid.New()
	for _, q := range []string{
		"INSERT INTO task.members (user_id, list_id, role, position, since) VALUES (?0, ?1, 'editor', 1, now())",
		"UPDATE task.tasks SET assignee_id = CASE WHEN hashtext(id::text) & 255 = 0 THEN ?0::uuid ELSE ?2 END WHERE list_id = ?1",
	} {
		_, err := s.DB.NewRaw(q, colleague, access.Inbox(a.id), a.id).Exec(t.Context())
		require.NoError(t, err)
	}
	a.tidy()
	hook := &plans{}
	s.DB = s.DB.WithQueryHook(hook)
	filters := map[string]Query{
		"those of a colleague": {Assignee: &colleague}, "his own": {Assignee: &a.id}, "his own that are open": {Assignee: &a.id, IsComplete: ptr(false)},
		"all": {}, "open": {IsComplete: ptr(false)}, "complete": {IsComplete: ptr(true)},
		"a rare priority": {Priorities: []string{"urgent"}}, "a common priority": {Priorities: []string{"low"}}, "two priorities": {Priorities: []string{"urgent", "none"}},
		"a rare tag": {Tags: []string{"rare"}}, "a common tag": {Tags: []string{"often"}}, "no tag": {Tags: []string{"never"}}, "two tags": {Tags: []string{"rare", "often"}},
		"due soon": {DueBefore: at("2027-01-01T02:00:00Z")}, "due late": {DueAfter: at("2027-01-14T20:00:00Z")}, "due between": {DueAfter: at("2027-01-03T00:00:00Z"), DueBefore: at("2027-01-03T02:00:00Z")},
		"due ever": {DueAfter: at("2026-01-01T00:00:00Z")}, "changed lately": {UpdatedAfter: at("2026-02-01T05:31:00Z")}, "changed ever": {UpdatedAfter: at("2026-01-01T00:00:00Z")},
		"subtasks": {ParentID: ptr(uuidOf(t, s, "t5"))}, "no subtasks": {TopLevel: true}, "a series": {SeriesID: ptr(uuidOf(t, s, "s"))},
		"a rare text": {Text: "TÁSK " + "b"}, "a common text": {Text: "task"}, "no text": {Text: "nowhere"}, "a letter": {Text: "o"}, "no letter": {Text: "z"}, "a tenth": {Text: "often"},
		"open and urgent and rare": {IsComplete: ptr(false), Priorities: []string{"urgent"}, Tags: []string{"rare"}},
	}
	orders := []string{"-created_at", "updated_at", "-due_at", "priority", "title", "position"}
	all := slices.Concat(orders, []string{"created_at", "-updated_at", "due_at", "-priority", "-title"})
	for name, in := range filters {
		sorts := orders
		if in.IsComplete != nil || name == "all" {
			sorts = all
		}
		for _, sort := range sorts {
			in.Sort, in.Limit, in.Cursor = sort, limit, ""
			for page := range 2 {
				hook.statements = nil
				_, next := a.page(in)
				var rows float64
				for _, statement := range hook.statements {
					read, whole := planOf(t, s, statement).read()
					require.False(t, whole, "%s by %s reads a whole table: %s", name, sort, statement)
					rows += read
				}
				require.LessOrEqual(t, rows, float64(350*(limit+1)), "%s by %s, page %d: %s", name, sort, page, strings.Join(hook.statements, "\n"))
				if next == nil {
					break
				}
				in.Cursor = *next
			}
		}
	}
}

// Due dates that follow the creation: what is due late lies at the far end of the
// order, and is half of the tasks. The index alone says which they are.
func TestAFilterThatFollowsTheOrderReadsFewTasks(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	const tasks, limit = 4000, 5
	a := many(t, s, tasks)
	_, err := s.DB.NewRaw(`WITH numbered AS (SELECT id, row_number() OVER (PARTITION BY user_id ORDER BY created_at) * ?0 / count(*) OVER (PARTITION BY user_id) AS n FROM task.tasks)
		UPDATE task.tasks t SET due_at = timestamptz '2027-01-01' + n * interval '1 minute', updated_at = timestamptz '2026-06-01' + n * interval '1 minute',
			priority = n / (?0 / 4), parent_id = CASE WHEN n <= ?0 / 2 THEN md5('t5')::uuid END FROM numbered WHERE numbered.id = t.id`, tasks).Exec(t.Context())
	require.NoError(t, err)
	a.tidy()
	hook := &plans{}
	s.DB = s.DB.WithQueryHook(hook)
	middle := "2027-01-02T09:20:00Z"
	for _, in := range []Query{
		{DueAfter: at(middle), Sort: "created_at"}, {DueBefore: at(middle), Sort: "-created_at"}, {DueAfter: at(middle), Sort: "updated_at"},
		{UpdatedAfter: at("2026-06-02T09:20:00Z"), Sort: "due_at"}, {UpdatedAfter: at("2026-06-02T09:20:00Z"), Sort: "priority"},
		{Priorities: []string{"urgent", "high"}, Sort: "created_at"}, {Priorities: []string{"none"}, Sort: "-due_at"}, {TopLevel: true, Sort: "updated_at"},
		{DueBefore: at("2027-01-03T09:20:00Z"), TopLevel: true, Sort: "due_at"},
	} {
		in.Limit, hook.statements = limit, nil
		items, _ := a.page(in)
		require.Len(t, items, limit)
		for _, statement := range hook.statements {
			require.LessOrEqual(t, planOf(t, s, statement).visited(), float64(30*limit), "%+v: %s", in, statement)
		}
	}
}

// Postgres takes each list for one of usual length, and would rather read a whole one by
// whatever index is a page shorter than that of the order, and sort it, or look through it
// for a few tasks that have an index of their own. A long one is not read whole for that.
func TestALongListIsNotReadWholeBecauseOthersAreShort(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	const tasks, limit = 1000, 50
	a := many(t, s, tasks)
	check := func(in Query, most int) {
		in.Limit = limit
		rows, statements := a.passed(in)
		require.LessOrEqual(t, rows, float64(most), "%+v: %s", in, statements)
	}
	for column, index := range map[string]string{"created_at": "created", "updated_at": "updated", "due_at": "day", "priority": "priority", "title": "title", "position": "place"} {
		index = "task.tasks_of_list_by_" + index
		_, err := s.DB.NewRaw("ALTER INDEX " + index + " SET (fillfactor = 10)").Exec(t.Context())
		require.NoError(t, err)
		_, err = s.DB.NewRaw("REINDEX INDEX " + index).Exec(t.Context())
		require.NoError(t, err)
		for _, sort := range []string{column, "-" + column} {
			check(Query{Sort: sort}, 12*limit)
			check(Query{Sort: sort, DueAfter: at("2027-01-01T00:00:00Z")}, 12*limit)
		}
		_, err = s.DB.NewRaw("ALTER INDEX " + index + " RESET (fillfactor)").Exec(t.Context())
		require.NoError(t, err)
		_, err = s.DB.NewRaw("REINDEX INDEX " + index).Exec(t.Context())
		require.NoError(t, err)
	}
	check(Query{ParentID: ptr(uuidOf(t, s, "t5")), Sort: "created_at"}, 4*limit)
	check(Query{SeriesID: ptr(uuidOf(t, s, "s")), Sort: "created_at"}, 4*limit)
}

// Behind a place, Postgres took a list for shorter still, and rather read what is left of it and
// sorted that.
func TestALongListIsNotReadWholeBehindAPlaceBecauseOthersAreShort(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	const tasks, limit = 4000, 50
	a := many(t, s, tasks)
	a.shortListsOfOthers()
	for _, column := range orders {
		for _, sort := range []string{column, "-" + column} {
			for _, passed := range []int{1, limit, tasks / 4, tasks / 2} {
				_, behind := a.page(Query{Sort: sort, Limit: passed})
				for _, c := range []struct {
					in   Query
					most float64
				}{
					{Query{}, 24 * limit},
					{Query{DueAfter: at("2027-01-02T00:00:00Z")}, 24 * limit},
					{Query{Tags: []string{"often"}}, 32 * limit}, // which every fourth has
				} {
					c.in.Sort, c.in.Cursor, c.in.Limit = sort, *behind, limit
					rows, statements := a.passed(c.in)
					require.LessOrEqual(t, rows, c.most, "%+v: %s", c.in, statements)
				}
			}
		}
	}
}

// Who has thrown nothing away lately had all looked through that others have.
func TestTheTrashOfOthersIsNotLookedThrough(t *testing.T) {
	s := newStore(t)
	const rows, limit = 4000, 5
	a, others := newAccount(t, s), newAccount(t, s)
	a.create(Draft{Title: "x"}) // they have an inbox from then on
	others.create(Draft{Title: "x"})
	_, err := s.DB.NewRaw(`INSERT INTO task.trash (id, root_id, list_id, title, version, deleted_by, deleted_at, task)
		SELECT md5('x' || n)::uuid, md5('x' || n)::uuid, CASE WHEN n <= ?2 / 10 THEN ?0::uuid ELSE ?1::uuid END, 't' || n, 1, ?0, timestamptz '2026-06-01' + n * interval '1 second', '{}' FROM generate_series(1, ?2) n`,
		access.Inbox(a.id), access.Inbox(others.id), rows).Exec(t.Context())
	require.NoError(t, err)
	_, err = s.DB.NewRaw("VACUUM ANALYZE task.trash, task.members").Exec(t.Context())
	require.NoError(t, err)
	hook := &plans{of: "task.trash"}
	s.DB = s.DB.WithQueryHook(hook)
	var behind *page.Place
	for range 2 {
		found, err := s.Trash(t.Context(), a.actor, behind, limit)
		require.NoError(t, err)
		require.Len(t, found, limit)
		behind = &page.Place{At: found[limit-1].DeletedAt, ID: found[limit-1].ID}
	}
	require.Len(t, hook.statements, 2)
	for _, statement := range hook.statements {
		read, whole := planOf(t, s, statement).read()
		require.False(t, whole, statement)
		require.Less(t, read, float64(rows/5), statement) // all of his at most
	}
}

func uuidOf(t *testing.T, s *Store, text string) uuid.UUID {
	var id uuid.UUID
	require.NoError(t, s.DB.NewRaw("SELECT md5(?)::uuid", text).Scan(t.Context(), &id))
	return id
}

// Every filter with every order answers what reading everything would.
func TestEveryListIsWhatReadingAllWouldAnswer(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	a := many(t, s, 200)
	a.asOlderVersion("t.id IN (SELECT md5('t' || n * 15)::uuid FROM generate_series(1, 20) n)")
	var all []*Task
	require.NoError(t, s.DB.NewSelect().Model(&all).Where("user_id = ?", a.id).Scan(t.Context()))
	for name, c := range map[string]struct {
		in    Query
		meets func(*Task) bool
	}{
		"open with a tag": {Query{IsComplete: ptr(false), Tags: []string{"often"}}, func(t *Task) bool { return !t.IsComplete && slices.Contains(t.Tags, "often") }},
		"priorities and due": {Query{Priorities: []string{"low", "urgent"}, DueAfter: at("2027-01-03T00:00:00Z")}, func(t *Task) bool {
			return (t.Priority == 1 || t.Priority == 4) && t.DueAt != nil && t.DueAt.Day() >= 3
		}},
		"text":         {Query{Text: "oFtEn"}, func(t *Task) bool { return t.Description == "often" }},
		"text and tag": {Query{Text: "TASK 1", Tags: []string{"often"}}, func(t *Task) bool { return strings.HasPrefix(t.Title, "Task 1") && slices.Contains(t.Tags, "often") }},
		"two letters":  {Query{Text: "a9"}, func(t *Task) bool { return strings.Contains(strings.ToLower(t.Title), "a9") }},
		"everything":   {Query{}, func(*Task) bool { return true }},
	} {
		var want []string
		for _, task := range all {
			if c.meets(task) {
				want = append(want, task.Title)
			}
		}
		require.NotEmpty(t, want, name)
		for _, column := range []string{"created_at", "updated_at", "due_at", "priority", "title"} {
			for _, direction := range []string{"", "-"} {
				in := c.in
				in.Sort, in.Limit = direction+column, 9
				got := a.titles(in)
				in.Limit = 200
				require.Equal(t, got, a.titles(in), "%s by %s, in other pages", name, in.Sort)
				require.ElementsMatch(t, want, got, "%s by %s", name, in.Sort)
			}
		}
	}
}

// An index of tasks that wait must be the one that the queries ask for.
func TestTheIndexOfWaitingTasksIsOfThisVersion(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	var definition string
	require.NoError(t, s.DB.NewRaw("SELECT pg_get_indexdef('task.tasks_of_list_unindexed'::regclass)").Scan(t.Context(), &definition))
	require.Contains(t, definition, fmt.Sprintf("WHEN ((version * 16) + %d)", search.Version), "search.Version needs a migration that makes this index anew")
}
