package eventlog

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/uptrace/bun"
)

// OldestUnpublished is when the oldest event that no broker has yet was
// written, over all topics; the zero time when there is none.
func OldestUnpublished(ctx context.Context, db bun.IDB, schema string) (time.Time, error) {
	var oldest sql.NullTime
	err := db.NewRaw(`
		SELECT min(at) FROM (
			(SELECT occurred_at AS at FROM ?0.events WHERE seq IS NULL AND position > (SELECT horizon FROM ?0.event_head) ORDER BY position LIMIT 1)
			UNION ALL
			SELECT (SELECT occurred_at FROM ?0.events e WHERE e.topic = c.topic AND e.seq > c.published_seq ORDER BY e.seq LIMIT 1)
			FROM ?0.event_cursors c
		) pending`, bun.Ident(schema)).Scan(ctx, &oldest)
	if err != nil {
		return time.Time{}, fmt.Errorf("find the oldest unpublished event: %w", err)
	}
	return oldest.Time, nil
}
