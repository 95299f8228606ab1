package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
)

// completionsAreFollowed: a completed recurring task has exactly one successor,
// a series at most one open task, and the ledger says what the rows say. A task
// that was deleted before it could be followed may have none.
func (t *truth) completionsAreFollowed(ctx context.Context) (*check, error) {
	c := t.check("completions = next occurrences")
	followers := map[uuid.UUID]int{}
	open := map[uuid.UUID]int{}
	for id, r := range t.rows {
		if r.Follows != nil {
			followers[*r.Follows]++
		}
		if r.Series == nil || r.IsComplete {
			continue
		}
		if open[*r.Series]++; open[*r.Series] > 1 {
			c.double("series %s has %d open tasks, one of them %s", *r.Series, open[*r.Series], id)
		}
	}
	completed := map[uuid.UUID]bool{}
	made := map[uuid.UUID][]acknowledged{} // by series
	for _, e := range t.told {
		switch {
		case e.Series == nil || e.Occurrence == nil:
		case e.Type == "task.created":
			made[*e.Series] = append(made[*e.Series], e)
		case e.Type == "task.completed" && e.IsRecurring:
			completed[e.Task] = true
		}
	}
	c.compared = len(completed)
	for series, chain := range made {
		// A daily task is followed by one of a later day, and its title goes along.
		slices.SortFunc(chain, func(a, b acknowledged) int { return cmp.Compare(*a.Occurrence, *b.Occurrence) })
		for i, e := range chain {
			if i > 0 && *e.Occurrence == *chain[i-1].Occurrence {
				c.double("series %s has occurrence %s twice: tasks %s and %s", series, *e.Occurrence, chain[i-1].Task, e.Task)
			}
			if i > 0 && !completed[chain[i-1].Task] {
				c.invent("task %s follows %s, which was never completed", e.Task, chain[i-1].Task)
			}
			if i == len(chain)-1 && completed[e.Task] && !t.tasks[e.Task].deleted {
				c.lose("task %s was completed, and nothing follows it in series %s", e.Task, series)
			}
		}
	}
	for id := range completed {
		if followers[id] > 1 {
			c.double("task %s is followed by %d", id, followers[id])
		}
	}

	type entry struct {
		Series     uuid.UUID
		Occurrence string
		Task       *uuid.UUID
		Status     string
	}
	ledger, err := collect[entry](ctx, t.db, `SELECT series_id AS series, occurrence, task_id AS task, status FROM recurring.occurrences`)
	if err != nil {
		return nil, fmt.Errorf("read the ledger of occurrences: %w", err)
	}
	status := map[uuid.UUID]string{}
	for _, e := range ledger {
		if e.Task != nil {
			status[*e.Task] = e.Status
		}
	}
	for id, r := range t.rows {
		if r.Series == nil {
			continue
		}
		want := "open"
		if r.IsComplete {
			want = "done"
		}
		if status[id] != want {
			c.lose("occurrence %s of series %s (task %s) is %s, and %q in the ledger", *r.Occurrence, *r.Series, id, want, status[id])
		}
	}
	return c, nil
}
