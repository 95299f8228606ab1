package comment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

// Undo takes back what a request has made of a comment, of which the log says l. One that
// has been changed since stays: then it returns a refusal.
func (s *Store) Undo(ctx context.Context, tx *change.Tx, l change.Logged) error {
	var before, after *Comment
	if err := errors.Join(json.Unmarshal(l.Before, &before), json.Unmarshal(l.After, &after)); err != nil {
		return fmt.Errorf("read a comment as it was: %w", err)
	}
	if l.Cut != nil {
		for c, text := range map[*Comment]string{before: l.Cut.Before, after: l.Cut.After} {
			if c != nil {
				c.Text = text
			}
		}
	}
	if after == nil {
		return s.undoDelete(ctx, tx, before)
	}
	is, err := lock(ctx, tx, after.ID)
	switch {
	case errors.Is(err, errNotFound):
		if _, err := lockTask(ctx, tx, after.TaskID); err != nil {
			return err
		}
		return differs(after.ID, "", "has been deleted since")
	case err != nil:
		return err
	case !tx.Actor.Wrote(is.Author.UserID) && (before != nil || !is.Role.Rules()):
		return errAuthorsOnly
	case is.Text != after.Text:
		return differs(after.ID, "text", "has been changed since")
	case before == nil:
		tx.Queue("DELETE FROM task.comments WHERE id = ?", is.ID)
		return appendAudit(tx, event.CommentDeleted, is, nil)
	}
	then := *is
	then.Text, then.EditedAt = before.Text, before.EditedAt
	tx.Queue("UPDATE task.comments SET text = ?, edited_at = ? WHERE id = ?", then.Text, then.EditedAt, is.ID)
	return appendAudit(tx, event.CommentUpdated, is, &then)
}

// undoDelete adds a comment again that was deleted, where it was. Nobody is told of it
// once more.
func (s *Store) undoDelete(ctx context.Context, tx *change.Tx, c *Comment) error {
	if _, err := lockTask(ctx, tx, c.TaskID); err != nil {
		return err
	}
	if _, err := s.next(ctx, tx, c.TaskID); err != nil {
		return err // there are as many as there can be
	}
	added, err := tx.NewRaw("INSERT INTO task.comments (id, task_id, author_id, text, edited_at, created_at) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
		c.ID, c.TaskID, c.Author.UserID, c.Text, c.EditedAt, c.CreatedAt).Exec(ctx)
	if err != nil {
		return fmt.Errorf("add the comment again: %w", err)
	}
	n, err := added.RowsAffected()
	if err != nil {
		return fmt.Errorf("see whether the comment was added again: %w", err)
	}
	if n == 0 {
		return differs(c.ID, "", "is there again")
	}
	is, err := one(ctx, tx, c.ID)
	if err != nil {
		return err
	}
	return appendAudit(tx, event.CommentCreated, nil, is)
}

func differs(id uuid.UUID, part, message string) error {
	return refuse.Changed(refuse.Differs("comment/"+id.String(), part, message))
}
