package comment

import (
	"encoding/json"
	"fmt"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/eventlog"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
)

// appendAudit appends the audit event of what became of a comment. It is in the order of
// its task.
func appendAudit(tx *change.Tx, action string, before, after *Comment) error {
	c := after
	if c == nil {
		c = before
	}
	data, err := audit(tx, action, c, before, after)
	if err != nil {
		return err
	}
	if len(data) > change.MaxData {
		// Each text has half of the room, or what the other leaves.
		sizes := [2]int{change.SizeOf(textOf(before)), change.SizeOf(textOf(after))}
		room := change.MaxData - (len(data) - sizes[0] - sizes[1])
		most := max(room/2, room-min(sizes[0], sizes[1]))
		if data, err = audit(tx, action, c, cut(before, most), cut(after, most), "text"); err != nil {
			return err
		}
		tx.KeepWhole(c.ID, 0, change.Texts{Before: textOf(before), After: textOf(after)})
	}
	tx.Append(eventlog.Entry{Topic: event.TopicAudit, Type: event.AuditPrefix + action, Key: c.TaskID.String(), Time: tx.Now, Data: data})
	return nil
}

// audit is the data of an audit event of comment c, in which some fields were shortened.
func audit(tx *change.Tx, action string, c, before, after *Comment, truncated ...string) (json.RawMessage, error) {
	e := event.AuditOf[any]{Frame: event.Frame{TaskID: c.TaskID}, Action: action, Target: "comment/" + c.ID.String(), ListID: &c.ListID, Before: before, After: after}
	tx.Audit(&e)
	if len(truncated) > 0 {
		e.Metadata[event.MetaTruncated] = truncated
		if action == event.CommentUpdated {
			e.Changed = edited // also where the texts begin with the same
		}
	}
	data, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("write an audit event: %w", err)
	}
	return data, nil
}

// edited are the fields that an edit changes.
var edited = []string{"edited_at", "text"}

// textOf is what a comment says; nothing where there is none.
func textOf(c *Comment) string {
	if c == nil {
		return ""
	}
	return c.Text
}

// cut is a comment whose text has at most so many bytes as JSON.
func cut(c *Comment, bytes int) *Comment {
	if c == nil {
		return nil
	}
	short := *c
	short.Text = change.Cut(c.Text, bytes)
	return &short
}
