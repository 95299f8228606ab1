package rest

import (
	"context"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/pkg/page"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/task"
)

type listInput struct {
	ListID       []string `query:"list_id,explode" nullable:"false" maxItems:"100" format:"uuid" doc:"In any of these lists"`
	IsComplete   string   `query:"is_complete" enum:"true,false" doc:"Only those that are done, or open" example:"false"`
	Priority     []string `query:"priority,explode" nullable:"false" enum:"none,low,medium,high,urgent" doc:"Any of these" example:"high,urgent"`
	Tag          []string `query:"tag,explode" nullable:"false" maxItems:"20" doc:"All of these" example:"home"`
	DueBefore    string   `query:"due_before" format:"date-time" doc:"Due earlier than this" example:"2027-04-01T00:00:00Z"`
	DueAfter     string   `query:"due_after" format:"date-time" doc:"Due at this time or later" example:"2027-03-01T00:00:00Z"`
	Due          string   `query:"due" enum:"overdue,today,tomorrow,week,none" doc:"Open tasks by the day they are due; all-day tasks by their date, overdue ones else by the moment. week is today and the six days after it, none without a due time"`
	Timezone     string   `query:"timezone" maxLength:"64" doc:"IANA time zone in which due counts days; default yours"`
	UpdatedAfter string   `query:"updated_after" format:"date-time" doc:"Changed at this time or later" example:"2026-01-01T00:00:00Z"`
	Assignee     string   `query:"assignee" maxLength:"36" doc:"That this member is to do, or me"`
	ParentID     string   `query:"parent_id" maxLength:"36" doc:"Subtasks of this task, or none: those that are no subtask"`
	SeriesID     string   `query:"series_id" format:"uuid" doc:"Tasks of this series"`
	Q            string   `query:"q" maxLength:"200" doc:"Text in the title or the description, whatever its case, accents and Unicode form"`
	Sort         string   `query:"sort" enum:"created_at,-created_at,updated_at,-updated_at,due_at,-due_at,priority,-priority,title,-title,position,-position" default:"-created_at" doc:"- turns the order round; tasks without a due time come last; titles sort as people sort them, in the root collation of CLDR; position is the order of a list"`
	Limit        int      `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"A page ends earlier at 2 MiB"`
	Cursor       string   `query:"cursor" maxLength:"4000" doc:"next_cursor of the page before"`
}

func (in *listInput) query(actor access.Actor) (q task.Query, err error) {
	q = task.Query{Priorities: in.Priority, Tags: in.Tag, Due: in.Due, Timezone: in.Timezone, Text: in.Q, Sort: in.Sort, Limit: in.Limit, Cursor: in.Cursor}
	for _, text := range in.ListID {
		list, err := idOf("query.list_id", text, "must be a list's id")
		if err != nil {
			return q, err
		}
		if list != nil {
			q.ListIDs = append(q.ListIDs, *list)
		}
	}
	if in.IsComplete != "" {
		complete := in.IsComplete == "true"
		q.IsComplete = &complete
	}
	if q.DueBefore, err = httpapi.Time("query.due_before", in.DueBefore); err != nil {
		return q, err
	}
	if q.DueAfter, err = httpapi.Time("query.due_after", in.DueAfter); err != nil {
		return q, err
	}
	if q.UpdatedAfter, err = httpapi.Time("query.updated_after", in.UpdatedAfter); err != nil {
		return q, err
	}
	if in.Assignee == "me" {
		q.Assignee = &actor.UserID
	} else if q.Assignee, err = idOf("query.assignee", in.Assignee, "must be a user's id, or me"); err != nil {
		return q, err
	}
	if q.TopLevel = in.ParentID == "none"; !q.TopLevel {
		if q.ParentID, err = idOf("query.parent_id", in.ParentID, "must be a task's id, or none"); err != nil {
			return q, err
		}
	}
	q.SeriesID, err = idOf("query.series_id", in.SeriesID, "must be a series' id")
	return q, err
}

// idOf reads an id; nil for none.
func idOf(location, text, must string) (*uuid.UUID, error) {
	if text == "" {
		return nil, nil
	}
	id, err := uuid.Parse(text)
	if err != nil {
		return nil, httpapi.Invalid(location, must)
	}
	return &id, nil
}

// TaskPage is one page of a list.
type TaskPage struct {
	Items      []Task  `json:"items" nullable:"false" doc:"The tasks"`
	NextCursor *string `json:"next_cursor" doc:"The cursor of the next page; null on the last"`
}

func (a *Tasks) list(ctx context.Context, actor access.Actor, in *listInput) (*struct{ Body TaskPage }, error) {
	q, err := in.query(actor)
	if err != nil {
		return nil, err
	}
	found, err := a.Store.List(ctx, actor, q)
	if err != nil {
		return nil, err
	}
	items := make([]Task, len(found.Tasks))
	for i, t := range found.Tasks {
		items[i] = shown(t)
	}
	var out struct{ Body TaskPage }
	out.Body.Items, out.Body.NextCursor, err = page.Cut(items, in.Limit, found.CursorOf)
	return &out, err
}
