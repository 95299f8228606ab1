package live

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/test/suite"
)

const (
	rate       = 50                     // requests per second
	retryAfter = 500 * time.Millisecond // and then once more
	users      = 8                      // who send them: of one, they would be more than LIMIT_WRITES
)

// load is what users do while the cluster is at work. It remembers what was
// acknowledged, and what one retry did not cure.
type load struct {
	users []*suite.Client

	mu        sync.Mutex
	sent      int
	retried   int
	uncured   []string
	versions  map[uuid.UUID]int64
	owners    map[uuid.UUID]*suite.Client
	reminders int
	open      []uuid.UUID // recurring tasks that are not complete
}

// underLoad sends requests while during runs.
func underLoad(t *testing.T, during func()) *load {
	t.Helper()
	l := &load{versions: map[uuid.UUID]int64{}, owners: map[uuid.UUID]*suite.Client{}}
	for range users {
		l.users = append(l.users, user(t))
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var running sync.WaitGroup
	running.Go(func() { l.run(ctx) })
	// It is under way before anything happens to it.
	eventually(t, func() error {
		if _, acknowledged, _ := l.counts(); acknowledged < rate {
			return fmt.Errorf("%d acknowledged", acknowledged)
		}
		return nil
	})
	during()
	_, before, _ := l.counts()
	// And answered afterwards.
	eventually(t, func() error {
		if _, now, _ := l.counts(); now < before+rate {
			return fmt.Errorf("%d acknowledged", now-before)
		}
		return nil
	})
	stop()
	running.Wait()
	return l
}

func (l *load) counts() (sent, acknowledged, uncured int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sent, len(l.versions), len(l.uncured)
}

func (l *load) run(ctx context.Context) {
	var sending sync.WaitGroup
	defer sending.Wait()
	tick := time.NewTicker(time.Second / rate)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			sending.Go(func() { l.one(context.WithoutCancel(ctx), n) })
		}
	}
}

// one is the nth request: of ten, seven create (one with a reminder that is
// due, two that recur), two change and one completes.
func (l *load) one(ctx context.Context, n int) {
	u := l.users[n%users]
	method, path := http.MethodPost, "/api/tasks"
	body := map[string]any{"title": fmt.Sprint("load ", n)}
	reminds, recurs := n%10 == 0, n%10 == 1 || n%10 == 5
	switch {
	case reminds:
		body["reminders"] = []map[string]any{{"at": "2020-01-01T00:00:00Z"}}
	case recurs:
		body["due_at"], body["recurrence"] = "2030-06-01T09:00:00Z", map[string]any{"rrule": "FREQ=DAILY"}
	case n%10 == 2 || n%10 == 6:
		l.mu.Lock()
		for id := range l.versions {
			method, path, u = http.MethodPatch, "/api/tasks/"+id.String(), l.owners[id]
			break
		}
		l.mu.Unlock()
	case n%10 == 9:
		l.mu.Lock()
		if len(l.open) > 0 {
			method, path, u = http.MethodPatch, "/api/tasks/"+l.open[0].String()+"/complete", l.owners[l.open[0]]
			l.open, body = l.open[1:], map[string]any{"is_complete": true}
		}
		l.mu.Unlock()
	}
	a, err := l.retry(ctx, u, method, path, body)
	l.mu.Lock()
	defer l.mu.Unlock()
	if bad := failure(a, err); bad != "" {
		l.uncured = append(l.uncured, fmt.Sprintf("%s %s: %s", method, path, bad))
		return
	}
	var task event.Task
	if err := a.JSON(&task); err != nil {
		l.uncured = append(l.uncured, err.Error())
		return
	}
	l.owners[task.ID] = u
	l.versions[task.ID] = max(l.versions[task.ID], task.Version)
	if recurs {
		l.open = append(l.open, task.ID)
	}
	if reminds {
		l.reminders++
	}
}

