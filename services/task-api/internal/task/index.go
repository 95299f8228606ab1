package task

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/outage"
	"github.com/taskwire/taskwire/services/task-api/internal/search"
)

// unindexed says in SQL of which tasks title_key and the row in task.search are
// not those that this version computes: a version before it wrote them, or
// search.Version has been raised. It is the condition of the index
// tasks_unindexed, word for word.
var unindexed = fmt.Sprintf("CASE search_version WHEN version * 16 + %d THEN 0 ELSE 1 END = 1", search.Version)

// searchVersion is what t is indexed as when that happens now.
func (t *Task) searchVersion() *int64 {
	v := t.Version*16 + search.Version
	return &v
}

// indexed says whether t, as it was read, is found through the index.
func (t *Task) indexed() bool {
	return t.SearchVersion != nil && *t.SearchVersion == *t.searchVersion()
}

// index writes what the tasks are found by.
func index(ctx context.Context, tx bun.IDB, tasks ...*Task) error {
	rows := make([]searchRow, len(tasks))
	for i, t := range tasks {
		text := search.Text(t.Title, t.Description)
		rows[i] = searchRow{TaskID: t.ID, Text: text, Keys: search.Keys(t.UserID, text, t.Tags)}
	}
	_, err := tx.NewInsert().Model(&rows).On("CONFLICT (task_id) DO UPDATE").Set("text = EXCLUDED.text, keys = EXCLUDED.keys").Exec(ctx)
	if err != nil {
		return fmt.Errorf("index the task: %w", err)
	}
	return nil
}

type searchRow struct {
	bun.BaseModel `bun:"table:task.search"`

	TaskID uuid.UUID `bun:"task_id,pk"`
	Text   string    `bun:"text"`
	Keys   []int64   `bun:"keys,array"`
}

const (
	indexBatch    = 200              // tasks in one transaction
	indexInterval = 10 * time.Second // between looks for tasks that another version wrote
	indexLock     = 0x74736b73       // "tsks": only one replica indexes
)

// KeepIndexed indexes the tasks that another version wrote, until ctx ends:
// all of them after an upgrade that brought the index, those of the old
// replicas during a rollout.
func (s *Store) KeepIndexed(ctx context.Context, log *slog.Logger) error {
	total, start := 0, s.Changes.Now()
	failing := &outage.Outage{Log: log, Gone: "tasks could not be indexed for search; trying again", Back: "tasks are indexed for search again"}
	return database.Repeat(ctx, failing, nil, func(ctx context.Context) (time.Duration, error) {
		began := time.Now()
		n, err := s.indexBatch(ctx)
		if err != nil {
			return 0, err
		}
		// As long again as the batch took belongs to the requests.
		pause := time.Since(began)
		if total += n; n < indexBatch {
			if total > 0 {
				log.InfoContext(ctx, "tasks indexed for search", "tasks", total, "took", s.Changes.Now().Sub(start))
			}
			total, pause = 0, indexInterval
		} else if total == n {
			start = s.Changes.Now()
		}
		return pause, nil
	})
}

// indexBatch indexes some of the tasks that are not, and says how many.
func (s *Store) indexBatch(ctx context.Context) (int, error) {
	var found []*Task
	err := s.DB.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		found = nil
		var mine bool
		if err := tx.NewRaw("SELECT pg_try_advisory_xact_lock(?)", indexLock).Scan(ctx, &mine); err != nil || !mine {
			return err
		}
		// One that a request is changing is indexed by that request.
		err := tx.NewSelect().Model(&found).Where(unindexed).OrderExpr("user_id, id").Limit(indexBatch).For("NO KEY UPDATE SKIP LOCKED").Scan(ctx)
		if err != nil || len(found) == 0 {
			return err
		}
		if err := index(ctx, tx, found...); err != nil {
			return err
		}
		ids, keys, versions := make([]string, len(found)), make([][]byte, len(found)), make([]int64, len(found))
		for i, t := range found {
			ids[i], keys[i], versions[i] = t.ID.String(), search.TitleKey(t.Title), *t.searchVersion()
		}
		_, err = tx.NewRaw(`UPDATE task.tasks t SET title_key = n.key, search_version = n.version
			FROM unnest(?::uuid[], ?::bytea[], ?::bigint[]) n (id, key, version) WHERE t.id = n.id`,
			pgdialect.Array(ids), pgdialect.Array(keys), pgdialect.Array(versions)).Exec(ctx)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("index a batch of tasks: %w", err)
	}
	return len(found), nil
}
