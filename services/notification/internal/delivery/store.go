package delivery

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/services/notification/internal/recipient"
)

// store is the table of deliveries. Each step of a delivery's life is one
// statement, or one transaction, and names the claim under which it writes.
type store struct{ db bun.IDB }

// claim takes up to limit due deliveries of a channel until lease has passed.
func (s store) claim(ctx context.Context, channel string, limit int, now time.Time, lease time.Duration) ([]Row, error) {
	var rows []Row
	// Materialized: a join may run a plain subquery more than once, and each run
	// would lock another batch.
	err := s.db.NewRaw(`
		WITH due AS MATERIALIZED (
			SELECT id FROM notification.deliveries
			WHERE state = 'pending' AND channel = ? AND next_attempt_at <= ?
			ORDER BY next_attempt_at
			LIMIT ?
			FOR UPDATE SKIP LOCKED
		)
		UPDATE notification.deliveries d
		SET claim = ?, next_attempt_at = ?, updated_at = ?
		FROM due WHERE d.id = due.id
		RETURNING d.*`,
		channel, now, limit, uuid.New(), now.Add(lease), now).Scan(ctx, &rows)
	if err != nil {
		return nil, fmt.Errorf("claim %s deliveries: %w", channel, err)
	}
	return rows, nil
}

// next is when the earliest pending delivery of a channel wants attention; the
// zero time when there is none.
func (s store) next(ctx context.Context, channel string) (time.Time, error) {
	var at bun.NullTime
	err := s.db.NewRaw(`SELECT min(next_attempt_at) FROM notification.deliveries WHERE state = 'pending' AND channel = ?`, channel).Scan(ctx, &at)
	if err != nil {
		return time.Time{}, fmt.Errorf("find the next %s delivery: %w", channel, err)
	}
	return at.Time, nil
}

// attempt is what was decided about a mail, and to whom it goes; nil where it is free.
type attempt struct {
	to      *recipient.Recipient
	verdict recipient.Verdict
}

// begin decides about the mail of a delivery and counts it in its recipient's
// budget, in one transaction with the attempt: whatever dies afterwards, the mail
// is counted once in an hour. It renews the lease, or cancels the delivery where
// there is to be no mail. One that is free is not counted, and always sent. Nil: the delivery has been cancelled before, or is
// another worker's by now.
//
// Locks are taken in this order: the delivery, its recipient.
func (s store) begin(ctx context.Context, r *Row, address string, budget int, free bool, now time.Time, lease time.Duration) (*attempt, error) {
	var begun *attempt
	err := s.db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		var countedIn bun.NullTime
		err := tx.NewRaw(`SELECT counted_in FROM notification.deliveries WHERE id = ? AND claim = ? AND state = 'pending' FOR UPDATE`,
			r.ID, r.Claim).Scan(ctx, &countedIn)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		begun = &attempt{verdict: recipient.Send}
		if !free {
			if begun.to, err = recipient.Lock(ctx, tx, address, now); err != nil {
				return err
			}
			begun.verdict = begun.to.Count(r.ID, countedIn.Time, budget, now)
			if err := begun.to.Save(ctx, tx); err != nil {
				return err
			}
		}
		switch begun.verdict {
		case recipient.OverBudget, recipient.Unsubscribed:
			return store{tx}.cancel(ctx, r, now, string(begun.verdict))
		case recipient.Send:
			if !free {
				countedIn.Time = begun.to.HourStart
			}
		case recipient.Notice:
		}
		_, err = tx.ExecContext(ctx, `
			UPDATE notification.deliveries
			SET attempts = attempts + 1, first_attempt_at = coalesce(first_attempt_at, ?0), next_attempt_at = ?1, updated_at = ?0, counted_in = ?2
			WHERE id = ?3`, now, now.Add(lease), countedIn, r.ID)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("begin delivery %s: %w", r.ID, err)
	}
	return begun, nil
}

// sent also overrides a cancellation that came while the mail was on its way:
// the record says what happened.
func (s store) sent(ctx context.Context, r *Row, at time.Time) (bool, error) {
	return s.one(ctx, "mark as sent", r, `
		UPDATE notification.deliveries
		SET state = 'sent', reason = '', last_error = '', sent_at = ?0, lateness_ms = ?1, updated_at = ?0
		WHERE id = ?2 AND claim = ?3 AND state IN ('pending', 'cancelled')`,
		at, r.lateAt(at).Milliseconds(), r.ID, r.Claim)
}

