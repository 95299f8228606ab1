package main

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/event"
)

// series is what the log tells of one, event by event.
type series struct {
	// tasks are what each task stands for now; of one that is gone, what it stood for.
	tasks map[uuid.UUID]*standing
	// reopened tells that a task was open again beside the one that was open, or was to come.
	reopened bool
	ended    bool // with the last open one
}

type standing struct {
	occurrence string
	status     string // as the ledger calls it
	done       bool
	followed   bool // by another one, as it was done or skipped
}

// seriesGoOn: each occurrence of a series follows one that was completed or skipped, and
// is the next day that none has stood for; a series has one open task, or was ended; and
// the ledger says what the log says. What follows is worked out here by the calendar
// alone, not by the package that the suite uses: all rules are daily, and due ahead.
func (t *truth) seriesGoOn(ctx context.Context) (*check, error) {
	c := t.check("completions = next occurrences")
	return c, t.ledgerIsTheLog(ctx, c, t.series(c))
}

// series are those of the log, each checked by itself.
func (t *truth) series(c *check) map[uuid.UUID]*series {
	all := map[uuid.UUID]*series{}
	of := map[uuid.UUID]uuid.UUID{} // the series of a task
	for _, e := range t.told {      // by seq
		if e.Series == nil || e.Occurrence == nil {
			continue
		}
		s := all[*e.Series]
		if s == nil {
			s = &series{tasks: map[uuid.UUID]*standing{}}
			all[*e.Series] = s
		}
		if was, ok := of[e.Task]; ok && was != *e.Series {
			// Moved onto a date that its series has had: it goes on in one of its own.
			if old := all[was]; old.tasks[e.Task].status == "open" {
				delete(old.tasks, e.Task)
				old.ended = true
			}
			s.tasks[e.Task] = &standing{}
		}
		of[e.Task] = *e.Series
		if e.Type == "task.completed" && e.IsRecurring {
			c.compared++
		}
		t.tell(c, s, e)
	}
	for id, s := range all {
		open := 0
		for task, now := range s.tasks {
			if now.status != "open" {
				continue
			}
			if open++; open > 1 && !s.reopened {
				c.double("series %s has %d open tasks, one of them %s", id, open, task)
			}
		}
		if open == 0 && !s.ended {
			c.lose("series %s has no open task, and was not ended", id)
		}
	}
	return all
}

// tell is one event of a series.
func (t *truth) tell(c *check, s *series, e acknowledged) {
	now := s.tasks[e.Task]
	switch e.Type {
	case "task.created":
		if now != nil && now.status != "taken_back" {
			c.double("task %s was created again", e.Task)
		}
		if e.Follows != nil {
			t.follows(c, s, e)
		} else if len(s.tasks) > 0 {
			c.invent("task %s begins a series that is there", e.Task)
		}
		s.tasks[e.Task], s.ended = &standing{occurrence: *e.Occurrence, status: "open"}, false
	case "task.deleted":
		switch {
		case now == nil:
		case e.IsComplete:
			now.status, now.done = "done", true
		case e.Outcome == nil:
			c.lose("event %s does not say what became of the occurrence", e.ID)
		default:
			now.status = *e.Outcome
			s.ended = *e.Outcome == "ended"
		}
	default:
		if now == nil {
			return // rowsAreTheLog says so
		}
		if now.done && !e.IsComplete {
			for task, other := range s.tasks {
				// What followed it may have been moved to a day before it.
				beside := other.status == "open" || other.status == "done" && !other.followed // or it is on its way
				s.reopened = s.reopened || task != e.Task && beside
			}
		}
		now.occurrence, now.done, now.status = *e.Occurrence, e.IsComplete, "open"
		if e.IsComplete {
			now.status = "done"
		}
		s.ended = s.ended && e.IsComplete
	}
}

// follows checks a task that follows another.
func (t *truth) follows(c *check, s *series, e acknowledged) {
	taken := map[string]bool{}
	var before *standing
	for _, one := range s.tasks {
		if one.status != "taken_back" {
			taken[one.occurrence] = true
		}
		if one.occurrence == *e.Follows && one.status != "taken_back" {
			before = one
		}
	}
	if before == nil || before.status == "open" && !t.skippedLater(e, *e.Follows) {
		c.invent("task %s follows %s, which was neither completed nor skipped", e.Task, *e.Follows)
	}
	if before != nil {
		before.followed = true
	}
	day, err := time.Parse(event.WallLayout, *e.Follows)
	if err != nil {
		c.invent("task %s follows %s: %v", e.Task, *e.Follows, err)
		return
	}
	for day = day.AddDate(0, 0, 1); taken[day.Format(event.WallLayout)]; {
		day = day.AddDate(0, 0, 1)
	}
	if want := day.Format(event.WallLayout); *e.Occurrence != want {
		c.invent("task %s follows %s and stands for %s, not for %s", e.Task, *e.Follows, *e.Occurrence, want)
	}
}

// skippedLater says whether an occurrence was skipped, or deleted when it was done, in
// the change that created the one that follows it: its own event comes after.
func (t *truth) skippedLater(created acknowledged, occurrence string) bool {
	for _, e := range t.told {
		if e.Seq > created.Seq && e.Type == "task.deleted" && e.At.Equal(created.At) && e.Series != nil && *e.Series == *created.Series && *e.Occurrence == occurrence {
			return true
		}
	}
	return false
}

// ledgerIsTheLog compares what became of each occurrence.
func (t *truth) ledgerIsTheLog(ctx context.Context, c *check, all map[uuid.UUID]*series) error {
	type entry struct {
		Series     uuid.UUID
		Occurrence string
		Task       *uuid.UUID
		Status     string
	}
	ledger, err := collect[entry](ctx, t.db, `SELECT series_id AS series, occurrence, task_id AS task, status FROM recurring.occurrences`)
	if err != nil {
		return fmt.Errorf("read the ledger of occurrences: %w", err)
	}
	type place struct {
		series     uuid.UUID
		occurrence string
	}
	status := map[place]string{}
	for _, e := range ledger {
		status[place{e.Series, e.Occurrence}] = e.Status
	}
	for id, s := range all {
		for task, now := range s.tasks {
			key := place{id, now.occurrence}
			if is := status[key]; is != now.status {
				c.lose("occurrence %s of series %s (task %s) is %s, and %q in the ledger", now.occurrence, id, task, now.status, is)
			}
			delete(status, key)
		}
	}
	for key, is := range status {
		c.invent("the ledger says that occurrence %s of series %s is %s", key.occurrence, key.series, is)
	}
	return nil
}
