package change

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/eventlog"
)

// AppendAudit appends an audit event, in the order of what has the key. See Audit for what
// it fills in.
func (tx *Tx) AppendAudit(key uuid.UUID, e event.AuditOf[any]) error {
	tx.Audit(&e)
	data, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("write an audit event: %w", err)
	}
	tx.Append(eventlog.Entry{Topic: event.TopicAudit, Type: e.EventType, Key: key.String(), Time: tx.Now, Data: data})
	return nil
}

// Audit fills an audit event of what the change does: when, by whom, from where, and the
// names of the fields that differ between the states before and after, either of which may
// be nil; else both are structs of one type, or point to one. What its caller says of it
// stays: Action and Target, and what else there is to say. A service acts for the user of
// the event.
func (tx *Tx) Audit(e *event.AuditOf[any]) {
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
	e.Changed = changed(e.Before, e.After)
	from := tx.Actor.Origin
	e.IP, e.UserAgent, e.RequestID = from.IP, from.UserAgent, from.RequestID
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

// changed names the fields that differ, as JSON calls them, without what changes every
// time. Of what was created or deleted it names nothing.
func changed(before, after any) []string {
	names := []string{}
	was, is := reflect.Indirect(reflect.ValueOf(before)), reflect.Indirect(reflect.ValueOf(after))
	if !was.IsValid() || !is.IsValid() {
		return names
	}
	for i := range is.NumField() {
		name, _, _ := strings.Cut(is.Type().Field(i).Tag.Get("json"), ",")
		if name != "-" && name != "version" && name != "updated_at" && !same(was.Field(i).Interface(), is.Field(i).Interface()) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// same says whether two values of a field are the same. A time that was read is in another
// location than one that was worked out, so it is compared as a moment.
func same(was, is any) bool {
	switch is := is.(type) {
	case time.Time:
		return is.Equal(was.(time.Time))
	case *time.Time:
		was := was.(*time.Time)
		return was == is || was != nil && is != nil && was.Equal(*is)
	}
	return reflect.DeepEqual(was, is)
}
