package main

import (
	"context"
	"fmt"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
)

// due is a reminder at one of its times: what is delivered once.
type due struct {
	reminder uuid.UUID
	at       int64 // microseconds, as Postgres keeps it
}

// remindersAreDelivered: a reminder whose time has come is an event, and an
// event a delivery on each channel, unless its task no longer wants it; and
// what was delivered in the application is one notification.
func (t *truth) remindersAreDelivered(ctx context.Context) (*check, error) {
	c := t.check("due reminders = deliveries")
	type reminder struct {
		ID       uuid.UUID
		Task     uuid.UUID
		RemindAt *time.Time
		FiredFor *time.Time
		Passed   bool // over: it was past when it was set, beside a later one, or its task done
		Complete bool
		Past     bool
	}
	reminders, err := collect[reminder](ctx, t.db, `
		SELECT r.id, r.task_id AS task, r.remind_at, r.fired_for, coalesce(r.passed_for = r.remind_at, false) AS passed, t.is_complete AS complete, coalesce(r.remind_at < now() - interval '1 second', false) AS past
		FROM task.reminders r JOIN task.tasks t ON t.id = r.task_id`)
	if err != nil {
		return nil, fmt.Errorf("read the reminders: %w", err)
	}
	lastFired := map[uuid.UUID]time.Time{} // by task
	for _, r := range reminders {
		if r.FiredFor != nil && r.FiredFor.After(lastFired[r.Task]) {
			lastFired[r.Task] = *r.FiredFor
		}
	}
	stands := map[due]bool{}
	owner := map[uuid.UUID]uuid.UUID{}
	for _, r := range reminders {
		owner[r.ID] = r.Task
		if r.Complete || r.RemindAt == nil {
			continue
		}
		stands[due{r.ID, r.RemindAt.UnixMicro()}] = true
		switch {
		case !r.Past || r.FiredFor != nil && r.FiredFor.Equal(*r.RemindAt):
		case r.Passed && !lastFired[r.Task].Before(*r.RemindAt):
		case r.Passed && t.tasks[r.Task].reopenedAfter(*r.RemindAt):
		case r.Passed && t.tasks[r.Task].restoredAfter(*r.RemindAt): // it passed in the trash
		default:
			c.lose("reminder %s of task %s was due at %s, and has not fired", r.ID, r.Task, r.RemindAt)
		}
	}

	type fired struct {
		ID       uuid.UUID
		Reminder uuid.UUID
		RemindAt time.Time
	}
	events, err := collect[fired](ctx, t.db, `
		SELECT id, (data::jsonb->>'reminder_id')::uuid AS reminder, (data::jsonb->>'remind_at')::timestamptz AS remind_at
		FROM task.events WHERE topic = 'reminders' AND type = 'reminder.due'`)
	if err != nil {
		return nil, fmt.Errorf("read the events of reminders: %w", err)
	}
	type delivery struct {
		ID       uuid.UUID
		Reminder uuid.UUID
		RemindAt time.Time
		Channel  string
		State    string
		Reason   string
		Shown    int
	}
	rows, err := collect[delivery](ctx, t.db, `
		SELECT d.id, d.reminder_id AS reminder, d.remind_at, d.channel, d.state, d.reason || d.last_error AS reason,
			(SELECT count(*) FROM notification.notifications n WHERE n.reminder_id = d.reminder_id AND n.remind_at = d.remind_at) AS shown
		FROM notification.deliveries d WHERE channel <> 'account'`)
	if err != nil {
		return nil, fmt.Errorf("read the deliveries: %w", err)
	}
	deliveries := map[due]map[string]delivery{}
	for _, d := range rows {
		key := due{d.Reminder, d.RemindAt.UnixMicro()}
		if deliveries[key] == nil {
			deliveries[key] = map[string]delivery{}
		}
		deliveries[key][d.Channel] = d
	}
	told := map[due]bool{}
	for _, e := range events {
		key := due{e.Reminder, e.RemindAt.UnixMicro()}
		if told[key] {
			c.double("reminder %s fires again for %s (event %s)", e.Reminder, e.RemindAt, e.ID)
			continue
		}
		told[key] = true
		c.compared++
		for _, channel := range []string{"email", "in_app"} {
			d, ok := deliveries[key][channel]
			switch {
			case !ok:
				c.lose("event %s has no delivery by %s", e.ID, channel)
			case d.State == "sent":
			case d.State == "cancelled" && (!stands[key] || t.tasks[owner[e.Reminder]].reopened() || t.tasks[owner[e.Reminder]].restoredAfter(e.RemindAt)):
			default:
				c.lose("delivery %s by %s of event %s is %s: %s", d.ID, channel, e.ID, d.State, d.Reason)
			}
			if channel != "in_app" {
				continue
			}
			switch want := map[bool]int{true: 1}[d.State == "sent"]; {
			case d.Shown < want:
				c.lose("delivery %s is not shown", d.ID)
			case d.Shown > want:
				c.double("delivery %s (%s) is shown %d times", d.ID, d.State, d.Shown)
			}
		}
	}
	for key, d := range deliveries {
		if !told[key] {
			c.invent("reminder %s has %d deliveries and no event", key.reminder, len(d))
		}
	}
	return c, nil
}

// mailsAreSent: each delivery by mail is one mail. Where the server's answer
// was lost, it may be one more; these are counted apart.
func (t *truth) mailsAreSent(ctx context.Context) (*check, error) {
	c := t.check("deliveries by mail = mails")
	mails, err := readMails(t.suite.MailDir)
	if err != nil {
		return nil, err
	}
	type delivery struct {
		ID       uuid.UUID
		State    string
		Attempts int
	}
	rows, err := collect[delivery](ctx, t.db, `SELECT id, state, attempts FROM notification.deliveries WHERE channel <> 'in_app'`)
	if err != nil {
		return nil, fmt.Errorf("read the deliveries: %w", err)
	}
	for _, d := range rows {
		n := mails[d.ID.String()]
		delete(mails, d.ID.String())
		if d.State == "sent" {
			c.compared++
		}
		switch {
		case n == 0 && d.State == "sent":
			c.lose("delivery %s was sent, and there is no mail", d.ID)
		case n > max(d.Attempts, 1) || n > 2:
			c.double("delivery %s has come %d times, of %d attempts", d.ID, n, d.Attempts)
		case n == 2:
			t.mailsRepeated++
			t.log.note("delivery %s has come twice: the answer of the mail server was lost", d.ID)
		}
	}
	for id, n := range mails {
		c.invent("%d mails with the id %s", n, id)
	}
	return c, nil
}

// readMails counts the mails by the delivery that their Message-ID names.
func readMails(dir string) (map[string]int, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.eml"))
	if err != nil {
		return nil, fmt.Errorf("list the mails: %w", err)
	}
	found := map[string]int{}
	for _, path := range files {
		id, err := messageID(path)
		if err != nil {
			return nil, err
		}
		found[id]++
	}
	return found, nil
}

func messageID(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("open a mail: %w", err)
	}
	defer file.Close()
	m, err := mail.ReadMessage(file)
	if err != nil {
		return "", fmt.Errorf("read the mail %s: %w", path, err)
	}
	id, _, _ := strings.Cut(strings.TrimPrefix(m.Header.Get("Message-Id"), "<"), "@")
	return id, nil
}
