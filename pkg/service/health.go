package service

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/outage"
)

// Check is one thing that readiness looks at. A failing Needed check makes
// the service unready (503); any other only degraded (still 200).
type Check struct {
	Name   string
	Needed bool
	Run    func(ctx context.Context) error
}

// OffError is the error of a check whose part is switched off. Unlike others, it
// is told in the answer.
type OffError string

// Error says what is off.
func (o OffError) Error() string { return string(o) }

// checks are those of every service: whether its database can be reached, and without that
// being needed, whether it has room and takes writes. What is there can still be read.
func (b Base) checks() []Check {
	return []Check{
		{Name: "database", Needed: true, Run: func(ctx context.Context) error { return database.Noticed(ctx, b.DB.PingContext(ctx)) }},
		{Name: "disk", Run: func(context.Context) error { return database.DiskFull() }},
		{Name: "writes", Run: func(context.Context) error { return database.ReadOnly() }},
	}
}

// MountHealth adds /healthz (the process answers) and /readyz (what it needs is there): of
// each service its database, and more. Answers name the checks, not their errors: those may tell of
// hosts and users, and are logged, when a check begins to fail.
func (b Base) MountHealth(r chi.Router, more ...Check) {
	checks := append(b.checks(), more...)
	failing := make([]*outage.Outage, len(checks))
	for i, c := range checks {
		failing[i] = &outage.Outage{Log: slog.Default().With("check", c.Name), Gone: "a check of readiness fails", Back: "a check of readiness passes again"}
	}
	r.Get("/healthz", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "alive"})
	})
	r.Get("/readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		// Side by side: one that hangs must not fail the others.
		errs := make([]error, len(checks))
		var asking sync.WaitGroup
		for i, c := range checks {
			asking.Go(func() { errs[i] = c.Run(ctx) })
		}
		asking.Wait()
		status, code := "ready", http.StatusOK
		results := map[string]string{}
		for i, c := range checks {
			results[c.Name] = "ok"
			if errs[i] == nil {
				failing[i].Worked()
				continue
			}
			results[c.Name] = "failing"
			var off OffError
			if errors.As(errs[i], &off) {
				results[c.Name] = off.Error()
			} else if r.Context().Err() == nil && !database.IsOutage(errs[i]) {
				failing[i].Failed(ctx, errs[i])
			}
			if c.Needed {
				status, code = "unready", http.StatusServiceUnavailable
			} else if status == "ready" {
				status = "degraded"
			}
		}
		writeJSON(w, code, map[string]any{"status": status, "checks": results})
	})
}

func writeJSON(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	// The prober may have gone; there is nobody left to tell.
	_ = json.NewEncoder(w).Encode(body)
}
