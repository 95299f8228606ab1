package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/outage"
	"github.com/taskwire/taskwire/pkg/taskapi"
	"github.com/taskwire/taskwire/pkg/telemetry"
	"github.com/taskwire/taskwire/services/notification/internal/mail"
	"github.com/taskwire/taskwire/services/notification/internal/recipient"
)

const (
	// A refusal that may pass (4xx) is tried again after 5 s, 10 s, 20 s … 5 min.
	mailBackoff, mailBackoffLimit = 5 * time.Second, 5 * time.Minute
	// A server that cannot be reached is the same for all: asking it is cheap,
	// and a reminder shall not wait minutes after it has come back.
	serverBackoffLimit = 30 * time.Second
)

// mailJob is a claimed delivery that stands, to whom it goes, and who sends it.
type mailJob struct {
	by  *emailer
	row Row
	standing
}

// emailer sends the mails of a worker over a bounded number of connections, so
// that a recipient whose server hangs holds up one of them and not the rest.
type emailer struct {
	*worker
	sender   *mail.Sender
	sendTime time.Duration
	retryFor time.Duration
	budget   int
	public   *url.URL
	jobs     chan<- mailJob

	recording *outage.Outage // what became of mails
}

// enqueue passes the rows to the senders, and waits only while all are busy.
func (m *emailer) enqueue(ctx, work context.Context, rows []Row, how []standing) error {
	for i := range rows {
		select {
		case m.jobs <- mailJob{m, rows[i], how[i]}:
		case <-ctx.Done():
			now := m.clock()
			return m.store.release(work, rows[i:], now, now, "")
		}
	}
	return nil
}

// send sends mails until jobs is closed.
func send(work context.Context, jobs <-chan mailJob) {
	for job := range jobs {
		if err := job.by.deliver(work, &job.row, job.standing); err != nil {
			// The row falls due again when its lease ends.
			job.by.unrecorded(work, &job.row, err)
		}
	}
}

// unrecorded logs that it could not be written down what became of a mail.
func (m *emailer) unrecorded(ctx context.Context, r *Row, err error) {
	if !database.IsOutage(err) {
		m.recording.Failed(ctx, err, "delivery_id", r.ID)
	}
}

func (m *emailer) deliver(work context.Context, r *Row, to standing) error {
	work, span := telemetry.Delivering(work, m.channel, traced([]Row{*r}))
	var failure error
	defer func() { span.End(failure) }()
	now := m.clock()
	lease := m.sendTime + leaseMargin
	if to.user.Email == "" {
		// Of an outside issuer that names no address, or not verified.
		ok, err := m.store.failed(work, r, now, "the user has no email address, or has not verified it")
		if ok {
			m.outcome(work, r, Failed)
		}
		return err
	}
	begun, err := m.store.begin(work, r, to.user.Email, m.budget, to.free(), now, lease)
	if err != nil || begun == nil {
		return err
	}
	if begun.verdict == recipient.OverBudget || begun.verdict == recipient.Unsubscribed {
		m.withheld(work, r, begun.verdict)
		return nil
	}
	until := now.Add(lease)
	r.Attempts++
	if r.FirstAttemptAt == nil {
		r.FirstAttemptAt = &now
	}
	failure = m.sender.Send(work, m.message(r, to, begun, now))
	now = m.clock()
	// What happened is recorded even when the service is stopping. While the
	// lease lasts it is tried again: a mail that nobody knows was sent is sent
	// once more.
	for failures := 1; ; failures++ {
		record, cancel := context.WithTimeout(context.WithoutCancel(work), 2*time.Second)
		err := m.record(record, r, begun.verdict, failure, now)
		cancel()
		if err == nil {
			m.recording.Worked()
			return nil
		}
		if work.Err() != nil || m.clock().After(until) {
			return err
		}
		m.unrecorded(work, r, err)
		select {
		case <-work.Done():
		case <-time.After(database.Backoff(failures)):
		}
	}
}

