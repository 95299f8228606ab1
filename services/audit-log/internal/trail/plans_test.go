package trail_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
)

// statements are those that read the trail.
type statements struct{ of []string }

func (s *statements) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context { return ctx }

func (s *statements) AfterQuery(_ context.Context, e *bun.QueryEvent) {
	if strings.Contains(e.Query, "audit.entries") && !strings.HasPrefix(e.Query, "EXPLAIN") {
		s.of = append(s.of, e.Query)
	}
}

// node is one of a plan as EXPLAIN tells of it.
type node struct {
	Type    string  `json:"Node Type"`
	Table   string  `json:"Relation Name"`
	Index   string  `json:"Index Name"`
	Rows    float64 `json:"Actual Rows"`
	Removed float64 `json:"Rows Removed by Filter"`
	Plans   []node
	above   string // the type of the node that this one is for
}

// scans are the nodes that read entries.
func (n node) scans() []node {
	var all []node
	if n.Table == "entries" {
		all = append(all, n)
	}
	for _, below := range n.Plans {
		below.above = n.Type
		all = append(all, below.scans()...)
	}
	return all
}

// However long the lists of a reader and his own trail are, a page is found by indexes in
// its order, each of which is read no further than the page is long.
func TestEachPageReadsIndexesInItsOrder(t *testing.T) {
	s := newService(t)
	// Each user has a long list, many short ones, and what is in none. The newest are all
	// in lists: who looks for the others must not step on them.
	_, err := s.owner.ExecContext(t.Context(), `INSERT INTO audit.entries (id, sequence, occurred_at, recorded_at, user_id, actor_id, actor_email, action, target, task_id, list_id, changed, ip, user_agent, request_id, trace_id)
		SELECT gen_random_uuid(), lpad(n::text, 19, '0'), timestamptz '2027-01-01' + n * interval '1 second', now(), u, u, '', (ARRAY['task.created','task.updated','task.updated','task.completed'])[n % 4 + 1], '',
			md5('t' || n % 190)::uuid, CASE WHEN n > 30000 OR n % 7 > 1 THEN md5('l' || n % 19 || CASE WHEN n % 3 > 0 THEN 'long' ELSE (n % 1000)::text END)::uuid END, '{}', '', '', '', ''
		FROM generate_series(1, 40000) n, LATERAL (SELECT md5('u' || n % 19)::uuid) x(u)`)
	require.NoError(t, err)
	_, err = s.owner.ExecContext(t.Context(), "ANALYZE audit.entries")
	require.NoError(t, err)
	var user, task, long uuid.UUID
	require.NoError(t, s.db.NewRaw("SELECT md5('u0')::uuid, md5('t0')::uuid, md5('l0long')::uuid").Scan(t.Context(), &user, &task, &long))
	var lists []uuid.UUID
	require.NoError(t, s.db.NewRaw("SELECT DISTINCT list_id FROM audit.entries WHERE user_id = ? AND list_id IS NOT NULL", user).Scan(t.Context(), &lists))
	require.Greater(t, len(lists), 100)
	require.Contains(t, lists, long)
	seen := &statements{}
	s.db = s.db.WithQueryHook(seen)
	s.router = s.replica()
	member := s.by(lists...)

	history := "/api/tasks/" + task.String() + "/history?limit=2"
	for name, k := range map[string]struct {
		path    string
		indexes []string
	}{
		"all":               {"/api/audit?limit=20", []string{"entries_in_list", "entries_in_none"}},
		"between":           {"/api/audit?limit=20&from=2027-01-01T07:00:00Z&to=2027-01-01T09:00:00Z", []string{"entries_in_list", "entries_in_none"}},
		"of an action":      {"/api/audit?limit=20&action=task.updated", []string{"entries_in_list_of_action", "entries_in_none_of_action"}},
		"of no action":      {"/api/audit?limit=20&action=task.deleted", []string{"entries_in_list_of_action", "entries_in_none_of_action"}},
		"of a list":         {"/api/audit?limit=20&list_id=" + long.String(), []string{"entries_in_list"}},
		"of its action":     {"/api/audit?limit=20&action=task.updated&list_id=" + long.String(), []string{"entries_in_list_of_action"}},
		"of a task":         {"/api/audit?limit=2&task_id=" + task.String(), []string{"entries_in_list_of_task", "entries_in_none_of_task"}},
		"a history":         {history, []string{"entries_in_list_of_task", "entries_in_none_of_task"}},
		"an empty history":  {history + "&to=2026-01-01T00:00:00Z", []string{"entries_in_list_of_task", "entries_in_none_of_task"}},
		"what a user did":   {"/internal/acts?limit=20", []string{"entries_of_actor"}},
		"no history at all": {"/api/tasks/" + uuid.NewString() + "/history", []string{"entries_in_list_of_task", "entries_in_none_of_task"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := k.path
			for range 3 { // pages
				seen.of = nil
				var p answered
				status := http.StatusOK
				if strings.HasPrefix(name, "no ") {
					status = http.StatusNotFound
				}
				member.get(user, path, status, &p)
				require.NotEmpty(t, seen.of)
				for _, statement := range seen.of {
					var raw []byte
					require.NoError(t, s.owner.QueryRowContext(t.Context(), "EXPLAIN (ANALYZE, FORMAT JSON) "+statement).Scan(&raw))
					var plans []struct{ Plan node }
					require.NoError(t, json.Unmarshal(raw, &plans))
					for _, scan := range plans[0].Plan.scans() {
						require.Contains(t, append(slices.Clone(k.indexes), "entries_pkey"), scan.Index, "%s", statement)
						require.NotContains(t, scan.above, "Sort", "%s", statement)
						require.LessOrEqual(t, scan.Rows, 51.0, "%s", statement)
						require.Zero(t, scan.Removed, "%s", statement)
					}
				}
				if p.NextCursor == nil {
					return
				}
				path = k.path + "&cursor=" + *p.NextCursor
			}
		})
	}
}
