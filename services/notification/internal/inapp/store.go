// Package inapp is what a user sees in the application: the reminders that were delivered,
// and the comments that are for him.
package inapp

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/event"
)

// The kinds of notification.
const (
	Reminder = "reminder"
	Comment  = "comment"
)

// Notification is a reminder that was delivered, or tells of a comment.
type Notification struct {
	bun.BaseModel `bun:"table:notification.notifications,alias:n" json:"-"`

	ID          uuid.UUID     `bun:",pk" json:"id" format:"uuid" doc:"The notification"`
	UserID      uuid.UUID     `json:"-"`
	Kind        string        `bun:",nullzero,default:'reminder'" json:"kind" enum:"reminder,comment" doc:"Whether it is a reminder, or tells of a comment"`
	TaskID      uuid.UUID     `json:"task_id" format:"uuid" doc:"The task that it is about"`
	ReminderID  *uuid.UUID    `json:"reminder_id" nullable:"true" format:"uuid" doc:"The reminder that it was sent for; null for a comment"`
	Title       string        `json:"title" doc:"The task's title when it was reminded of or commented on"`
	DueAt       *time.Time    `json:"due_at" nullable:"true" doc:"When the task is due; null for a comment"`
	RemindAt    *time.Time    `json:"remind_at" nullable:"true" doc:"When the reminder was set for; null for a comment"`
	CommentID   *uuid.UUID    `json:"comment_id" nullable:"true" format:"uuid" doc:"The comment; null for a reminder"`
	Author      *event.Author `bun:"type:jsonb" json:"author,omitempty" doc:"Who wrote the comment; of a reminder there is none"`
	Mentioned   bool          `json:"mentioned" doc:"Whether the comment mentions you; else the task is yours to do. false for a reminder"`
	DeliveredAt time.Time     `json:"delivered_at" doc:"When it was delivered"`
	LateMS      int64         `bun:"late_ms" json:"late_ms" doc:"By how many milliseconds it came later than it could: from remind_at, from when the reminder was set for a time that had passed, or from when the comment was written"`
	ReadAt      *time.Time    `json:"read_at" nullable:"true" doc:"null while it is unread"`
	CreatedAt   time.Time     `json:"created_at" doc:"When it was written"`
}

// Store reads and marks notifications. Every method sees the caller's own only.
type Store struct {
	db    *bun.DB
	clock func() time.Time
}

// NewStore returns a store on db.
func NewStore(db *bun.DB, clock func() time.Time) *Store {
	return &Store{db: db, clock: clock}
}

// position is where a page ended.
type position struct {
	At time.Time `json:"at"`
	ID uuid.UUID `json:"id"`
}

// list returns up to limit notifications of user that are older than after
// (from the newest, when it is nil).
func (s *Store) list(ctx context.Context, user uuid.UUID, unread bool, after *position, limit int) ([]Notification, error) {
	items := []Notification{}
	q := s.db.NewSelect().Model(&items).Where("user_id = ?", user)
	if unread {
		q = q.Where("read_at IS NULL")
	}
	if after != nil {
		q = q.Where("(created_at, id) < (?, ?)", after.At, after.ID)
	}
	if err := q.Order("created_at DESC", "id DESC").Limit(int64(limit)).Scan(ctx); err != nil {
		return nil, fmt.Errorf("list notifications: %w", err)
	}
	return items, nil
}

func (s *Store) countUnread(ctx context.Context, user uuid.UUID) (int64, error) {
	n, err := s.db.NewSelect().Model((*Notification)(nil)).Where("user_id = ? AND read_at IS NULL", user).Count(ctx)
	if err != nil {
		return 0, fmt.Errorf("count unread notifications: %w", err)
	}
	return n, nil
}

// mark sets whether a notification has been read; reading twice keeps the
// first time. ok is false when user has no such notification.
func (s *Store) mark(ctx context.Context, user, id uuid.UUID, read bool) (n Notification, ok bool, err error) {
	var at *time.Time
	if read {
		now := s.clock()
		at = &now
	}
	err = s.db.NewRaw(`
		UPDATE notification.notifications
		SET read_at = CASE WHEN ?0 THEN coalesce(read_at, ?1) END
		WHERE id = ?2 AND user_id = ?3 RETURNING *`, read, at, id, user).Scan(ctx, &n)
	if errors.Is(err, sql.ErrNoRows) {
		return n, false, nil
	}
	if err != nil {
		return n, false, fmt.Errorf("mark notification %s: %w", id, err)
	}
	return n, true, nil
}

// markAll marks everything that is unread as read and returns how many that were.
func (s *Store) markAll(ctx context.Context, user uuid.UUID) (int64, error) {
	res, err := s.db.NewUpdate().Model((*Notification)(nil)).
		Set("read_at = ?", s.clock()).Where("user_id = ? AND read_at IS NULL", user).Exec(ctx)
	if err != nil {
		return 0, fmt.Errorf("mark all notifications: %w", err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return 0, fmt.Errorf("mark all notifications: %w", err)
	}
	return n, nil
}
