// Package taskapi asks task-api, by Dapr service invocation, what notification
// cannot know by itself.
package taskapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
)

// MaxCheck is how many reminders one Check may ask for.
const MaxCheck = 200

// timeout bounds one call; the callers try again.
const timeout = 5 * time.Second

// Client calls task-api through the sidecar.
type Client struct {
	url   string
	token string
	http  *http.Client
}

// New returns a client that calls through the sidecar at sidecar
// (http://127.0.0.1:3500), with the token that the sidecar asks for.
func New(sidecar, token string) *Client {
	return &Client{
		url: sidecar + "/v1.0/invoke/task-api/method/internal/reminders/check", token: token,
		http: &http.Client{Timeout: timeout, Transport: otelhttp.NewTransport(http.DefaultTransport)},
	}
}

// Reminder names one reminder and the time it was to be delivered for.
type Reminder struct {
	ID uuid.UUID `json:"reminder_id"`
	At time.Time `json:"remind_at"`
}

// Standing says whether a reminder is still to be delivered, and to whom.
type Standing struct {
	Reminder
	Stands bool   `json:"stands"`
	Reason string `json:"reason"` // why not: completed, deleted or moved
	User   User   `json:"user"`
}

// User is the owner of a reminder's task.
type User struct {
	ID       uuid.UUID `json:"id"`
	Email    string    `json:"email"`
	Timezone string    `json:"timezone"`
}

// Check asks which of the reminders (at most MaxCheck) still stand. The answer
// holds one Standing for each, in the same order. Every error may pass: the
// sidecar or task-api is away, or not set up yet.
func (c *Client) Check(ctx context.Context, reminders []Reminder) ([]Standing, error) {
	body, err := json.Marshal(map[string]any{"reminders": reminders})
	if err != nil {
		return nil, fmt.Errorf("encode the reminders to check: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("check reminders: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	if c.token != "" {
		req.Header.Set("dapr-api-token", c.token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("check reminders: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		// The body is read so that the connection can be used again.
		_, _ = io.CopyN(io.Discard, res.Body, 64<<10)
		return nil, fmt.Errorf("check reminders: task-api answered %s", res.Status)
	}
	var answer struct {
		Reminders []Standing `json:"reminders"`
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&answer); err != nil {
		return nil, fmt.Errorf("check reminders: read the answer: %w", err)
	}
	type key struct {
		id uuid.UUID
		at int64
	}
	found := make(map[key]Standing, len(answer.Reminders))
	for _, s := range answer.Reminders {
		found[key{s.ID, s.At.UnixMicro()}] = s
	}
	standings := make([]Standing, len(reminders))
	for i, r := range reminders {
		s, ok := found[key{r.ID, r.At.UnixMicro()}]
		if !ok {
			return nil, fmt.Errorf("check reminders: the answer lacks reminder %s", r.ID)
		}
		standings[i] = s
	}
	return standings, nil
}
