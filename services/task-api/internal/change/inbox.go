package change

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/services/task-api/internal/access"
)

// EnsureInbox is the actor's own list, which is made with what is written so far where it is
// not there yet: it is with his account, unless that is of before there were lists.
func (tx *Tx) EnsureInbox() uuid.UUID {
	user := tx.Actor.UserID
	inbox := access.Inbox(user)
	if known, ok := tx.creators.Get(inbox); ok && known == user {
		return inbox
	}
	tx.Queue(`INSERT INTO task.lists (id, created_by, name, is_inbox, version, created_at, updated_at) VALUES (?, ?, ?, true, 1, ?, ?) ON CONFLICT DO NOTHING`,
		inbox, user, inboxName, tx.Now, tx.Now)
	tx.Queue(`INSERT INTO task.members (user_id, list_id, role, position, since) VALUES (?, ?, ?, 0, ?) ON CONFLICT DO NOTHING`,
		user, inbox, string(access.Owner), tx.Now)
	tx.madeInbox = true
	return inbox
}

// inboxName is how an inbox is called until its user calls it something else.
const inboxName = "Inbox"

// KnowsInbox says whether the inbox of a user is known to be there.
func (w *Writer) KnowsInbox(user uuid.UUID) bool {
	_, ok := w.creators.Get(access.Inbox(user))
	return ok
}

// CreatorOf is who made a list: the search keys of its tasks are his.
func (tx *Tx) CreatorOf(ctx context.Context, list uuid.UUID) (uuid.UUID, error) {
	if list == access.Inbox(tx.Actor.UserID) {
		return tx.Actor.UserID, nil
	}
	if creator, ok := tx.creators.Get(list); ok {
		return creator, nil
	}
	found, err := Read[struct{ CreatedBy uuid.UUID }](ctx, tx, "SELECT created_by FROM task.lists WHERE id = ?", list)
	if err != nil {
		return uuid.Nil, fmt.Errorf("read who made the list: %w", err)
	}
	if len(found) == 0 {
		return uuid.Nil, fmt.Errorf("there is no list %s", list)
	}
	tx.creators.Put(list, found[0].CreatedBy, mostCreators)
	return found[0].CreatedBy, nil
}

// mostCreators is of how many lists it is remembered who made them, of some 100 bytes each.
const mostCreators = 20_000
