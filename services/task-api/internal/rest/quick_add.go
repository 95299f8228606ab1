package rest

import (
	"context"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/quickadd"
	"github.com/taskwire/taskwire/services/task-api/internal/task"
)

// QuickAdd makes tasks of text over HTTP.
type QuickAdd struct {
	Store    *task.Store
	Failures httpapi.Failures
}

// QuickAddInput is a task in words.
type QuickAddInput struct {
	ID         *uuid.UUID         `json:"id,omitempty" format:"uuid" doc:"Of the task, chosen by you: a UUID of version 7 or 4. Where the task is there nothing is made, and it is answered"`
	Text       string             `json:"text" minLength:"1" maxLength:"1000" doc:"The task, such as Rent every 1st 9:00 #home !high"`
	CapturedAt *httpapi.Timestamp `json:"captured_at,omitempty" doc:"When it was written, which tomorrow and the like count from; default: now"`
	Timezone   string             `json:"timezone,omitempty" maxLength:"64" doc:"IANA time zone that it is meant in; default: yours"`
	ListID     *uuid.UUID         `json:"list_id,omitempty" format:"uuid" doc:"Where it goes if the text names no list; default: your inbox"`
	DueOn      string             `json:"due_on,omitempty" format:"date" doc:"The day that it is due on if the text says none; default: it is not due"`
	DryRun     bool               `json:"dry_run,omitempty" doc:"Only say what would be understood, and write nothing"`
}

// QuickAddSpan is a part of a text that was understood.
type QuickAddSpan struct {
	Start int           `json:"start" doc:"Where it begins, in UTF-16 code units, as strings in a browser count"`
	End   int           `json:"end" doc:"Behind its last UTF-16 code unit"`
	Kind  quickadd.Kind `json:"kind" enum:"date,time,recurrence,list,tag,priority,reminder" doc:"What it was understood as"`
	Value string        `json:"value" doc:"What it means: a date, a time of day, an RRULE, the list's id, the tag, the priority, or how long before the task is due"`
	Text  string        `json:"text" doc:"The part of the text"`
}

// QuickAdded is the task that a text has made.
type QuickAdded struct {
	Task  Task           `json:"task" doc:"The task"`
	Spans []QuickAddSpan `json:"spans" nullable:"false" doc:"What was understood, in the order of the text"`
}

// QuickAddPreview is the task that a text would make.
type QuickAddPreview struct {
	Task  UnderstoodTask `json:"task" doc:"The task that would be made, as POST /api/tasks takes it"`
	Spans []QuickAddSpan `json:"spans" nullable:"false" doc:"What was understood, in the order of the text"`
}

// UnderstoodTask is what a text says of a task. It can be sent as a TaskInput, and is none:
// what a request may leave out by null, an answer never has.
type UnderstoodTask struct {
	Title      string                `json:"title" doc:"What is left of the text"`
	Priority   string                `json:"priority,omitempty" enum:"low,medium,high,urgent" doc:"How much it matters"`
	Tags       []string              `json:"tags,omitempty" nullable:"false" doc:"Words to find it by"`
	DueAt      *time.Time            `json:"due_at,omitempty" doc:"When it is due; of an all-day task the date, at midnight UTC"`
	AllDay     bool                  `json:"all_day,omitempty" doc:"Due on a date, not at a time"`
	Timezone   string                `json:"timezone" doc:"IANA time zone that the due time is meant in"`
	Reminders  []UnderstoodReminder  `json:"reminders,omitempty" nullable:"false" doc:"When you want to be reminded"`
	Recurrence *UnderstoodRecurrence `json:"recurrence,omitempty" doc:"How it comes back"`
	ListID     *uuid.UUID            `json:"list_id,omitempty" format:"uuid" doc:"The list that is named; without it, your inbox"`
}

// UnderstoodReminder is a reminder that a text asks for.
type UnderstoodReminder struct {
	BeforeDue string `json:"before_due" doc:"This long before the task is due: an ISO 8601 duration"`
}

// UnderstoodRecurrence is a rule that a text tells of.
type UnderstoodRecurrence struct {
	RRule string `json:"rrule" doc:"RFC 5545 RRULE value"`
	Basis string `json:"basis" enum:"due,completion" doc:"What the next date counts from"`
}

type quickAddOutput struct {
	Status   int
	ETag     string `header:"ETag" doc:"The version, for If-Match and If-None-Match"`
	Location string `header:"Location" doc:"Where the task is"`
	Body     any
}

