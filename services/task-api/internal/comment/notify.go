package comment

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"

	"github.com/google/uuid"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/eventlog"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
)

// notify appends an event for each member of the list who is to be notified of a new comment:
// who is mentioned in it, and who is to do the task; not its author.
func notify(ctx context.Context, tx *change.Tx, t *about, c *Comment) error {
	addresses := mentions(c.Text)
	if len(addresses) == 0 && (t.AssigneeID == nil || *t.AssigneeID == c.Author.UserID) {
		return nil
	}
	var told []struct {
		UserID    uuid.UUID `bun:"user_id"`
		Mentioned bool      `bun:"mentioned"`
	}
	err := tx.NewRaw(`SELECT m.user_id, p.mentioned FROM task.members m LEFT JOIN task.users u ON u.id = m.user_id,
			LATERAL (SELECT coalesce(lower(u.email) IN (SELECT lower(a) FROM unnest(?::text[]) a), false) AS mentioned) p
		WHERE m.list_id = ? AND m.user_id <> ? AND (p.mentioned OR m.user_id = ?) ORDER BY m.user_id`,
		pgdialect.Array(addresses), c.ListID, c.Author.UserID, t.AssigneeID).Scan(ctx, &told)
	if err != nil {
		return fmt.Errorf("read who is to be told of the comment: %w", err)
	}
	for _, to := range told {
		data, err := json.Marshal(event.CommentEvent{
			Frame:     event.Frame{EventType: event.CommentAdded, TaskID: c.TaskID, UserID: to.UserID, Timestamp: tx.Now, Metadata: map[string]any{}},
			CommentID: c.ID, Author: c.Author, Title: t.Title, Mentioned: to.Mentioned,
		})
		if err != nil {
			return fmt.Errorf("write the event of a comment: %w", err)
		}
		tx.Append(eventlog.Entry{Topic: event.TopicReminders, Type: event.CommentAdded, Key: c.TaskID.String(), Time: tx.Now, Data: data})
	}
	return nil
}

// mention is an @ that begins a word, and an address behind it, which ends with a letter
// or a digit: a dot or a bracket behind it are the sentence's.
var mention = regexp.MustCompile(`(?:^|[^\p{L}\p{N}._%+\-@])@([^\s@]+@(?:[\p{L}\p{N}\-]+\.)*[\p{L}\p{N}\-]*[\p{L}\p{N}])`)

// mentions are the addresses that a text mentions.
func mentions(text string) []string {
	found := []string{}
	for _, m := range mention.FindAllStringSubmatch(text, -1) {
		found = append(found, m[1])
	}
	return found
}
