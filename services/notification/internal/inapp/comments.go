package inapp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/subscribe"
)

// StoreComments stores the notification of each comment.added event, in the transaction
// of the events' inbox rows. It has the id of the event, so that it can exist only once.
// There is nothing to try again as with a mail: what is stored is delivered.
func StoreComments(ctx context.Context, tx bun.IDB, now time.Time, events []subscribe.Event) error {
	if len(events) == 0 {
		return nil
	}
	rows := make([]Notification, 0, len(events))
	for _, e := range events {
		n, err := ofComment(e, now)
		if err != nil {
			return subscribe.Poison(err)
		}
		rows = append(rows, n)
	}
	if _, err := tx.NewInsert().Model(&rows).On("CONFLICT (id) DO NOTHING").Returning("NULL").Exec(ctx); err != nil {
		return fmt.Errorf("store %d notifications of comments: %w", len(rows), err)
	}
	return nil
}

// ofComment makes the notification, and refuses what could never be one.
func ofComment(e subscribe.Event, now time.Time) (n Notification, err error) {
	data, err := event.DataOf[event.CommentEvent](e.Event)
	if err != nil {
		return n, err
	}
	id, err := uuid.Parse(e.ID())
	switch {
	case err != nil:
		return n, fmt.Errorf("id is no UUID: %w", err)
	case data.UserID == uuid.Nil:
		return n, errors.New("user_id is missing")
	case data.TaskID == uuid.Nil:
		return n, errors.New("task_id is missing")
	case data.CommentID == uuid.Nil:
		return n, errors.New("comment_id is missing")
	case !database.Storable(data.Title):
		return n, errors.New("title cannot be stored")
	case !database.Storable(data.Author.Name):
		return n, errors.New("author.name cannot be stored")
	}
	return Notification{
		ID: id, UserID: data.UserID, Kind: Comment, TaskID: data.TaskID, Title: data.Title,
		CommentID: &data.CommentID, Author: &data.Author, Mentioned: data.Mentioned,
		DeliveredAt: now, LateMS: max(now.Sub(e.Time()).Milliseconds(), 0), CreatedAt: now,
	}, nil
}
