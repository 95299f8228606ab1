package account

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/taskapi"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/accountmail"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

// SetOperator makes the user whose address or id is named an operator, or takes that from
// him, and tells him by mail. Doing so again changes nothing. An address that was not
// verified may be anybody's: such an account has to be named by its id.
func (s *Store) SetOperator(ctx context.Context, named string, to bool) (u *User, err error) {
	action, notice := event.UserOperatorGranted, taskapi.NoticeOperatorGranted
	if !to {
		action, notice = event.UserOperatorRevoked, taskapi.NoticeOperatorRevoked
	}
	err = s.Changes.Do(ctx, operator, func(ctx context.Context, tx *change.Tx) error {
		if u, err = lockNamed(ctx, tx, named); err != nil {
			return err
		}
		if u.Operator == to {
			return nil
		}
		if _, err := uuid.Parse(named); err != nil && to && !u.Verified {
			return refuse.Part("email", "was not verified, so that the account may be anybody's: name its id instead, if it is the right one")
		}
		if to && u.PasswordHash == nil {
			return refuse.Part("email", "is that of a user of an outside issuer: operators sign in here")
		}
		u.Operator = to
		tx.Queue("UPDATE task.users SET operator = ?, updated_at = ? WHERE id = ?", to, tx.Now, u.ID)
		if u.Verified {
			if err := accountmail.PostNotice(tx, u.ID, u.Email, notice); err != nil {
				return err
			}
		}
		return appendAudit(tx, action, u, nil, nil, nil)
	})
	return u, err
}

// IsOperator says whether a user is an operator now, and not blocked.
func (s *Store) IsOperator(ctx context.Context, user uuid.UUID) (bool, error) {
	var is bool
	if err := s.DB.NewRaw("SELECT EXISTS (SELECT FROM task.users WHERE id = ? AND operator AND blocked_at IS NULL)", user).Scan(ctx, &is); err != nil {
		return false, fmt.Errorf("look whether a user is an operator: %w", err)
	}
	return is, nil
}

// NoteOperator writes into the audit trail what an operator asks a service to do with a
// dead letter of its. It is written first: what became of it, the letter's own history
// says, and nothing that an operator has done is missing here.
func (s *Store) NoteOperator(ctx context.Context, actor access.Actor, action, service string, letter int64) error {
	return s.Changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) error {
		return tx.AppendAudit(actor.UserID, event.AuditOf[any]{
			Frame: event.Frame{UserID: actor.UserID}, Actor: event.Actor{UserID: actor.UserID, Email: actor.Email}, Action: action,
			Target: fmt.Sprintf("dead_letter/%s/%d", service, letter),
		})
	})
}
