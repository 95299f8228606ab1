package reconcile

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/taskwire/taskwire/pkg/erasure"
	"github.com/taskwire/taskwire/pkg/event"
)

// erasures are the services that learn of an erased account, and by which event.
var erasures = []struct {
	subscription
	kind string
}{
	{auditLog, event.AuditPrefix + event.UserErased},
	{recurringTask, event.AccountErased},
	{subscription{"notification", "notification", event.TopicTasks}, event.AccountErased},
}

// What an operator does about an account of which a service still has something.
const unerased = "the service erases by itself, and says in its log what keeps it from that. Where it has never heard of it (an old version, say), task-api reconcile --replay tells it again"

// erased checks that a service has nothing more of each account that was erased.
func (c *comparison) erased(ctx context.Context, s subscription, kind string, result *Result) error {
	var told []loggedEvent
	err := c.readAll(ctx, result, s.topic, nothing, func(e loggedEvent) {
		if e.Type != kind {
			return
		}
		result.Looked++
		if !e.Published {
			result.InFlight++
			return
		}
		told = append(told, e)
	})
	if err != nil {
		return err
	}
	for events := range slices.Chunk(told, batchRows) {
		if err := c.acknowledged(ctx, s, events, result); err != nil {
			return err
		}
	}
	return nil
}

func (c *comparison) acknowledged(ctx context.Context, s subscription, events []loggedEvent, result *Result) error {
	type row struct {
		ID   []byte `bun:"id"`
		Done bool   `bun:"done"`
	}
	hashes := make([][]byte, len(events))
	for i, e := range events {
		user, err := uuid.Parse(e.Key)
		if err != nil {
			return fmt.Errorf("the key of event %s: %w", e.ID, err)
		}
		hashes[i] = erasure.Hash(user)
	}
	rows, err := query[row](ctx, c.Reconciler, "SELECT id, done_at IS NOT NULL AS done FROM ?.erased WHERE id = ANY (?)", bun.Ident(s.schema), pgdialect.Array(hashes))
	if err != nil {
		return fmt.Errorf("look who was erased: %w", err)
	}
	done := map[string]bool{}
	for _, r := range rows {
		done[string(r.ID)] = r.Done
	}
	var lost []loggedEvent
	for i, e := range events {
		erased, known := done[string(hashes[i])]
		switch {
		case erased:
		case !known:
			lost = append(lost, e)
		case e.OccurredAt.After(c.recentFrom):
			result.InFlight++
		default:
			result.missing("%s has not erased an account yet (event %s)", s.service, e.ID)
		}
	}
	if lost, err = c.account(ctx, s, lost, result); err != nil {
		return err
	}
	inbox := func(ctx context.Context, ids []uuid.UUID) ([]string, error) { return c.handled(ctx, s.schema, ids) }
	return result.lack(ctx, s, lost, inbox, func(e loggedEvent) string {
		return fmt.Sprintf("%s knows of no erased account (event %s)", s.service, e.ID)
	})
}
