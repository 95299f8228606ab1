package rest

import (
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/account"
	"github.com/taskwire/taskwire/services/task-api/internal/comment"
	"github.com/taskwire/taskwire/services/task-api/internal/list"
	"github.com/taskwire/taskwire/services/task-api/internal/task"
	"github.com/taskwire/taskwire/services/task-api/internal/undo"
)

// What the description of the API shows. Tests send the requests, and see that no
// field is left out.
var (
	exampleDue  = time.Date(2027, 3, 1, 8, 0, 0, 0, time.UTC)
	exampleDone = true

	exampleInput = TaskInput{
		Title: "Call Grace back", Description: "About the compiler", Priority: "high", Tags: []string{"phone", "work"},
		DueAt: &httpapi.Timestamp{Time: exampleDue}, Timezone: "Europe/Berlin", Reminders: []ReminderInput{{BeforeDue: "PT15M"}},
		Recurrence: &RecurrenceInput{RRule: "FREQ=WEEKLY;BYDAY=MO", Basis: "due", MonthEnd: "clamp", DSTGap: "forward", Missed: "collapse"},
	}
	examplePatch = map[string]any{"title": "Call Grace", "priority": "urgent", "reminders": []map[string]any{{"before_due": "PT1H"}}}

	exampleSeries     = uuid.MustParse("0190c8a0-1a2b-7d4e-8f60-718293a4b5c5")
	exampleOccurrence = "2027-03-01T09:00:00"
	exampleCompleted  = time.Date(2027, 3, 1, 8, 30, 0, 0, time.UTC)
	exampleTask       = Task{
		ID: uuid.MustParse("0190c8a0-1a2b-7d4e-8f60-718293a4b5c6"), UserID: exampleUser.ID, Title: exampleInput.Title, Description: exampleInput.Description,
		IsComplete: true, Priority: exampleInput.Priority, Tags: exampleInput.Tags, DueAt: &exampleDue, Timezone: exampleInput.Timezone,
		Reminders: []Reminder{{ID: uuid.MustParse("0190c8a0-1a2b-7d4e-8f60-718293a4b5c9"), UserID: exampleUser.ID, BeforeDue: "PT15M"}},
		Recurrence: &Recurrence{
			RRule: "FREQ=WEEKLY;BYDAY=MO", Basis: "due", MonthEnd: "clamp", DSTGap: "forward", Missed: "collapse", Anchor: exampleOccurrence, Ordinal: 1,
		},
		ListID: access.Inbox(exampleUser.ID), Position: 1803297600000000,
		SeriesID: &exampleSeries, Occurrence: &exampleOccurrence, CompletedAt: &exampleCompleted, Version: 2,
		CreatedAt: time.Date(2027, 2, 22, 12, 0, 0, 0, time.UTC), UpdatedAt: exampleCompleted,
	}

	exampleOpen    = changed(exampleTask, func(t *Task) { t.IsComplete, t.CompletedAt, t.Version, t.UpdatedAt = false, nil, 1, t.CreatedAt })
	examplePatched = changed(exampleOpen, func(t *Task) {
		t.Title, t.Priority, t.Version = "Call Grace", "urgent", 2
		t.Reminders = []Reminder{{ID: t.Reminders[0].ID, UserID: t.UserID, BeforeDue: "PT1H"}}
	})
	exampleNext = changed(exampleOpen, func(t *Task) {
		due, occurrence := t.DueAt.AddDate(0, 0, 7), "2027-03-08T09:00:00"
		t.ID, t.DueAt, t.Occurrence = uuid.MustParse("52c1e7a0-3b4f-5d6e-8f70-8192a3b4c5d6"), &due, &occurrence
		t.CreatedAt, t.UpdatedAt = exampleCompleted, exampleCompleted
	})

	exampleMove = map[string]any{"after": uuid.MustParse("0190c8a0-1a2b-7d4e-8f60-718293a4b5c7")}

	exampleUser = account.User{
		ID: uuid.MustParse("0190c8a0-0b10-7f4e-8d21-3a9c5b7e1f00"), Email: "ada@example.org", Name: "Ada", Timezone: "Europe/Berlin", Verified: true,
		CreatedAt: time.Date(2027, 1, 4, 9, 0, 0, 0, time.UTC), UpdatedAt: time.Date(2027, 1, 4, 9, 0, 0, 0, time.UTC),
	}
	exampleColor, exampleGroup = "#3366cc", "Home"
	exampleList                = list.List{
		ID: uuid.MustParse("0190c8a0-1a2b-7d4e-8f60-718293a4b5d1"), Name: "Garden", Color: &exampleColor, Group: &exampleGroup,
		Position: 1803297600000000, Role: access.Owner, OpenTasks: 3, Version: 1,
		Members:   []list.Member{{UserID: &exampleUser.ID, Email: exampleUser.Email, Name: exampleUser.Name, Role: access.Owner, State: list.Active}},
		CreatedAt: exampleTask.CreatedAt, UpdatedAt: exampleTask.CreatedAt,
	}
	exampleMember     = list.Member{UserID: &exampleGrace, Email: "grace@example.org", Name: "Grace", Role: access.Editor, State: list.Active}
	exampleGrace      = uuid.MustParse("0190c8a0-0b10-7f4e-8d21-3a9c5b7e1f01")
	exampleInvitation = list.Invitation{
		ID: uuid.MustParse("0190c8a0-1a2b-7d4e-8f60-718293a4b5e1"), ListID: exampleList.ID, ListName: exampleList.Name, Email: exampleMember.Email,
		Role: access.Viewer, State: list.Invited, InvitedBy: list.Inviter{UserID: exampleUser.ID, Email: exampleUser.Email, Name: exampleUser.Name}, CreatedAt: exampleTask.CreatedAt,
	}
	exampleTrashed = task.Trashed{
		ID: exampleTask.ID, Kind: "task", Title: exampleTask.Title, ListID: exampleTask.ListID, Tasks: 1, DeletedBy: exampleUser.ID, DeletedAt: exampleCompleted,
	}
	exampleComment = comment.Comment{
		ID: uuid.MustParse("0190c8a0-1a2b-7d4e-8f60-718293a4b5f1"), TaskID: exampleTask.ID, Author: event.Author{UserID: exampleGrace, Name: exampleMember.Name},
		Text: "@ada@example.org She calls back tomorrow.", EditedAt: &exampleCompleted, CreatedAt: exampleTask.CreatedAt,
	}
	exampleUndone = undo.Undone{
		Undoes: "0190163d-8694-739b-aea5-966c26f8ad91", RequestID: "0190163d-8a20-7c11-9d5e-3b6f0a9c4e27", Changed: []string{"task/" + exampleTask.ID.String()},
	}
	exampleSession = account.Session{
		ID: uuid.MustParse("0190c8a0-0b10-7f4e-8d21-3a9c5b7e1f0a"), Device: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", IP: "203.0.113.7",
		CreatedAt: exampleUser.CreatedAt, LastSeenAt: exampleCompleted, Current: true,
	}
	examplePlace        = "eyJsIjoiMDE5MGM4YTAtMWEyYi03ZDRlLThmNjAtNzE4MjkzYTRiNWYxIiwieCI6NzQyfQ"
	exampleRegistration = Registration{Email: exampleUser.Email, Password: "correct horse battery", Name: exampleUser.Name, Timezone: exampleUser.Timezone}
	exampleCredentials  = Credentials{Email: exampleUser.Email, Password: exampleRegistration.Password}
	exampleSignedIn     = SignedIn{User: exampleUser, Token: "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIwMTkwYzhhMCJ9.c2lnbmF0dXJl", ExpiresAt: time.Date(2027, 1, 5, 9, 0, 0, 0, time.UTC)} //nolint:gosec // nobody's
)

func changed(t Task, change func(*Task)) Task {
	change(&t)
	return t
}

// exampleTokenSecret is no token: its check is wrong.
const exampleTokenSecret = "tw_4Tq8mZ2xVb7KcR9sLw1NfH6yJd3Gp0000000" //nolint:gosec // nobody's

var exampleAPIToken = account.APIToken{
	ID: uuid.MustParse("01a20c4a-5e10-7b3f-9a42-0c6d8e1f2b73"), Name: "Phone", Scopes: []auth.Scope{auth.TasksRead, auth.TasksWrite, auth.ListsRead},
	CreatedAt: exampleUser.CreatedAt, ExpiresAt: exampleUser.CreatedAt.AddDate(0, 3, 0),
}
