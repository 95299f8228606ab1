package rest

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
)

type createdOutput struct {
	Status   int
	ETag     string `header:"ETag" doc:"The version, for If-Match and If-None-Match"`
	Location string `header:"Location" doc:"Where the task is"`
	Body     *Task
}

func (a *Tasks) create(ctx context.Context, actor access.Actor, in *struct {
	Key  string `header:"Idempotency-Key" maxLength:"255" doc:"Chosen by you: a repetition within a day creates nothing and answers the same"`
	Body TaskInput
},
) (*createdOutput, error) {
	key, err := keyOf(in.Key, "", in.Body)
	if err != nil {
		return nil, err
	}
	out, err := answer(a.Store.Create(ctx, actor, in.Body.draft(), key))
	if err != nil {
		return nil, err
	}
	return &createdOutput{Status: http.StatusCreated, ETag: out.ETag, Location: "/api/tasks/" + out.Body.ID.String(), Body: out.Body}, nil
}

// keyOf is an Idempotency-Key with what it is for, a body of some kind; nil for none.
func keyOf(key, kind string, body any) (*change.Key, error) {
	if key == "" {
		return nil, nil
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("hash the request: %w", err)
	}
	sum := sha256.Sum256(append([]byte(kind), raw...))
	return &change.Key{Key: key, Hash: sum[:]}, nil
}