func (s store) failed(ctx context.Context, r *Row, now time.Time, reason string) (bool, error) {
	return s.one(ctx, "mark as failed", r, `
		UPDATE notification.deliveries SET state = 'failed', last_error = ?0, updated_at = ?1
		WHERE id = ?2 AND claim = ?3 AND state = 'pending'`, reason, now, r.ID, r.Claim)
}

func (s store) retry(ctx context.Context, r *Row, now, at time.Time, reason string) (bool, error) {
	return s.one(ctx, "put back", r, `
		UPDATE notification.deliveries SET next_attempt_at = ?0, last_error = ?1, updated_at = ?2
		WHERE id = ?3 AND claim = ?4 AND state = 'pending'`, at, reason, now, r.ID, r.Claim)
}

func (s store) one(ctx context.Context, doing string, r *Row, query string, args ...any) (bool, error) {
	res, err := s.db.ExecContext(ctx, query, args...)
	if err != nil {
		return false, fmt.Errorf("%s delivery %s: %w", doing, r.ID, err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return false, fmt.Errorf("%s delivery %s: %w", doing, r.ID, err)
	}
	return n == 1, nil
}

// release gives up the claim on rows that were not tried, to be looked at again at at.
func (s store) release(ctx context.Context, rows []Row, now, at time.Time, reason string) error {
	if len(rows) == 0 {
		return nil
	}
	_, err := s.db.ExecContext(ctx, `
		UPDATE notification.deliveries SET next_attempt_at = ?, last_error = CASE WHEN ? = '' THEN last_error ELSE ? END, updated_at = ?
		WHERE id IN (?) AND claim = ? AND state = 'pending'`,
		at, reason, reason, now, bun.List(ids(rows)), rows[0].Claim)
	if err != nil {
		return fmt.Errorf("release %d deliveries: %w", len(rows), err)
	}
	return nil
}

func (s store) cancel(ctx context.Context, r *Row, now time.Time, reason string) error {
	_, err := s.db.ExecContext(ctx, `
		UPDATE notification.deliveries SET state = 'cancelled', reason = ?, updated_at = ?
		WHERE id = ? AND claim = ? AND state = 'pending'`, reason, now, r.ID, r.Claim)
	if err != nil {
		return fmt.Errorf("cancel delivery %s: %w", r.ID, err)
	}
	return nil
}

// show delivers in the application: the notifications appear and the
// deliveries are sent, in one statement. It returns the ids of those done.
func (s store) show(ctx context.Context, rows []Row, at time.Time) (map[uuid.UUID]bool, error) {
	var done []uuid.UUID
	err := s.db.NewRaw(`
		WITH mine AS (
			SELECT * FROM notification.deliveries
			WHERE id IN (?0) AND claim = ?1 AND state = 'pending'
			ORDER BY id FOR UPDATE
		), shown AS (
			INSERT INTO notification.notifications (id, user_id, task_id, reminder_id, title, due_at, remind_at, delivered_at, late_ms, created_at)
			SELECT id, user_id, task_id, reminder_id, title, due_at, remind_at, ?2,
				floor(extract(epoch FROM ?2::timestamptz - greatest(remind_at, expected_at)) * 1000), ?2
			FROM mine
			ON CONFLICT (id) DO NOTHING
		)
		UPDATE notification.deliveries d
		SET state = 'sent', attempts = d.attempts + 1, last_error = '', first_attempt_at = coalesce(d.first_attempt_at, ?2), sent_at = ?2,
			lateness_ms = floor(extract(epoch FROM ?2::timestamptz - greatest(d.remind_at, d.expected_at)) * 1000), updated_at = ?2
		FROM mine WHERE d.id = mine.id
		RETURNING d.id`,
		bun.List(ids(rows)), rows[0].Claim, at).Scan(ctx, &done)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("show %d notifications: %w", len(rows), err)
	}
	set := make(map[uuid.UUID]bool, len(done))
	for _, id := range done {
		set[id] = true
	}
	return set, nil
}

func ids(rows []Row) []uuid.UUID {
	out := make([]uuid.UUID, len(rows))
	for i, r := range rows {
		out[i] = r.ID
	}
	return out
}
