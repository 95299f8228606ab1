package rest

import (
	"errors"
	"time"

	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

// problem turns a refusal of the domain into a problem document, whose fields lie
// in a place of the request. Any other error stays as it is.
func problem(err error, place string) error {
	var no *refuse.Error
	if !errors.As(err, &no) {
		return err
	}
	kind, ok := httpapi.KindOf(string(no.Code))
	if !ok {
		return err
	}
	fields := make([]httpapi.FieldError, len(no.Fields))
	for i, f := range no.Fields {
		fields[i] = httpapi.FieldError{Location: place + f.Name, Message: f.Message}
	}
	switch no.Code {
	case refuse.ChangedSince: // not in the request
		for i, f := range no.Fields {
			fields[i].Location = f.Name
		}
	case refuse.KeyUsed:
		fields = []httpapi.FieldError{{Location: "header.Idempotency-Key", Message: no.Detail}}
	}
	p := httpapi.NewProblem(kind, no.Detail, fields...)
	switch no.Code {
	case refuse.TooManyAttempts:
		p = p.After(no.After)
	case refuse.Busy:
		p = p.After(time.Second)
	}
	return p
}
