// Package undo takes back what a request has changed. The event log has each change,
// before and after; what is done about it is a change like any other, with events of its
// own, so that it can be undone as well.
package undo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/comment"
	"github.com/taskwire/taskwire/services/task-api/internal/list"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
	"github.com/taskwire/taskwire/services/task-api/internal/task"
)

// Store undoes. Each time is one transaction.
type Store struct {
	Changes  *change.Writer
	Comments *comment.Store
}

// Undone says what was taken back.
type Undone struct {
	Undoes    string   `json:"undoes" doc:"The request that was undone"`
	RequestID string   `json:"request_id" doc:"This request: undo it to have what was undone again"`
	Changed   []string `json:"changed" nullable:"false" doc:"What was changed by the request that was undone, as the history names it: task/, list/ or comment/ and an id"`
}

// aList are the actions of which a list is put back as a whole, with its tasks.
var aList = []string{event.ListCreated, event.ListUpdated, event.ListDeleted, event.ListRestored}

// Undo takes back all that one request of the actor's has changed, or, where some of it
// has been changed since, nothing: then it returns a refusal that names the fields. With a
// key it does so once: a repetition answers what the first answered.
func (s *Store) Undo(ctx context.Context, actor access.Actor, request string, key *change.Key) (*Undone, error) {
	var out *Undone
	err := s.Changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) error {
		out = new(Undone)
		if key != nil {
			if was, err := key.Claim(ctx, tx, out); err != nil || was {
				return err
			}
		}
		tx.Undoes = request
		*out = Undone{Undoes: request, RequestID: actor.RequestID, Changed: []string{}}
		// First whether it is of a list: that may have taken any number of tasks along, which
		// come and go with it.
		logged, err := tx.Operation(ctx, request, aList...)
		if err != nil {
			return err
		}
		if len(logged) == 0 {
			if logged, err = tx.Operation(ctx, request); err != nil {
				return err
			}
		}
		seen := map[string]bool{} // there may be thousands
		for _, l := range logged {
			if !seen[l.Target] {
				seen[l.Target], out.Changed = true, append(out.Changed, l.Target)
			}
		}
		if err := s.takeBack(ctx, tx, logged); err != nil {
			return err
		}
		if key != nil {
			return key.Keep(tx, out)
		}
		return nil
	})
	return out, err
}

func (s *Store) takeBack(ctx context.Context, tx *change.Tx, logged []change.Logged) error {
	var ofTasks []change.Logged
	for _, l := range logged {
		var err error
		switch l.Action {
		case event.ListCreated, event.ListUpdated, event.ListDeleted, event.ListRestored:
			err = list.Undo(ctx, tx, l)
		case event.CommentCreated, event.CommentUpdated, event.CommentDeleted:
			err = s.Comments.Undo(ctx, tx, l)
		case event.TaskCreated, event.TaskUpdated, event.TaskCompleted, event.TaskDeleted, event.TaskRestored:
			ofTasks = append(ofTasks, l)
		default:
			err = refuse.Because(refuse.NotUndoable, "what becomes of accounts and members, and what is purged, can not be undone: "+l.Action)
		}
		if err != nil {
			return err
		}
	}
	tasks, err := pastOf(ofTasks)
	if err != nil || len(tasks) == 0 {
		return err
	}
	return task.Undo(ctx, tx, tasks)
}

// pastOf is what the request has made of each task, in the order in which it came to them.
func pastOf(logged []change.Logged) (all []*task.Past, err error) {
	past := map[uuid.UUID]*task.Past{}
	for _, l := range logged {
		var before, after *event.Task
		if err := errors.Join(json.Unmarshal(l.Before, &before), json.Unmarshal(l.After, &after)); err != nil {
			return nil, fmt.Errorf("read task %s as it was: %w", l.TaskID, err)
		}
		if l.Cut != nil && before != nil {
			before.Description = l.Cut.Before
		}
		if l.Cut != nil && after != nil {
			after.Description = l.Cut.After
		}
		p := past[l.TaskID]
		if p == nil {
			_, follows := l.Metadata[event.MetaFollows]
			p = &task.Past{ID: l.TaskID, Before: before, Series: follows}
			if l.Action == event.TaskRestored {
				p.Back, p.Skipped = after, l.Metadata[event.MetaOccurrence] == event.Skipped
			}
			past[l.TaskID], all = p, append(all, p)
		}
		p.At, p.Gone = l.Timestamp, after == nil
		if p.After = after; after == nil {
			p.After = before
		}
	}
	return all, nil
}