// retry sends a request, and once more when it failed; the key makes both one.
func (l *load) retry(ctx context.Context, u *suite.Client, method, path string, body any) (suite.Answer, error) {
	var header []string
	if method == http.MethodPost {
		header = []string{"Idempotency-Key", uuid.NewString()}
	}
	l.mu.Lock()
	l.sent++
	l.mu.Unlock()
	a, err := u.Do(ctx, method, path, body, header...)
	if failure(a, err) == "" {
		return a, nil
	}
	l.mu.Lock()
	l.retried++
	l.mu.Unlock()
	time.Sleep(retryAfter) // what a client does
	return u.Do(ctx, method, path, body, header...)
}

func failure(a suite.Answer, err error) string {
	switch {
	case err != nil:
		return err.Error()
	case a.Status/100 != 2:
		return fmt.Sprintf("%d %s", a.Status, a.Body)
	}
	return ""
}

// holds waits until all is published, consumed and delivered, and checks that
// nothing is lost and nothing is doubled.
func (l *load) holds(t *testing.T, db database) {
	t.Helper()
	sent, acknowledged, uncured := l.counts()
	t.Logf("%s: %d requests, %d tasks acknowledged, %d requests sent once more, %d not cured by that", path.Base(t.Name()), sent, acknowledged, l.retried, uncured)
	eventually(t, func() error {
		conn, err := db.connect(t)
		if err != nil {
			return err
		}
		defer conn.Close(context.WithoutCancel(t.Context()))
		left, err := suite.ReadLeft(t.Context(), conn)
		if err == nil && left.Total() > 0 {
			err = errors.New("on their way: " + left.String())
		}
		return err
	})
	l.mu.Lock()
	versions := maps.Clone(l.versions)
	l.mu.Unlock()
	ids, least := make([]uuid.UUID, 0, len(versions)), make([]int64, 0, len(versions))
	for id, version := range versions {
		ids, least = append(ids, id), append(least, version)
	}
	for what, sql := range map[string]string{
		"acknowledged changes that are lost": `SELECT count(*) FROM unnest($1::uuid[], $2::bigint[]) a(id, version)
			LEFT JOIN task.tasks t USING (id) WHERE t.version IS NULL OR t.version < a.version`,
		"tasks without one event for each version": `SELECT count(*) FROM task.tasks t
			LEFT JOIN (SELECT key, count(*) AS n FROM task.events WHERE topic = 'task-events' GROUP BY key) e ON e.key = t.id::text
			WHERE t.version <> coalesce(e.n, 0)`,
		"tasks without one audit entry for each version": `SELECT count(*) FROM task.tasks t
			LEFT JOIN (SELECT task_id, count(*) AS n FROM audit.entries GROUP BY task_id) a ON a.task_id = t.id
			WHERE t.version <> coalesce(a.n, 0)`,
		"completed recurring tasks without one successor": `SELECT count(*) FROM task.tasks t WHERE t.is_complete AND t.recurrence IS NOT NULL
			AND 1 <> (SELECT count(*) FROM task.tasks n WHERE n.follows_id = t.id)`,
		"reminders without one notification": `SELECT count(*) FROM task.reminders r
			LEFT JOIN (SELECT reminder_id, count(*) AS n FROM notification.notifications GROUP BY reminder_id) s ON s.reminder_id = r.id
			WHERE r.fired_for IS NOT NULL AND coalesce(s.n, 0) <> 1`,
		"reminders without one mail": `SELECT count(*) FROM task.reminders r
			LEFT JOIN (SELECT reminder_id, count(*) AS n FROM notification.deliveries WHERE channel = 'email' AND state = 'sent' GROUP BY reminder_id) s
				ON s.reminder_id = r.id
			WHERE r.fired_for IS NOT NULL AND coalesce(s.n, 0) <> 1`,
		"dead letters": `SELECT (SELECT count(*) FROM audit.dead_letters) + (SELECT count(*) FROM recurring.dead_letters)
			+ (SELECT count(*) FROM notification.dead_letters)`,
	} {
		var args []any
		if strings.Contains(sql, "$1") {
			args = []any{ids, least}
		}
		require.Zero(t, db.query(t, sql, args...), what)
	}
	require.NotZero(t, l.reminders)
}
