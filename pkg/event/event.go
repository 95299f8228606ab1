// Package event is the contract between the services: the topics, the types
// of event, their payloads, the CloudEvents envelope around them and the JSON
// Schemas that hold both. Producers and consumers meet here and nowhere else.
//
// Within a major version (the last part of dataschema) a producer only adds
// fields and a consumer accepts what it does not know.
package event

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/recurrence"
)

// The topics, as the brokers know them.
const (
	TopicTasks     = "task-events"
	TopicReminders = "reminders"
	TopicAudit     = "audit-logs"
)

// Topics lists every topic of the suite.
var Topics = []string{TopicTasks, TopicReminders, TopicAudit}

// The types of event. An audit type is AuditPrefix and an action.
const (
	TaskCreated   = "task.created"
	TaskUpdated   = "task.updated"
	TaskCompleted = "task.completed"
	TaskDeleted   = "task.deleted"
	TaskRestored  = "task.restored"
	ReminderDue   = "reminder.due"
	CommentAdded  = "comment.added"
	AccountVerify = "account.verify"
	AccountReset  = "account.reset"
	AccountNotice = "account.notice"
	ListInvited   = "list.invited"
	AccountErased = "account.erased"
	AuditPrefix   = "audit."
)

// WallLayout is how a wall-clock time without a zone is written: in
// Task.Occurrence and Recurrence.Anchor.
const WallLayout = "2006-01-02T15:04:05"

// Frame is what the data of every event begins with.
type Frame struct {
	EventType string         `json:"event_type"`
	TaskID    uuid.UUID      `json:"task_id"`
	UserID    uuid.UUID      `json:"user_id"`
	Timestamp time.Time      `json:"timestamp"`
	Metadata  map[string]any `json:"metadata"`
}

// Priorities are those that a task can have, the lowest first.
var Priorities = []string{"none", "low", "medium", "high", "urgent"}

// Task is the full task, as events show it.
type Task struct {
	ID          uuid.UUID   `json:"id"`
	UserID      uuid.UUID   `json:"user_id"`
	Title       string      `json:"title"`
	Description string      `json:"description"`
	IsComplete  bool        `json:"is_complete"`
	Priority    string      `json:"priority" enum:"none,low,medium,high,urgent"`
	Tags        []string    `json:"tags" nullable:"false"`
	DueAt       *time.Time  `json:"due_at" nullable:"true"`
	AllDay      bool        `json:"all_day"`
	Timezone    string      `json:"timezone" doc:"IANA time zone that the due time is meant in"`
	Reminders   []Reminder  `json:"reminders" nullable:"false"`
	Recurrence  *Recurrence `json:"recurrence"`
	ListID      uuid.UUID   `json:"list_id" doc:"The list that the task is in"`
	Position    int64       `json:"position" doc:"The place in the list, lower first"`
	AssigneeID  *uuid.UUID  `json:"assignee_id" doc:"The member of the list who is to do it"`
	ParentID    *uuid.UUID  `json:"parent_id"`
	SeriesID    *uuid.UUID  `json:"series_id" doc:"The series that a recurring task belongs to"`
	Occurrence  *string     `json:"occurrence" doc:"The wall-clock date and time of the series that this task stands for"`
	CompletedAt *time.Time  `json:"completed_at"`
	Version     int64       `json:"version" doc:"Counts the changes of the task, from 1"`
	CreatedAt   time.Time   `json:"created_at"`
	UpdatedAt   time.Time   `json:"updated_at"`
}

// Reminder is a moment at which the user wants to be told of a task: a fixed
// one (At), or one before the task is due (BeforeDue, an ISO 8601 duration).
type Reminder struct {
	ID        uuid.UUID  `json:"id"`
	UserID    uuid.UUID  `json:"user_id"` // who is reminded; the nil UUID in events of before: the task's user
	At        *time.Time `json:"at,omitempty"`
	BeforeDue string     `json:"before_due,omitempty"`
}

// Recurrence says when a task comes back. Anchor is the wall time of the due
// date that the rule counts from, in the task's time zone, and Ordinal its place in
// the series, from 1 (0 in events of before): COUNT counts from there.
type Recurrence struct {
	RRule    string `json:"rrule"`
	Basis    string `json:"basis"`
	MonthEnd string `json:"month_end"`
	DSTGap   string `json:"dst_gap"`
	Missed   string `json:"missed"`
	Anchor   string `json:"anchor"`
	Ordinal  int    `json:"ordinal,omitempty"`
}

// Rule is the recurrence of a task in a zone as pkg/recurrence computes with it.
func (r Recurrence) Rule(timezone string, allDay bool) recurrence.Rule {
	return recurrence.Rule{
		RRule: r.RRule, Anchor: r.Anchor, Timezone: timezone, AllDay: allDay,
		Basis: r.Basis, MonthEnd: r.MonthEnd, DSTGap: r.DSTGap, Missed: r.Missed, Ordinal: r.Ordinal,
	}
}

