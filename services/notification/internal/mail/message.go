package mail

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
	gomail "github.com/wneessen/go-mail"
)

// Message is one mail to one recipient.
type Message struct {
	ID      uuid.UUID // of the delivery; decides the Message-ID
	To      string
	Date    time.Time
	Subject string
	Body    string
	// Unsubscribe is the address where these mails are stopped; "" for none.
	Unsubscribe string
	Why         string // it came
}

// Reminded is why the mail of a reminder came.
const Reminded = "An account of taskwire with your address has reminders by mail."

// Reminder is what a reminder mail is about.
type Reminder struct {
	Title string
	DueAt *time.Time
	Date  string // instead of a time, where the task is due on a day
	Late  time.Duration
	Zone  *time.Location // the user's
}

// lateEnough is the lateness from which the mail itself speaks of it.
const lateEnough = time.Minute

// Text returns the subject and the body of the mail for r.
func (r Reminder) Text() (subject, body string) {
	title := oneLine(r.Title)
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", title)
	switch {
	case r.Date != "":
		fmt.Fprintf(&b, "Due: %s\n", r.Date)
	case r.DueAt != nil:
		fmt.Fprintf(&b, "Due: %s\n", r.DueAt.In(r.Zone).Format("Monday, 2 January 2006, 15:04 MST")+" ("+r.Zone.String()+")")
	}
	if r.Late >= lateEnough {
		fmt.Fprintf(&b, "This reminder is late by %s; we are sorry.\n", r.Late.Truncate(time.Second))
	}
	return "Reminder: " + title, b.String()
}

// Pause is told of in the last mail of an hour, when there have been as many as
// there may be.
type Pause struct {
	Mails int
	Until time.Time
	Zone  *time.Location // the user's
}

// Text returns the subject and the body of the mail for p.
func (p Pause) Text() (subject, body string) {
	// To the next whole minute: mails come again by then.
	until := p.Until.Add(time.Minute - 1).Truncate(time.Minute).In(p.Zone)
	subject = "Further reminders are in the application until " + until.Format("15:04")
	return subject, fmt.Sprintf("You had %d reminders by mail within an hour. Further reminders are in the\napplication until %s (%s); then mails come again.\n",
		p.Mails, until.Format("15:04 MST"), p.Zone)
}

// footer says why the mail came, and how there are no more.
func (m Message) footer() string {
	text := "\n-- \n" + m.Why + "\n"
	switch {
	case m.Unsubscribe != "":
	case m.Why == Reminded:
		return text + "To stop them, take the reminders off the tasks.\n"
	default:
		return text
	}
	return text + "To stop all mails to this address:\n" + m.Unsubscribe + "\n"
}

// oneLine removes what could end a header line or move a reader's cursor.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	if s = strings.Join(strings.Fields(s), " "); s == "" {
		return "(no title)"
	}
	return s
}

func (s *Sender) compose(m Message) (*gomail.Msg, error) {
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	msg.FromMailAddress(s.from)
	if err := msg.To(m.To); err != nil {
		return nil, &Error{Permanent: true, Reason: "the recipient's address is not valid"}
	}
	// The same for every attempt, so that a mail whose answer was lost can be
	// recognised when it comes again.
	_, domain, _ := strings.Cut(s.from.Address, "@")
	msg.SetMessageIDWithValue(m.ID.String() + "@" + domain)
	msg.SetDateWithValue(m.Date)
	msg.Subject(oneLine(m.Subject))
	// RFC 3834: no vacation note shall answer us.
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	if m.Unsubscribe != "" {
		msg.SetGenHeader(gomail.HeaderListUnsubscribe, "<"+m.Unsubscribe+">")
		// RFC 8058: a mail client may do it with one click, over https alone.
		if strings.HasPrefix(m.Unsubscribe, "https:") {
			msg.SetGenHeader(gomail.HeaderListUnsubscribePost, "List-Unsubscribe=One-Click")
		}
	}
	msg.SetBodyString(gomail.TypeTextPlain, m.Body+m.footer())
	return msg, nil
}
