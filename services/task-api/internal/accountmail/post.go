// Package accountmail has mails sent that are about an account or an invitation: that an
// address be verified, a password be set anew, or somebody know what happened.
//
// A change posts a mail: a row, and an event that names it and no more. The service that
// sends mails asks what it says just before it goes out (Store.Write), and only then there
// is a secret, of which a hash is kept. So no secret lies on the broker, in the event log or
// in a backup, and a mail whose reason is gone is not sent.
package accountmail

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/eventlog"
	"github.com/taskwire/taskwire/pkg/taskapi"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
)

// Mail is one that is to be sent.
type Mail struct {
	Kind    string    // of taskapi's
	User    uuid.UUID // the nil UUID where nobody has looked yet whose the address is
	Address string
	About   About
}

// About is what a mail is about.
type About struct {
	Notice     string    `json:"notice,omitempty"`
	IP         string    `json:"ip,omitempty"`
	Device     string    `json:"device,omitempty"`
	Invitation uuid.UUID `json:"invitation,omitzero"`
}

// rule is how the mails of a kind are sent.
type rule struct {
	event string
	// late is how long after it was posted a mail is not worth sending any more.
	late time.Duration
	// life is how long its secret is good, from when the mail was sent; 0: it has none.
	life time.Duration
}

var rules = map[string]rule{
	taskapi.MailVerify:     {event.AccountVerify, 72 * time.Hour, 24 * time.Hour},
	taskapi.MailWelcome:    {event.AccountVerify, 72 * time.Hour, 7 * 24 * time.Hour},
	taskapi.MailReset:      {event.AccountReset, time.Hour, 30 * time.Minute},
	taskapi.MailNotice:     {event.AccountNotice, 72 * time.Hour, 0},
	taskapi.MailInvitation: {event.ListInvited, 72 * time.Hour, 0},
}

// kept is how long a mail is known: as long as a secret of it may be good.
const kept = 10*24*time.Hour + time.Hour

// Post has a mail sent once a change is made. A user wants one address at a time: of the
// mails that ask whether one is his, the last one counts.
func Post(tx *change.Tx, m Mail) error {
	about, err := json.Marshal(m.About)
	if err != nil {
		return fmt.Errorf("write what a mail is about: %w", err)
	}
	var user *uuid.UUID
	if m.User != uuid.Nil {
		user = &m.User
	}
	id := uuid.Must(uuid.NewV7())
	if m.Kind == taskapi.MailVerify {
		tx.Queue("DELETE FROM task.account_mails WHERE user_id = ? AND kind = ?", m.User, m.Kind)
	}
	tx.Queue("INSERT INTO task.account_mails (id, kind, user_id, address, about, created_at) VALUES (?, ?, ?, ?, ?, ?)",
		id, m.Kind, user, m.Address, json.RawMessage(about), tx.Now)
	kind := rules[m.Kind].event
	data, err := json.Marshal(event.AccountMailEvent{
		Frame:  event.Frame{EventType: kind, UserID: m.User, Timestamp: tx.Now, Metadata: map[string]any{}},
		MailID: id,
	})
	if err != nil {
		return fmt.Errorf("write the event of a mail: %w", err)
	}
	tx.Append(eventlog.Entry{Topic: event.TopicReminders, Type: kind, Key: id.String(), Time: tx.Now, Data: data})
	return nil
}

// PostNotice tells who has an account what the actor did with it, by mail. It is for an
// address that was verified alone.
func PostNotice(tx *change.Tx, user uuid.UUID, address, notice string) error {
	return Post(tx, Mail{Kind: taskapi.MailNotice, User: user, Address: address, About: About{Notice: notice, IP: tx.Actor.IP, Device: tx.Actor.UserAgent}})
}

// Withdraw has the mails to a user of no use any more that were sent before, or are on their
// way: those by whose links he would get into his account, or give it another address.
func Withdraw(tx *change.Tx, user uuid.UUID) {
	tx.Queue("DELETE FROM task.account_mails WHERE user_id = ? AND kind IN (?, ?, ?)", user, taskapi.MailReset, taskapi.MailWelcome, taskapi.MailVerify)
}
