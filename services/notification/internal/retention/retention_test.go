package retention_test

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/services/notification/internal/migrations"
	"github.com/taskwire/taskwire/services/notification/internal/retention"
)

func TestMain(m *testing.M) { os.Exit(databasetest.Main(m)) }

var now = time.Date(2027, 6, 1, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

type rig struct {
	t  *testing.T
	db *bun.DB
}

func newRig(t *testing.T) *rig {
	t.Helper()
	db, _ := databasetest.Open(t, migrations.Schema)
	return &rig{t, db}
}

func (r *rig) exec(sql string, args ...any) {
	r.t.Helper()
	_, err := r.db.NewRaw(sql, args...).Exec(context.Background())
	require.NoError(r.t, err)
}

func (r *rig) count(table string) int {
	r.t.Helper()
	n, err := r.db.NewSelect().Table("notification." + table).Count(context.Background())
	require.NoError(r.t, err)
	return int(n)
}

// deliver adds n deliveries, or pending ones, that are age old.
func (r *rig) deliver(n int, state string, age time.Duration) {
	r.t.Helper()
	r.exec(`INSERT INTO notification.deliveries (id, reminder_id, remind_at, channel, user_id, task_id, title, timezone, event_at, state, next_attempt_at, created_at, updated_at)
		SELECT gen_random_uuid(), gen_random_uuid(), ?0, 'email', gen_random_uuid(), gen_random_uuid(), '', 'UTC', ?0, ?1, ?0, ?0, ?0 FROM generate_series(1, ?2)`, now.Add(-age), state, n)
}

func (r *rig) notify(n int, age time.Duration) {
	r.t.Helper()
	r.exec(`INSERT INTO notification.notifications (id, user_id, task_id, reminder_id, title, remind_at, delivered_at, late_ms, created_at)
		SELECT gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), '', ?0, ?0, 0, ?0 FROM generate_series(1, ?1)`, now.Add(-age), n)
}

func (r *rig) know(n int, unsubscribed bool, age time.Duration) {
	r.t.Helper()
	r.exec(`INSERT INTO notification.recipients (address, token, hour_start, mails, unsubscribed_at)
		SELECT sha256(gen_random_uuid()::text::bytea), sha256(gen_random_uuid()::text::bytea), ?0, 1, CASE WHEN ?1 THEN ?0::timestamptz END FROM generate_series(1, ?2)`, now.Add(-age), unsubscribed, n)
}

func (r *rig) keeper(kept, events time.Duration) *retention.Keeper {
	return &retention.Keeper{DB: r.db, Retention: kept, EventRetention: events, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler)}
}

func TestWhatIsOldGoes(t *testing.T) {
	r := newRig(t)
	r.deliver(3, "sent", 91*day)
	r.deliver(2, "failed", 91*day)
	r.deliver(1, "cancelled", 91*day)
	r.deliver(4, "sent", 89*day)
	r.deliver(5, "pending", 365*day) // not done yet
	r.notify(3, 91*day)
	r.notify(2, 89*day)
	r.know(3, false, 91*day)
	r.know(2, false, 89*day)
	r.know(1, true, 365*day) // wants no mails, for good
	n, err := r.keeper(90*day, 30*day).Prune(t.Context())
	require.NoError(t, err)
	require.Equal(t, int64(12), n)
	require.Equal(t, 9, r.count("deliveries"))
	require.Equal(t, 2, r.count("notifications"))
	require.Equal(t, 3, r.count("recipients"))
}

// Its row is what makes the second coming of an event harmless.
func TestADeliveryIsKeptForAsLongAsItsEventCanComeAgain(t *testing.T) {
	r := newRig(t)
	r.deliver(1, "sent", 31*day)
	r.deliver(1, "sent", 33*day)
	r.notify(1, 8*day)
	_, err := r.keeper(7*day, 30*day).Prune(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, r.count("deliveries"))
	require.Zero(t, r.count("notifications"))
}

// After days without it there is more than one batch, and two replicas at it.
func TestItCatchesUp(t *testing.T) {
	r := newRig(t)
	r.deliver(15_000, "sent", 91*day)
	r.notify(15_000, 91*day)
	done := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := r.keeper(90*day, 30*day).Prune(t.Context())
			done <- err
		}()
	}
	require.NoError(t, <-done)
	require.NoError(t, <-done)
	require.Zero(t, r.count("deliveries"))
	require.Zero(t, r.count("notifications"))
}

// What is new is not looked at, however much there is.
func TestWhatIsOldIsFoundByAnIndex(t *testing.T) {
	r := newRig(t)
	r.deliver(5_000, "sent", day)
	r.notify(5_000, day)
	r.know(5_000, false, day)
	r.exec("ANALYZE notification.deliveries, notification.notifications, notification.recipients")
	for query, index := range map[string]string{
		"SELECT id FROM notification.deliveries WHERE state <> 'pending' AND created_at < ? ORDER BY created_at LIMIT 2000 FOR UPDATE SKIP LOCKED":           "deliveries_age",
		"SELECT id FROM notification.notifications WHERE true AND created_at < ? ORDER BY created_at LIMIT 2000 FOR UPDATE SKIP LOCKED":                      "notifications_age",
		"SELECT address FROM notification.recipients WHERE unsubscribed_at IS NULL AND hour_start < ? ORDER BY hour_start LIMIT 2000 FOR UPDATE SKIP LOCKED": "recipients_age",
	} {
		var plan []string
		require.NoError(t, r.db.NewRaw("EXPLAIN "+query, now.Add(-90*day)).Scan(t.Context(), &plan))
		require.Contains(t, strings.Join(plan, "\n"), "using "+index)
	}
}
