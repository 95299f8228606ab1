package rest

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/pkg/taskapi"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/accountmail"
	"github.com/taskwire/taskwire/services/task-api/internal/reminder"
	"github.com/taskwire/taskwire/services/task-api/internal/task"
)

// Services is what the other services ask for through the sidecar.
type Services struct {
	Tasks     *task.Store
	Reminders *reminder.Store
	Mails     *accountmail.Store
	Failures  httpapi.Failures
}

type followOutput struct {
	Status int
	Body   taskapi.Following
}

type checkOutput struct {
	Body taskapi.Checked
}

// Mount adds the operations, for the sidecar alone.
func (a *Services) Mount(api huma.API) {
	forService(api, a.Failures, "recurring-task", huma.Operation{
		OperationID: "spawn-occurrence", Method: http.MethodPost, Path: taskapi.OccurrencesPath, Summary: "Have a completed task followed by the next occurrence of its series",
	}, a.follow)
	forService(api, a.Failures, "notification", huma.Operation{
		OperationID: "check-reminders", Method: http.MethodPost, Path: taskapi.RemindersPath, Summary: "Whether reminders still stand",
	}, a.check)
	forService(api, a.Failures, "notification", huma.Operation{
		OperationID: "write-account-mails", Method: http.MethodPost, Path: taskapi.AccountMailsPath, Summary: "What mails about accounts say",
	}, a.write)
}

func (a *Services) follow(ctx context.Context, actor access.Actor, in *struct{ Body taskapi.Follow }) (*followOutput, error) {
	f, err := a.Tasks.Follow(ctx, actor, in.Body.AfterTaskID)
	if err != nil {
		return nil, err
	}
	out := &followOutput{Status: http.StatusOK, Body: taskapi.Following{Ended: f.Next == nil}}
	if f.Next != nil {
		out.Body = taskapi.Following{TaskID: &f.Next.ID, Occurrence: *f.Next.Occurrence, DueAt: task.UTC(f.Next.DueAt)}
	}
	if f.Created {
		out.Status = http.StatusCreated
	}
	return out, nil
}

func (a *Services) check(ctx context.Context, actor access.Actor, in *struct{ Body taskapi.Check }) (*checkOutput, error) {
	standings, err := a.Reminders.Check(ctx, actor, in.Body.Reminders)
	return &checkOutput{taskapi.Checked{Reminders: standings}}, err
}

type writtenOutput struct {
	Body taskapi.WrittenMails
}

func (a *Services) write(ctx context.Context, actor access.Actor, in *struct{ Body taskapi.WriteMails }) (*writtenOutput, error) {
	mails, err := a.Mails.Write(ctx, actor, in.Body.Mails)
	return &writtenOutput{taskapi.WrittenMails{Mails: mails}}, err
}