var (
	exampleCaptured = time.Date(2027, 2, 24, 12, 0, 0, 0, time.UTC)
	exampleText     = QuickAddInput{
		Text: "Call Grace back every monday 9:00 #phone !high *15m", CapturedAt: &httpapi.Timestamp{Time: exampleCaptured}, Timezone: "Europe/Berlin",
	}
	exampleSpans = []QuickAddSpan{
		{Start: 16, End: 28, Kind: quickadd.Repeats, Value: "FREQ=WEEKLY;BYDAY=MO", Text: "every monday"},
		{Start: 29, End: 33, Kind: quickadd.Time, Value: "09:00", Text: "9:00"},
		{Start: 34, End: 40, Kind: quickadd.Tag, Value: "phone", Text: "#phone"},
		{Start: 41, End: 46, Kind: quickadd.Priority, Value: "high", Text: "!high"},
		{Start: 47, End: 51, Kind: quickadd.Reminder, Value: "PT15M", Text: "*15m"},
	}
	exampleAdded   = QuickAdded{Task: changed(exampleOpen, func(t *Task) { t.Description, t.Tags = "", []string{"phone"} }), Spans: exampleSpans}
	examplePreview = QuickAddPreview{
		Task: UnderstoodTask{
			Title: exampleInput.Title, Priority: "high", Tags: []string{"phone"}, DueAt: &exampleDue, Timezone: exampleInput.Timezone,
			Reminders: []UnderstoodReminder{{BeforeDue: "PT15M"}}, Recurrence: &UnderstoodRecurrence{RRule: "FREQ=WEEKLY;BYDAY=MO", Basis: "due"},
		},
		Spans: exampleSpans,
	}
)

// Mount adds the operation.
func (a *QuickAdd) Mount(api huma.API) {
	answers := func(of reflect.Type, example any, description string) *huma.Response {
		return &huma.Response{Description: description, Content: map[string]*huma.MediaType{
			"application/json": {Schema: api.OpenAPI().Components.Schemas.Schema(of, true, ""), Example: example},
		}}
	}
	forToken(api, a.Failures, huma.Operation{
		OperationID: "quick-add", Method: http.MethodPost, Path: "/api/quick-add", Tags: []string{"Tasks"}, Summary: "Create a task from one line of text",
		Description: "Dates, times, rules, reminders, priorities, and the names of lists and tags are understood, in English and German, and taken out of the title; spans say which (docs/quick-add.md). " +
			"With an Idempotency-Key a repetition within a day creates nothing, and answers the same, and with an id of your own for ever; with dry_run nothing is written, and neither is looked at.",
		DefaultStatus: http.StatusCreated,
		Responses: map[string]*huma.Response{
			"200": answers(reflect.TypeFor[QuickAddPreview](), examplePreview, "What would be made, with dry_run"),
			"201": answers(reflect.TypeFor[QuickAdded](), exampleAdded, "Created"),
		},
		Metadata: httpapi.Describe(exampleText, nil, httpapi.InTrash, httpapi.IDTaken, httpapi.ReadOnly, httpapi.LimitReached, httpapi.KeyUsed),
	}, a.add, auth.TasksWrite)
}

func (a *QuickAdd) add(ctx context.Context, actor access.Actor, in *struct {
	Key  string `header:"Idempotency-Key" maxLength:"255" doc:"Chosen by you: a repetition within a day creates nothing and answers the same"`
	Body QuickAddInput
},
) (*quickAddOutput, error) {
	text := task.Text{ID: in.Body.ID, Text: in.Body.Text, CapturedAt: in.Body.CapturedAt.Pointer(), Timezone: in.Body.Timezone, ListID: in.Body.ListID}
	if in.Body.DueOn != "" {
		day, err := time.Parse(time.DateOnly, in.Body.DueOn)
		if err != nil {
			return nil, httpapi.Invalid("body.due_on", "must be a date such as 2027-03-01")
		}
		text.DueOn = &day
	}
	if in.Body.DryRun {
		draft, spans, err := a.Store.Understand(ctx, actor, text)
		if err != nil {
			return nil, err
		}
		return &quickAddOutput{Status: http.StatusOK, Body: QuickAddPreview{Task: understood(draft), Spans: shownSpans(spans)}}, nil
	}
	key, err := keyOf(in.Key, "quick add", in.Body)
	if err != nil {
		return nil, err
	}
	t, spans, err := a.Store.QuickAdd(ctx, actor, text, key)
	if err != nil {
		return nil, err
	}
	body := QuickAdded{Task: shown(t), Spans: shownSpans(spans)}
	return &quickAddOutput{Status: http.StatusCreated, ETag: etag(t.Version), Location: "/api/tasks/" + t.ID.String(), Body: body}, nil
}

// shownSpans is a list also where nothing was understood.
func shownSpans(spans []quickadd.Span) []QuickAddSpan {
	shown := make([]QuickAddSpan, len(spans))
	for i, span := range spans {
		shown[i] = QuickAddSpan(span)
	}
	return shown
}

// understood is the draft of a text.
func understood(d task.Draft) UnderstoodTask {
	t := UnderstoodTask{Title: d.Title, Priority: d.Priority, Tags: d.Tags, DueAt: task.UTC(d.DueAt), AllDay: d.AllDay, Timezone: d.Timezone, ListID: d.ListID}
	for _, r := range d.Reminders {
		t.Reminders = append(t.Reminders, UnderstoodReminder{BeforeDue: r.BeforeDue})
	}
	if r := d.Recurrence; r != nil {
		t.Recurrence = &UnderstoodRecurrence{RRule: r.RRule, Basis: r.Basis}
	}
	return t
}