// What Metadata says of a task of a series, beside the change itself.
const (
	// MetaFollows is, when it is created, the wall time of the occurrence before it.
	MetaFollows = "follows"
	// MetaOccurrence is, when it is deleted and was open, what became of the
	// occurrence: Skipped, Ended or TakenBack.
	MetaOccurrence = "occurrence"

	// MetaSession is, of an account's event, the session that it is about.
	MetaSession = "session"
	// MetaToken is, of an account's event, the API token that it is about, MetaName how that
	// is called, and MetaScopes what it may do.
	MetaToken  = "token"
	MetaName   = "name"
	MetaScopes = "scopes"
	// MetaIssuer is, of an account's event, the OpenID provider by which it came about.
	MetaIssuer = "issuer"
	// MetaPasskey is, of an account's event, the passkey that it is about.
	MetaPasskey = "passkey"
	// MetaRecoveryCodesLeft is, of a sign-in by a recovery code, how many there are left.
	MetaRecoveryCodesLeft = "recovery_codes_left"
	// MetaErased is true, of a task or a list that is gone, where it went with the account
	// whose it was: nothing of it is to stay.
	MetaErased = "erased"
	// MetaTruncated names the texts of which the event has only the beginning.
	MetaTruncated = "truncated"
	// MetaBy is, where a password was changed without the one before, by what.
	MetaBy = "by"
	// MetaUndoes is the id of the request whose changes the event takes back.
	MetaUndoes = "undoes"

	Skipped   = "skipped"    // the series goes on without it
	Ended     = "ended"      // it was the open one: with it the series ends
	TakenBack = "taken_back" // the one before it was reopened; its date may come again
)

// ErasedTitle stands where the title of a task was that was erased, since it has one.
const ErasedTitle = "erased"

// TaskEvent is the data of an event on TopicTasks. TaskData is the task after
// the change; for TaskDeleted, as it last was.
type TaskEvent struct {
	Frame
	TaskData Task `json:"task_data"`
}

// ReminderEvent is the data of a ReminderDue event on TopicReminders. ExpectedAt is from when
// on the reminder could be delivered: RemindAt, or when it was set where that was
// later. What is delivered soon after it is not late. It is nil in events of before.
type ReminderEvent struct {
	Frame
	ReminderID uuid.UUID  `json:"reminder_id"`
	Title      string     `json:"title"`
	DueAt      *time.Time `json:"due_at"`
	AllDay     bool       `json:"all_day"` // DueAt is a date, in Timezone
	RemindAt   time.Time  `json:"remind_at"`
	ExpectedAt *time.Time `json:"expected_at"`
	Timezone   string     `json:"timezone"`
	Priority   string     `json:"priority"`
}

// CommentEvent is the data of a CommentAdded event on TopicReminders, one for each person
// who is to be told: the Frame's UserID. It is without the comment's text, which is for
// the members of the list to read.
type CommentEvent struct {
	Frame
	CommentID uuid.UUID `json:"comment_id"`
	Author    Author    `json:"author"`
	Title     string    `json:"title"`     // of the task
	Mentioned bool      `json:"mentioned"` // by the comment; else the task is theirs to do
}

// AccountMailEvent is the data of the events on TopicReminders that ask for a mail about
// an account or an invitation. It says no more than which: what the mail says, and to whom
// it goes, task-api tells when it is sent, so that no secret lies on a broker, in a log or
// in a backup. The Frame's UserID is the nil UUID where it is not known yet whose account
// it is, its TaskID always.
type AccountMailEvent struct {
	Frame
	MailID uuid.UUID `json:"mail_id"`
}

// AsksForMail says whether events of a type are AccountMailEvents.
func AsksForMail(kind string) bool {
	return kind == AccountVerify || kind == AccountReset || kind == AccountNotice || kind == ListInvited
}

// AccountEvent is the data of an AccountErased event on TopicTasks: the id of the user, the
// Frame's UserID, and nothing else of him. The audit trail is told by one of its own.
type AccountEvent struct {
	Frame
}

// Author is who wrote a comment.
type Author struct {
	UserID uuid.UUID `json:"user_id" format:"uuid" doc:"The user"`
	Name   string    `json:"name" doc:"How the user is called"`
}

// Actor is who made a change.
type Actor struct {
	UserID uuid.UUID `json:"user_id" format:"uuid" doc:"The user"`
	Email  string    `json:"email" doc:"The user's e-mail address at that time"`
}

// AuditEvent is the data of an event on TopicAudit as it is read.
type AuditEvent = AuditOf[json.RawMessage]

// AuditOf is the data of an event on TopicAudit. Before is null for what
// was created, After for what was deleted. For an account event TaskID is the
// nil UUID. Who writes one gives the states as values (AuditOf[any]), which are made
// into JSON with the whole.
type AuditOf[State any] struct {
	Frame
	Actor     Actor      `json:"actor"`
	Action    string     `json:"action"`
	Target    string     `json:"target"`
	ListID    *uuid.UUID `json:"list_id,omitempty"` // that it happened in; nil for an account's
	Before    State      `json:"before"`
	After     State      `json:"after"`
	Changed   []string   `json:"changed"`
	IP        string     `json:"ip"`
	UserAgent string     `json:"user_agent"`
	RequestID string     `json:"request_id"`
}

// occurrenceSpace is the UUID namespace of OccurrenceID (RFC 9562, section 6.5).
var occurrenceSpace = uuid.MustParse("6f1c7f3a-5d0e-4c57-9f0a-2f6d3a4b8c11")

// OccurrenceID is the id of the task that stands for one occurrence of a
// series. It depends on nothing else, so that an occurrence can exist only once.
func OccurrenceID(series uuid.UUID, occurrence string) uuid.UUID {
	return uuid.NewSHA1(occurrenceSpace, []byte(series.String()+"/"+occurrence))
}

// InboxID is the id of a user's inbox: a UUIDv5 (RFC 9562, section 5.5) in the user's namespace.
func InboxID(user uuid.UUID) uuid.UUID { return uuid.NewSHA1(user, []byte("inbox")) }
