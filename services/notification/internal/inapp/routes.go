package inapp

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/pkg/page"
)

type listInput struct {
	Unread bool   `query:"unread" doc:"Only those that have not been read"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"How many at most"`
	Cursor string `query:"cursor" maxLength:"500" doc:"next_cursor of the page before"`
}

// NotificationPage is one page of notifications.
type NotificationPage struct {
	Items      []Notification `json:"items" nullable:"false" doc:"The notifications"`
	NextCursor *string        `json:"next_cursor" doc:"The cursor of the next page; null on the last"`
	Unread     int64          `json:"unread" doc:"How many have not been read, on all pages"`
}

// NotificationMark says what a notification is to be.
type NotificationMark struct {
	Read bool `json:"read" doc:"Whether it has been read"`
}

// MarkedNotifications is what marking all has done.
type MarkedNotifications struct {
	Updated int64 `json:"updated" doc:"How many were unread"`
}

type listOutput struct{ Body NotificationPage }

type markInput struct {
	ID   uuid.UUID `path:"id" format:"uuid" doc:"The notification"`
	Body NotificationMark
}

type readInput struct {
	ID uuid.UUID `path:"id" format:"uuid" doc:"The notification"`
}

type markOutput struct{ Body Notification }

type readAllOutput struct{ Body MarkedNotifications }

// What the description of the API shows.
var (
	exampleDue  = time.Date(2027, 3, 8, 8, 0, 0, 0, time.UTC)
	exampleRead = time.Date(2027, 3, 8, 7, 50, 0, 0, time.UTC)
	exampleOf   = uuid.MustParse("0190c8a0-1a2b-7d4e-8f60-718293a4b5c9")
	exampleAt   = exampleDue.Add(-15 * time.Minute)
	example     = Notification{
		Kind: Reminder, ID: uuid.MustParse("0190c8a0-2c3d-7e5f-9061-8293a4b5c6d7"), TaskID: uuid.MustParse("0190c8a0-1a2b-7d4e-8f60-718293a4b5c6"),
		ReminderID: &exampleOf, Title: "Call Grace back", DueAt: &exampleDue,
		RemindAt: &exampleAt, DeliveredAt: exampleDue.Add(-15*time.Minute + 412*time.Millisecond), LateMS: 412,
		ReadAt: &exampleRead, CreatedAt: exampleDue.Add(-15*time.Minute + 412*time.Millisecond),
	}
	exampleSaid    = uuid.MustParse("0190c8a0-1a2b-7d4e-8f60-718293a4b5f1")
	exampleComment = Notification{
		ID: uuid.MustParse("0190c8a0-2c3d-7e5f-9061-8293a4b5c6d8"), Kind: Comment, TaskID: example.TaskID, Title: example.Title,
		CommentID: &exampleSaid, Author: &event.Author{UserID: uuid.MustParse("0190c8a0-0b10-7f4e-8d21-3a9c5b7e1f01"), Name: "Grace"}, Mentioned: true,
		DeliveredAt: exampleAt.Add(-time.Hour), LateMS: 37, CreatedAt: exampleAt.Add(-time.Hour),
	}
)

// Register adds the notifications' operations to api, whose router admits
// callers with a valid token only.
func Register(api huma.API, failures httpapi.Failures, store *Store) {
	operation := func(id, method, path, summary, more string, said map[string]any) huma.Operation {
		return huma.Operation{
			OperationID: id, Method: method, Path: path, Summary: summary, Description: more, Tags: []string{"Notifications"},
			Security: httpapi.Authenticated, Extensions: httpapi.ForTokens(auth.Notifications), Metadata: said, MaxBodyBytes: httpapi.MaxBody,
		}
	}
	httpapi.Register(api, failures, operation("list-notifications", http.MethodGet, "/api/notifications", "List your notifications, newest first",
		"The reminders that you were sent, and comments that mention you or are on a task of yours to do, whatever became of them.",
		httpapi.Describe(nil, NotificationPage{Items: []Notification{example, exampleComment}}, httpapi.NotForTokens)),
		func(ctx context.Context, in *listInput) (*listOutput, error) { return store.page(ctx, in) })
	httpapi.Register(api, failures, operation("mark-notification", http.MethodPatch, "/api/notifications/{id}", "Mark a notification as read or unread",
		"Marking it as what it is changes nothing.",
		httpapi.Describe(NotificationMark{Read: true}, example, httpapi.Missing, httpapi.NotForTokens)),
		func(ctx context.Context, in *markInput) (*markOutput, error) {
			return store.answerMark(ctx, in.ID, in.Body.Read)
		})
	httpapi.Register(api, failures, operation("read-notification", http.MethodPost, "/api/notifications/{id}/read", "Mark a notification as read",
		"Reading it again changes nothing.",
		httpapi.Describe(nil, example, httpapi.Missing, httpapi.NotForTokens)),
		func(ctx context.Context, in *readInput) (*markOutput, error) {
			return store.answerMark(ctx, in.ID, true)
		})
	httpapi.Register(api, failures, operation("read-all-notifications", http.MethodPost, "/api/notifications/read-all", "Mark all your notifications as read",
		"Those that come later are unread.",
		httpapi.Describe(nil, MarkedNotifications{Updated: 1}, httpapi.NotForTokens)),
		func(ctx context.Context, _ *struct{}) (*readAllOutput, error) {
			n, err := store.markAll(ctx, auth.CallerOf(ctx).UserID)
			if err != nil {
				return nil, err
			}
			return &readAllOutput{MarkedNotifications{Updated: n}}, nil
		})
}

func (s *Store) page(ctx context.Context, in *listInput) (*listOutput, error) {
	var after *position
	if in.Cursor != "" {
		after = &position{}
		if err := page.DecodeCursor(in.Cursor, after); err != nil {
			return nil, err
		}
		if after.ID == uuid.Nil || !database.StorableTime(after.At) {
			return nil, page.ErrCursor
		}
		after.At = after.At.UTC()
	}
	user := auth.CallerOf(ctx).UserID
	// One more than asked for reports whether there is another page.
	items, err := s.list(ctx, user, in.Unread, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	out := &listOutput{}
	out.Body.Items, out.Body.NextCursor, err = page.Cut(items, in.Limit, func(last int) any {
		return position{At: items[last].CreatedAt, ID: items[last].ID}
	})
	if err != nil {
		return nil, err
	}
	out.Body.Unread, err = s.countUnread(ctx, user)
	return out, err
}

func (s *Store) answerMark(ctx context.Context, id uuid.UUID, read bool) (*markOutput, error) {
	n, ok, err := s.mark(ctx, auth.CallerOf(ctx).UserID, id, read)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, httpapi.NotFound("notification")
	}
	return &markOutput{Body: n}, nil
}
