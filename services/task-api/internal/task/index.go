package task

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/outage"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/search"
)

// unindexed says in SQL of which tasks title_key and the row in task.search are
// not those that this version computes: a version before it wrote them, or
// search.Version has been raised. It is the condition of the index
// tasks_of_list_unindexed, word for word.
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

// index writes what t is found by.
func (t *Task) index(ctx context.Context, tx *change.Tx) error {
	creator, err := tx.CreatorOf(ctx, t.ListID)
	if err != nil {
		return err
	}
	text := search.Text(t.Title, t.Description)
	tx.Queue("INSERT INTO task.search (task_id, text, keys) VALUES (?, ?, ?) ON CONFLICT (task_id) DO UPDATE SET text = EXCLUDED.text, keys = EXCLUDED.keys",
		t.ID, text, search.Keys(creator, text, t.Tags))
	return nil
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
	err := s.Changes.Do(ctx, access.Actor{Service: "index"}, func(ctx context.Context, tx *change.Tx) error {
		found = nil
		var mine bool
		if err := tx.NewRaw("SELECT pg_try_advisory_xact_lock(?)", indexLock).Scan(ctx, &mine); err != nil || !mine {
			return err
		}
		// One that a request is changing is indexed by that request.
		err := tx.NewSelect().Model(&found).Where(unindexed).OrderExpr("list_id, id").Limit(indexBatch).For("NO KEY UPDATE SKIP LOCKED").Scan(ctx)
		if err != nil || len(found) == 0 {
			return err
		}
		for _, t := range found {
			if err := t.index(ctx, tx); err != nil {
				return err
			}
			tx.Queue("UPDATE task.tasks SET title_key = ?, search_version = ? WHERE id = ?", search.TitleKey(t.Title), t.searchVersion(), t.ID)
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("index a batch of tasks: %w", err)
	}
	return len(found), nil
}
