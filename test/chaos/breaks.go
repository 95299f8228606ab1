package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/test/suite"
)

// A breakage breaks what the suite promises, from outside: a comparison that
// does not notice it proves nothing.
const (
	loseEvent           = "lose-event"            // one of 49 rows of the event log is never written
	doubleAudit         = "double-audit"          // one of 49 audit entries is written twice
	publishBeforeCommit = "publish-before-commit" // a change is published, and then not committed
	loseChange          = "lose-change"           // one of 7 changes of tasks keeps its place in the feed, or comes in long ago
	showLists           = "show-lists"            // everybody is let into everybody's inbox
)

// breakageSQL are the triggers that break, as the owner of the database. They
// count instead of throwing dice: a short run that was never broken proves
// nothing either. The number is odd, so that it falls on both of the events
// that a change writes.
var breakageSQL = map[string]string{
	loseEvent: `
		CREATE SEQUENCE public.chaos_rows;
		CREATE FUNCTION public.chaos() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
		BEGIN
			IF nextval('public.chaos_rows') % 49 = 0 THEN
				RETURN NULL;
			END IF;
			RETURN NEW;
		END $$;
		CREATE TRIGGER chaos BEFORE INSERT ON task.events FOR EACH ROW EXECUTE FUNCTION public.chaos()`,
	doubleAudit: `
		CREATE SEQUENCE public.chaos_rows;
		CREATE FUNCTION public.chaos() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
		DECLARE again audit.entries := NEW;
		BEGIN
			IF pg_trigger_depth() = 1 AND nextval('public.chaos_rows') % 49 = 0 THEN
				again.id := gen_random_uuid();
				INSERT INTO audit.entries SELECT again.*;
			END IF;
			RETURN NULL;
		END $$;
		CREATE TRIGGER chaos AFTER INSERT ON audit.entries FOR EACH ROW EXECUTE FUNCTION public.chaos()`,
	publishBeforeCommit: "",
	loseChange: `
		CREATE SEQUENCE public.chaos_rows;
		CREATE FUNCTION public.chaos() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
		BEGIN
			IF NEW.kind = 'task' AND nextval('public.chaos_rows') % 7 = 0 THEN
				-- Not below where it was: the feed would seem to end earlier than clients have seen it.
				NEW.changed := CASE TG_OP WHEN 'UPDATE' THEN OLD.changed ELSE '3' END;
			END IF;
			RETURN NEW;
		END $$;
		CREATE TRIGGER chaos BEFORE INSERT OR UPDATE ON task.feed FOR EACH ROW EXECUTE FUNCTION public.chaos()`,
	showLists: `
		INSERT INTO task.members (user_id, list_id, role, position, since)
		SELECT u.id, l.id, 'viewer', 0, now() FROM task.users u JOIN task.lists l ON l.is_inbox AND l.created_by <> u.id`,
}

func breakages() []string { return slices.Sorted(maps.Keys(breakageSQL)) }

func knownBreakage(name string) error {
	if _, ok := breakageSQL[name]; !ok && name != "" {
		return fmt.Errorf("there is no breakage %q; there are: %s", name, strings.Join(breakages(), ", "))
	}
	return nil
}

// install prepares a breakage.
func install(ctx context.Context, db *pgxpool.Pool, name string) error {
	if sql := breakageSQL[name]; sql != "" {
		if _, err := db.Exec(ctx, sql); err != nil {
			return fmt.Errorf("break by %s: %w", name, err)
		}
	}
	return nil
}

// keepBreaking does what a breakage needs done again and again, until ctx ends.
func keepBreaking(ctx context.Context, s *suite.Suite, name string, log *journal) {
	if name != publishBeforeCommit {
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(500 * time.Millisecond):
		}
		if err := publishUncommitted(ctx, s); err != nil {
			log.note("break by %s: %v", name, err)
		}
	}
}

// publishUncommitted does what a service would that publishes a change and
// then fails to commit it.
func publishUncommitted(ctx context.Context, s *suite.Suite) error {
	task, user, now := uuid.New(), uuid.New(), time.Now().UTC()
	state := event.Task{ID: task, UserID: user, Title: "never committed", Priority: "none", Tags: []string{}, Timezone: "UTC", Reminders: []event.Reminder{}, Version: 1, CreatedAt: now, UpdatedAt: now}
	after, err := json.Marshal(state)
	if err != nil {
		return err
	}
	frame := event.Frame{EventType: event.TaskCreated, TaskID: task, UserID: user, Timestamp: now, Metadata: map[string]any{}}
	audit := event.AuditEvent{Frame: frame, Actor: event.Actor{UserID: user}, Action: event.TaskCreated, Target: "task/" + task.String(), After: after, Changed: []string{}}
	audit.EventType = event.AuditPrefix + event.TaskCreated
	for topic, data := range map[string]any{event.TopicTasks: event.TaskEvent{Frame: frame, TaskData: state}, event.TopicAudit: audit} {
		raw, err := json.Marshal(data)
		if err != nil {
			return err
		}
		kind := event.TaskCreated
		if topic == event.TopicAudit {
			kind = audit.EventType
		}
		value, err := event.Encode(event.Header{
			ID: uuid.Must(uuid.NewV7()), Topic: topic, Type: kind, Subject: task.String(), Time: now, PartitionKey: task.String(), Sequence: 1,
		}, raw)
		if err != nil {
			return err
		}
		if err := s.Produce(ctx, topic, task.String(), value); err != nil {
			return err
		}
	}
	return nil
}
