package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/page"
)

// statusGone is what nginx calls a request whose client did not wait; nobody is
// there to read it, but logs and metrics do.
const statusGone = 499

// Problem is an error as a client sees it: RFC 9457, with the fields at fault.
type Problem struct {
	Type      string       `json:"type" format:"uri-reference" doc:"What kind of problem it is: /problems/CODE, as /problems lists them" example:"/problems/invalid"`
	Title     string       `json:"title" doc:"The kind of problem in words" example:"Something in the request can not be"`
	Status    int          `json:"status" doc:"The HTTP status" example:"422"`
	Detail    string       `json:"detail,omitempty" doc:"What went wrong here, and what to do" example:"validation failed"`
	Errors    []FieldError `json:"errors,omitempty" nullable:"false" maxItems:"50" doc:"The places at fault"`
	Index     *int         `json:"index,omitempty" doc:"Of several changes in one request, which it is of" example:"0"`
	Snapshot  string       `json:"snapshot,omitempty" doc:"Where a client begins anew" example:"/api/snapshot"`
	RequestID string       `json:"request_id,omitempty" doc:"Name it when you ask the operator" example:"c3b0c2f5a0c94b7e8f4d"`

	header http.Header
}

// FieldError says what is wrong with one part of a request. Location is a path
// such as body.recurrence.rrule or query.limit.
type FieldError struct {
	Location string `json:"location" doc:"Where, such as body.recurrence.rrule, query.limit or path.id" example:"body.title"`
	Message  string `json:"message" doc:"What is wrong there" example:"expected length >= 1"`
}

// Error makes a Problem an error.
func (p *Problem) Error() string {
	if p.Detail == "" {
		return p.Title
	}
	return p.Detail
}

// GetStatus is the HTTP status (huma.StatusError).
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders are the headers to send with the problem (huma.HeadersError).
func (p *Problem) GetHeaders() http.Header { return p.header }

// ContentType is RFC 9457's own (huma.ContentTypeFilter).
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// MaxErrors is how many fields at fault a problem names.
const MaxErrors = 50

// NewProblem returns a problem of a kind with a text for the user. Of more than
// MaxErrors fields it names the first, and says so.
func NewProblem(kind Kind, detail string, fields ...FieldError) *Problem {
	if len(fields) > MaxErrors {
		fields = fields[:MaxErrors]
		detail += fmt.Sprintf("; of the errors only the first %d are listed", MaxErrors)
	}
	return &Problem{Type: "/problems/" + kind.Code, Title: kind.Title, Status: kind.Status, Detail: detail, Errors: fields}
}

// After says when the client may try again, in Retry-After: whole seconds, at least 1.
func (p *Problem) After(wait time.Duration) *Problem {
	seconds := max(1, int64((wait+time.Second-1)/time.Second))
	return p.With("Retry-After", strconv.FormatInt(seconds, 10))
}

// With sends a header with the problem.
func (p *Problem) With(name, value string) *Problem {
	if p.header == nil {
		p.header = http.Header{}
	}
	p.header.Set(name, value)
	return p
}

// Invalid is a 422 that names one part of the request.
func Invalid(location, message string) *Problem {
	return NewProblem(Unprocessable, "validation failed", FieldError{location, message})
}

// NotFound is a 404: the thing does not exist, or is not the caller's.
func NotFound(what string) *Problem {
	return NewProblem(Missing, "there is no such "+what)
}

// NothingHere is a 404 of an address that leads nowhere.
func NothingHere() *Problem {
	return NewProblem(NoSuchAddress, "there is nothing at this address; /openapi.json lists what is")
}

// Unavailable is a 503 for what may pass; the client should try again after a second.
func Unavailable(detail string) *Problem {
	return NewProblem(Busy, detail).After(time.Second)
}

// TooMany is a 429: the client did too much of something, and may go on after a while.
func TooMany(detail string, wait time.Duration) *Problem {
	return NewProblem(TooManyRequests, detail).After(wait)
}

// Failures turns the errors of a service's operations into problems. A Problem
// passes as it is; anything else is logged, once and here, with the request's
// id, and the client learns no more than that id. While the database is away, the
// log of requests alone has those that fail.
type Failures struct {
	Log *slog.Logger
}

// Of returns the problem to answer err with; nil for nil.
func (f Failures) Of(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	if errors.Is(err, page.ErrCursor) {
		return Invalid("query.cursor", page.ErrCursor.Error())
	}
	// Of a statement whose context has ended Postgres says that it was cancelled, and
	// the pool, that the connection or the transaction is gone.
	if errors.Is(ctx.Err(), context.Canceled) && (errors.Is(err, context.Canceled) || database.IsTransient(err)) {
		// The client has gone: nobody reads the answer, and nothing failed.
		return NewProblem(ClientGone, "the client closed the request")
	}
	level := slog.LevelError
	if database.IsOutage(err) {
		level = slog.LevelDebug // the database's outage is one line, not one for each request
	}
	f.Log.Log(ctx, level, "request failed", "error", err)
	if database.IsTransient(err) {
		return Unavailable("the service can not reach its data at the moment; try again shortly")
	}
	return NewProblem(Internal, "the server could not do this; try again, and name the request_id to the operator if it stays so")
}

// Write answers a request that failed with err, outside huma.
func (f Failures) Write(w http.ResponseWriter, r *http.Request, err error) {
	var p *Problem
	if !errors.As(f.Of(r.Context(), err), &p) {
		return
	}
	p.Write(w, r)
}

// of is the problem as that of the request that ctx belongs to: a copy, since many may
// fail with the same Problem at once.
func (p *Problem) of(ctx context.Context) *Problem {
	mine := *p
	mine.RequestID = RequestID(ctx)
	return &mine
}

// Write answers a request with the problem, outside huma.
func (p *Problem) Write(w http.ResponseWriter, r *http.Request) {
	for name, values := range p.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	// The client may have gone; there is nobody left to tell.
	_ = json.NewEncoder(w).Encode(p.of(r.Context()))
}

func init() {
	// huma makes its own errors (validation, body, content type) through these
	// two variables; they are its only hook, and must be set before any
	// operation is registered.
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		return fromHuma(status, msg, errs)
	}
	huma.NewErrorWithContext = func(c huma.Context, status int, msg string, errs ...error) huma.StatusError {
		return fromHuma(status, msg, errs).of(c.Context())
	}
	// A field is named as it is written in the contract, not in another case.
	huma.ValidateStrictCasing = true
}

// fromHuma builds the problem without the offending values: they may be
// passwords, and repeating 1 MiB of bad input helps nobody.
func fromHuma(status int, msg string, errs []error) *Problem {
	if status == http.StatusInternalServerError && msg == "cannot read request body" {
		// A broken chunked encoding or a cut connection is the client's doing.
		return NewProblem(Malformed, "the request body could not be read")
	}
	var fields []FieldError
	for _, err := range errs {
		if len(fields) > MaxErrors {
			break
		}
		if err != nil {
			fields = append(fields, fieldError(err))
		}
	}
	return NewProblem(ofStatus(status), msg, fields...)
}

// fieldError never asks a huma.ErrorDetail for its text: that has the value in
// it, which for an unknown member is the whole object around it. Asked for each
// member, 39 KB took 12 s.
func fieldError(err error) FieldError {
	var d huma.ErrorDetailer
	if errors.As(err, &d) {
		return FieldError{Location: d.ErrorDetail().Location, Message: d.ErrorDetail().Message}
	}
	return FieldError{Message: err.Error()}
}
