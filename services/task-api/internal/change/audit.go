package change

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/eventlog"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
)

// fill sets in an audit event what every change has: the states before and after,
// either of which may be nil, the names of the fields that differ, and the origin.
func fill(e *event.AuditEvent, from access.Origin, before, after any) (err error) {
	if e.Before, err = json.Marshal(before); err != nil {
		return fmt.Errorf("write an audit state: %w", err)
	}
	if e.After, err = json.Marshal(after); err != nil {
		return fmt.Errorf("write an audit state: %w", err)
	}
	if e.Changed, err = changed(e.Before, e.After); err != nil {
		return fmt.Errorf("compare the audit states: %w", err)
	}
	e.IP, e.UserAgent, e.RequestID = from.IP, from.UserAgent, from.RequestID
	return nil
}

// changed names what differs, without what changes every time. Of what was created or
// deleted it names nothing.
func changed(before, after json.RawMessage) ([]string, error) {
	if string(before) == "null" || string(after) == "null" {
		return []string{}, nil
	}
	var was, is map[string]json.RawMessage
	if err := json.Unmarshal(before, &was); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(after, &is); err != nil {
		return nil, err
	}
	names := []string{}
	for name := range is {
		if name != "version" && name != "updated_at" && !bytes.Equal(was[name], is[name]) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// Audit fills an audit event of what the change does, with the states before and after,
// either of which may be nil. What its caller says of it stays: Action and Target, and
// what else there is to say. A service acts for the user of the event.
func (tx *Tx) Audit(e *event.AuditEvent, before, after any) error {
	e.EventType, e.Timestamp = event.AuditPrefix+e.Action, tx.Now
	if e.UserID == uuid.Nil {
		e.UserID = tx.Actor.UserID
	}
	switch {
	case e.Actor != event.Actor{}:
	case tx.Actor.Service != "":
		e.Actor.UserID = e.UserID
	default:
		e.Actor = event.Actor{UserID: tx.Actor.UserID, Email: tx.Actor.Email}
	}
	e.Metadata = tx.Metadata(e.Metadata)
	return fill(e, tx.Actor.Origin, before, after)
}

// Metadata is what an event of the change says besides, and what all of them say.
func (tx *Tx) Metadata(about map[string]any) map[string]any {
	all := map[string]any{}
	maps.Copy(all, about)
	if tx.Undoes != "" {
		all[event.MetaUndoes] = tx.Undoes
	}
	return all
}

// AppendAudit appends an audit event, in the order of what has the key.
func (tx *Tx) AppendAudit(key uuid.UUID, e event.AuditEvent, before, after any) error {
	if err := tx.Audit(&e, before, after); err != nil {
		return err
	}
	data, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("write an audit event: %w", err)
	}
	tx.Append(eventlog.Entry{Topic: event.TopicAudit, Type: e.EventType, Key: key.String(), Time: tx.Now, Data: data})
	return nil
}
