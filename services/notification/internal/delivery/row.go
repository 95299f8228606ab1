package delivery

import (
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/taskapi"
)

// The channels of a reminder, and that of mails about accounts, which are no reminders: of
// those ReminderID is the mail's id, and RemindAt when it was asked for.
const (
	Email   = "email"
	InApp   = "in_app"
	Account = "account"
)

// channels are those that every reminder goes through.
var channels = []string{InApp, Email}

// The states of a delivery.
const (
	Pending   = "pending"
	Sent      = "sent"
	Failed    = "failed"
	Cancelled = "cancelled"
)

// Why a delivery was cancelled, as task-api says it too. One that is not made
// though its reminder stands has a recipient.Verdict as its reason.
const (
	Completed = taskapi.Completed
	Deleted   = taskapi.Deleted
	Moved     = taskapi.Moved
)

// Row is a delivery as it is stored; the columns are explained in the migration.
type Row struct {
	bun.BaseModel `bun:"table:notification.deliveries,alias:d"`

	ID             uuid.UUID `bun:",pk"`
	ReminderID     uuid.UUID
	RemindAt       time.Time
	Channel        string
	UserID         uuid.UUID
	TaskID         uuid.UUID
	Title          string
	DueAt          *time.Time
	AllDay         bool       // DueAt is a date, in Timezone
	ExpectedAt     *time.Time // from when on it can be delivered; nil: RemindAt
	Timezone       string
	EventAt        time.Time
	TraceID        string // of TraceParent, for people
	TraceParent    string // W3C, of the request that caused the reminder
	State          string
	Reason         string
	Attempts       int
	Claim          *uuid.UUID
	NextAttemptAt  time.Time
	FirstAttemptAt *time.Time
	CountedIn      *time.Time // the hour of the recipient's budget
	LastError      string
	SentAt         *time.Time
	LatenessMS     *int64 `bun:"lateness_ms"`
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// lateAt is how late a delivery is at a moment. A reminder that was set for the past
// is not: it could be delivered from then on.
func (r *Row) lateAt(at time.Time) time.Duration {
	if r.ExpectedAt != nil && r.ExpectedAt.After(r.RemindAt) {
		return at.Sub(*r.ExpectedAt)
	}
	return at.Sub(r.RemindAt)
}

// date is the day that an all-day task is due on; "" for one with a time. It is the
// same for every reader: in another zone it would be the day before or after.
func (r *Row) date() string {
	if !r.AllDay || r.DueAt == nil {
		return ""
	}
	return r.DueAt.In(zone(r.Timezone)).Format("Monday, 2 January 2006")
}
