package rest

import (
	"errors"
	"net/http"

	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

// statuses are those of refusals that need no more than one.
var statuses = map[refuse.Code]int{
	refuse.Invalid:         http.StatusUnprocessableEntity,
	refuse.NotFound:        http.StatusNotFound,
	refuse.TaskChanged:     http.StatusPreconditionFailed,
	refuse.NotRecurring:    http.StatusConflict,
	refuse.NotComplete:     http.StatusConflict,
	refuse.AlreadyComplete: http.StatusConflict,
	refuse.AlreadyFollowed: http.StatusConflict,
	refuse.LastOccurrence:  http.StatusConflict,
	refuse.EmailTaken:      http.StatusConflict,
	refuse.WrongPassword:   http.StatusUnauthorized,
}

// problem turns a refusal of the domain into a problem document, whose fields lie
// in a place of the request. Any other error stays as it is.
func problem(err error, place string) error {
	var no *refuse.Error
	if !errors.As(err, &no) {
		return err
	}
	switch no.Code {
	case refuse.Busy:
		return httpapi.Unavailable(no.Detail)
	case refuse.KeyUsed:
		return httpapi.Invalid("header.Idempotency-Key", no.Detail)
	case refuse.TooManyAttempts:
		return httpapi.TooMany(no.Detail, no.After)
	}
	fields := make([]httpapi.FieldError, len(no.Fields))
	for i, f := range no.Fields {
		fields[i] = httpapi.FieldError{Location: place + f.Name, Message: f.Message}
	}
	return httpapi.NewProblem(statuses[no.Code], no.Detail, fields...)
}
