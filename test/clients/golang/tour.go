// The README's tour, by the client that oapi-codegen makes.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"
)

func main() {
	if err := tour(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("toured")
}

// eventually waits for what follows a change: events take a moment.
func eventually(what string, look func() (bool, error)) error {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if found, err := look(); err != nil || found {
			return err
		}
	}
	return fmt.Errorf("not there: %s", what)
}

func tour(ctx context.Context) error {
	var token string
	api, err := NewClientWithResponses(os.Getenv("API"), WithRequestEditorFn(func(_ context.Context, req *http.Request) error {
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		return nil
	}))
	if err != nil {
		return err
	}
	zone := "Europe/Berlin"
	registered, err := api.RegisterWithResponse(ctx, nil, Registration{
		Email: fmt.Sprintf("ada-go-%d@example.org", time.Now().UnixNano()), Password: "correct horse battery", Timezone: &zone,
	})
	if err != nil || registered.JSON201 == nil {
		return fmt.Errorf("register: %v %s", err, registered.Body)
	}
	token = registered.JSON201.Token

	due, now := time.Date(2030, 3, 30, 8, 0, 0, 0, time.UTC), time.Now()
	created, err := api.CreateTaskWithResponse(ctx, nil, TaskInput{
		Title: "Water the orchids", DueAt: &due, Recurrence: &RecurrenceInput{Rrule: "FREQ=WEEKLY"}, Reminders: &[]ReminderInput{{At: &now}},
	})
	if err != nil || created.JSON201 == nil {
		return fmt.Errorf("create: %v %s", err, created.Body)
	}
	task := created.JSON201
	if task.ParentId != nil || task.Recurrence == nil || task.UserId != registered.JSON201.User.Id {
		return fmt.Errorf("created: %+v", task)
	}

	err = eventually("the notification", func() (bool, error) {
		list, err := api.ListNotificationsWithResponse(ctx, nil)
		return err == nil && list.JSON200 != nil && len(list.JSON200.Items) == 1, err
	})
	if err != nil {
		return err
	}
	yes := true
	done, err := api.CompleteTaskWithResponse(ctx, task.Id, nil, TaskCompletion{IsComplete: &yes})
	if err != nil || done.JSON200 == nil || done.JSON200.CompletedAt == nil {
		return fmt.Errorf("complete: %v %s", err, done.Body)
	}
	var next Task
	err = eventually("the next occurrence", func() (bool, error) {
		open := False
		list, err := api.ListTasksWithResponse(ctx, &ListTasksParams{IsComplete: &open})
		if err != nil || list.JSON200 == nil || len(list.JSON200.Items) == 0 {
			return false, err
		}
		next = list.JSON200.Items[0]
		return true, nil
	})
	if err != nil {
		return err
	}
	if want := time.Date(2030, 4, 6, 7, 0, 0, 0, time.UTC); next.DueAt == nil || !next.DueAt.Equal(want) {
		return fmt.Errorf("the next occurrence is due at %v", next.DueAt)
	}
	err = eventually("the ledger and the history", func() (bool, error) {
		ledger, err := api.ListOccurrencesWithResponse(ctx, task.Id, nil)
		if err != nil || ledger.JSON200 == nil || len(ledger.JSON200.Items) < 2 {
			return false, err
		}
		history, err := api.TaskHistoryWithResponse(ctx, task.Id, nil)
		return err == nil && history.JSON200 != nil && len(history.JSON200.Items) == 2, err
	})
	if err != nil {
		return err
	}
	stale := `"1"`
	changed, err := api.UpdateTaskWithResponse(ctx, task.Id, &UpdateTaskParams{IfMatch: &stale}, TaskPatch{Title: &task.Title})
	if err != nil || changed.ApplicationproblemJSON412 == nil || changed.ApplicationproblemJSON412.Type != "/problems/task-changed" {
		return fmt.Errorf("a stale change: %v %s", err, changed.Body)
	}
	return nil
}