// free says whether a mail is sent whatever its recipient has had, and though he wants no
// reminders: one without which he could not get into his account, or would not know what
// happened to it. task-api bounds how many there are.
func (s standing) free() bool { return s.mail != nil && s.mail.Kind != taskapi.MailInvitation }

// message is the mail of a reminder or about an account, or the one that stands for all
// beyond the budget.
func (m *emailer) message(r *Row, to standing, begun *attempt, now time.Time) mail.Message {
	message := mail.Message{ID: r.ID, To: to.user.Email, Date: now, Why: mail.Reminded}
	if m.public != nil && begun.to != nil {
		message.Unsubscribe = begun.to.Link(m.public)
	}
	where := zone(to.user.Timezone, r.Timezone)
	switch {
	case begun.verdict == recipient.Notice:
		message.Subject, message.Body = mail.Pause{Mails: m.budget, Until: begun.to.HourStart.Add(recipient.Hour), Zone: where}.Text()
	case to.mail != nil:
		about := mail.Account{AccountMail: *to.mail, Public: m.public, Zone: where}
		message.Subject, message.Body = about.Text()
		message.Why = about.Why()
	default:
		message.Subject, message.Body = mail.Reminder{Title: r.Title, DueAt: r.DueAt, Late: r.lateAt(now), Zone: where, Date: r.date()}.Text()
	}
	return message
}

// record writes what became of an attempt that ended at now.
func (m *emailer) record(ctx context.Context, r *Row, verdict recipient.Verdict, failure error, now time.Time) error {
	if failure == nil && verdict == recipient.Notice {
		// The notice was sent, and the reminder was not.
		if err := m.store.cancel(ctx, r, now, string(recipient.OverBudget)); err != nil {
			return err
		}
		m.withheld(ctx, r, recipient.OverBudget)
		return nil
	}
	if failure == nil {
		if ok, err := m.store.sent(ctx, r, now); err != nil || !ok {
			return err
		}
		observeLateness(r, now)
		m.outcome(ctx, r, Sent, slog.Int("attempts", r.Attempts), slog.Int64("late_ms", r.lateAt(now).Milliseconds()))
		return nil
	}
	var refusal *mail.Error
	if !errors.As(failure, &refusal) {
		refusal = &mail.Error{Reason: failure.Error()}
	}
	if m.channel == Account {
		// Servers repeat the address, and these rows may be nobody's that is known here.
		refusal.Reason = fmt.Sprintf("the mail was not taken (SMTP code %d; 0: no answer)", refusal.Code)
	}
	if refusal.Permanent || now.Sub(*r.FirstAttemptAt) >= m.retryFor {
		if ok, err := m.store.failed(ctx, r, now, refusal.Reason); err != nil || !ok {
			return err
		}
		m.outcome(ctx, r, Failed, slog.Int("attempts", r.Attempts), slog.Int("smtp_code", refusal.Code))
		return nil
	}
	limit := mailBackoffLimit
	if refusal.Code == 0 {
		limit = serverBackoffLimit
	}
	at := now.Add(outage.Backoff(r.Attempts, mailBackoff, limit))
	if ok, err := m.store.retry(ctx, r, now, at, refusal.Reason); err != nil || !ok {
		return err
	}
	m.outcome(ctx, r, retried, slog.Int("attempts", r.Attempts), slog.Int("smtp_code", refusal.Code), slog.Time("next", at))
	return nil
}

// withheld logs and counts a mail that is not sent though its reminder stands.
func (m *emailer) withheld(ctx context.Context, r *Row, reason recipient.Verdict) {
	mailsWithheld.WithLabelValues(string(reason)).Inc()
	m.outcome(ctx, r, Cancelled, slog.String("reason", string(reason)))
}

// zone is the first of the names that is a time zone; UTC when none is.
func zone(names ...string) *time.Location {
	for _, name := range names {
		// "Local" would be the server's zone, which is nobody's.
		if name == "" || name == "Local" {
			continue
		}
		if z, err := time.LoadLocation(name); err == nil {
			return z
		}
	}
	return time.UTC
}
