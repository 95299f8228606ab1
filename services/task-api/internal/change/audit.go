package change

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/taskwire/taskwire/pkg/event"
)

// Fill sets in an audit event what every change has: the states before and after,
// either of which may be nil, the names of the fields that differ, and the origin.
func (o Origin) Fill(e *event.AuditEvent, before, after any) error {
	was, err := fields(before)
	if err != nil {
		return err
	}
	is, err := fields(after)
	if err != nil {
		return err
	}
	e.Changed = changed(was, is)
	if e.Before, err = object(was); err != nil {
		return err
	}
	if e.After, err = object(is); err != nil {
		return err
	}
	e.IP, e.UserAgent, e.RequestID = o.IP, o.UserAgent, o.RequestID
	return nil
}

func fields(v any) (map[string]json.RawMessage, error) {
	if v == nil {
		return nil, nil
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("write an audit state: %w", err)
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, fmt.Errorf("write an audit state: %w", err)
	}
	return m, nil
}

func object(m map[string]json.RawMessage) (json.RawMessage, error) {
	if m == nil {
		return json.RawMessage("null"), nil
	}
	return json.Marshal(m)
}

// changed names what differs, without what changes every time.
func changed(was, is map[string]json.RawMessage) []string {
	names := []string{}
	if was == nil || is == nil {
		return names
	}
	for name := range is {
		if name != "version" && name != "updated_at" && !bytes.Equal(was[name], is[name]) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
