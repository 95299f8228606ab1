// Package audit fills the part of an audit event that every change has: who
// asked, from where, and what differs between before and after.
package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/httpapi"
)

type originKey struct{}

type origin struct {
	ip        string
	userAgent string
}

// Middleware remembers where a request comes from, as the trusted proxies say,
// for the audit events of the changes that it makes.
func Middleware(trusted httpapi.Proxies) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			agent := strings.ToValidUTF8(strings.ReplaceAll(r.UserAgent(), "\x00", ""), "")
			if runes := []rune(agent); len(runes) > 300 {
				agent = string(runes[:300])
			}
			from := origin{ip: trusted.ClientAddress(r), userAgent: agent}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), originKey{}, from)))
		})
	}
}

// ClientAddress is where the request that ctx belongs to comes from, or "".
func ClientAddress(ctx context.Context) string {
	from, _ := ctx.Value(originKey{}).(origin)
	return from.ip
}

// Fill sets before, after, the names of the fields that differ, and the
// request's origin. Before or after may be nil.
func Fill(ctx context.Context, e *event.AuditEvent, before, after any) error {
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
	from, _ := ctx.Value(originKey{}).(origin)
	e.IP, e.UserAgent, e.RequestID = from.ip, from.userAgent, httpapi.RequestID(ctx)
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
