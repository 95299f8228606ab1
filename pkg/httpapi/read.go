package httpapi

import (
	"bytes"
	"encoding/json"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// Read reads a part of a body that may be one of several things, as the body of an
// operation of its own would be read. Location is where it is, such as body.operations[3].
// Its error is a Problem.
func Read[T any](api huma.API, part any, location string) (T, error) {
	var out T
	registry := api.OpenAPI().Components.Schemas
	schema := registry.Schema(reflect.TypeFor[T](), true, "")
	var found huma.ValidateResult
	path := huma.NewPathBuffer([]byte(location), len(location))
	huma.Validate(registry, schema, path, huma.ModeWriteToServer, part, &found)
	if len(found.Errors) > 0 {
		fields := make([]FieldError, 0, min(len(found.Errors), MaxErrors+1))
		for _, err := range found.Errors[:cap(fields)] {
			fields = append(fields, fieldError(err))
		}
		return out, NewProblem(Unprocessable, "validation failed", fields...)
	}
	raw, err := json.Marshal(part)
	if err == nil {
		decoder := json.NewDecoder(bytes.NewReader(raw))
		err = decoder.Decode(&out)
	}
	if err != nil {
		return out, Invalid(location, "can not be read")
	}
	if bad := unstorable(reflect.ValueOf(&out).Elem(), location); len(bad) > 0 {
		return out, NewProblem(Unprocessable, "validation failed", bad...)
	}
	return out, nil
}
