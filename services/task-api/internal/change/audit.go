package change

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
)

// Fill sets in an audit event what every change has: the states before and after,
// either of which may be nil, the names of the fields that differ, and the origin.
func Fill(e *event.AuditEvent, from access.Origin, before, after any) (err error) {
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
