package task

import (
	"bytes"
	"encoding/json"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// optional is a member of a JSON merge patch (RFC 7396): absent, null, or a value.
type optional[T any] struct {
	Present bool
	Null    bool
	Value   T
}

// UnmarshalJSON is called only when the member is there.
func (o *optional[T]) UnmarshalJSON(raw []byte) error {
	o.Present = true
	if bytes.Equal(raw, []byte("null")) {
		o.Null = true
		return nil
	}
	return json.Unmarshal(raw, &o.Value)
}

// Schema describes the value, or null.
func (o optional[T]) Schema(r huma.Registry) *huma.Schema {
	s := r.Schema(reflect.TypeFor[T](), true, reflect.TypeFor[T]().Name())
	if s.Ref != "" {
		// A reference can not be nullable by itself, and null passes the
		// validation of a member that is not required.
		return s
	}
	nullable := *s
	nullable.Nullable = true
	return &nullable
}

// or is the value, fallback when the member is absent, and zero when it is null.
func (o optional[T]) or(fallback T) T {
	if !o.Present {
		return fallback
	}
	return o.Value
}
