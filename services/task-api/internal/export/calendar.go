package export

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/taskwire/taskwire/services/task-api/internal/task"
)

// calendar writes the tasks as an iCalendar object (RFC 5545), a VTODO each. What it has no
// words for, as how a rule treats a month's end, is in tasks.ndjson.
func (e *Export) calendar(ctx context.Context, w io.Writer) error {
	out := bufio.NewWriter(w)
	c := calendar{out}
	c.line("BEGIN", "VCALENDAR")
	c.line("VERSION", "2.0")
	c.line("PRODID", "-//taskwire//taskwire//EN")
	err := e.eachTask(ctx, func(t *task.Task) error {
		if err := e.keep(ctx); err != nil {
			return err
		}
		return c.todo(t)
	})
	if err != nil {
		return err
	}
	c.line("END", "VCALENDAR")
	return out.Flush()
}

type calendar struct{ *bufio.Writer }

const (
	instant = "20060102T150405Z"
	wall    = "20060102T150405"
	date    = "20060102"
)

// priorities are those of RFC 5545, 3.8.1.9, by those of a task.
var priorities = map[string]string{"none": "0", "low": "9", "medium": "5", "high": "3", "urgent": "1"}

func (c calendar) todo(t *task.Task) error {
	c.line("BEGIN", "VTODO")
	c.line("UID", t.ID.String())
	c.line("DTSTAMP", t.UpdatedAt.UTC().Format(instant))
	c.line("CREATED", t.CreatedAt.UTC().Format(instant))
	c.line("LAST-MODIFIED", t.UpdatedAt.UTC().Format(instant))
	c.line("SUMMARY", escaped(t.Title))
	if t.Description != "" {
		c.line("DESCRIPTION", escaped(t.Description))
	}
	if len(t.Tags) > 0 {
		tags := make([]string, len(t.Tags))
		for i, tag := range t.Tags {
			tags[i] = escaped(tag)
		}
		c.line("CATEGORIES", strings.Join(tags, ","))
	}
	c.line("PRIORITY", priorities[t.Priority.String()])
	if t.ParentID != nil {
		c.line("RELATED-TO", t.ParentID.String())
	}
	if t.DueAt != nil {
		if err := c.due(t); err != nil {
			return err
		}
	}
	if t.IsComplete {
		c.line("STATUS", "COMPLETED")
		c.line("PERCENT-COMPLETE", "100")
	} else {
		c.line("STATUS", "NEEDS-ACTION")
	}
	if t.CompletedAt != nil {
		c.line("COMPLETED", t.CompletedAt.UTC().Format(instant))
	}
	c.line("END", "VTODO")
	return nil
}

// due writes when the task is due: a date, or an instant; of one that recurs the time on
// the wall, since its rule is meant there.
func (c calendar) due(t *task.Task) error {
	zone, err := time.LoadLocation(t.Timezone)
	if err != nil {
		return fmt.Errorf("the zone of task %s: %w", t.ID, err)
	}
	name, value := "", t.DueAt.UTC().Format(instant)
	switch {
	case t.AllDay:
		name, value = ";VALUE=DATE", t.DueAt.In(zone).Format(date)
	case t.Recurrence != nil:
		value = t.DueAt.In(zone).Format(wall)
	}
	c.line("DUE"+name, value)
	if t.Recurrence != nil && !t.IsComplete {
		c.line("DTSTART"+name, value)
		c.line("RRULE", t.Recurrence.RRule)
	}
	return nil
}

var escapes = strings.NewReplacer(`\`, `\\`, ";", `\;`, ",", `\,`, "\r\n", `\n`, "\n", `\n`, "\r", `\n`)

// escaped is a TEXT (RFC 5545, 3.3.11), which has no control characters.
func escaped(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f {
			return -1
		}
		return r
	}, escapes.Replace(text))
}

// folded is how many bytes a line has at most (RFC 5545, 3.1).
const folded = 75

// line writes a property. What fails fails the Flush.
func (c calendar) line(name, value string) {
	rest := name + ":" + value
	for most := folded; len(rest) > most; most = folded - 1 {
		end := most
		for !utf8.RuneStart(rest[end]) {
			end--
		}
		_, _ = c.WriteString(rest[:end] + "\r\n ")
		rest = rest[end:]
	}
	_, _ = c.WriteString(rest + "\r\n")
}
