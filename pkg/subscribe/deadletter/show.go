package deadletter

import (
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/taskwire/taskwire/pkg/subscribe"
)

// maxReason is how many characters of a reason a list shows.
const maxReason = 80

func (c *command) list(ctx context.Context) error {
	// One more than is shown reports whether there are more.
	of := c.of
	of.Limit++
	letters, err := c.events.Letters(ctx, of)
	if err != nil {
		return err
	}
	if len(letters) == 0 {
		fmt.Fprintln(c.out, "no dead letters")
		return nil
	}
	more := len(letters) > c.of.Limit
	if more {
		letters = letters[:c.of.Limit]
	}
	table := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tSTATE\tTOPIC\tTYPE\tRECEIVED\tBYTES\tREASON")
	for _, l := range letters {
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%d\t%s\n", l.ID, state(l), l.Topic, short(l.Type, 40), moment(l.ReceivedAt), l.Size, short(l.Reason, maxReason))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if more {
		fmt.Fprintf(c.out, "there are more: --after %d\n", letters[len(letters)-1].ID)
	}
	return nil
}

func (c *command) show(ctx context.Context) error {
	l, acts, err := c.events.Letter(ctx, c.ids[0])
	if err != nil {
		return err
	}
	if c.raw {
		_, err := c.out.Write(l.Payload)
		return err
	}
	table := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	for _, f := range [][2]string{
		{"id", fmt.Sprint(l.ID)},
		{"state", state(l)},
		{"topic", l.Topic},
		{"key", l.Key},
		{"event", strings.TrimSpace(l.Source + " " + l.EventID)},
		{"type", l.Type},
		{"received", moment(l.ReceivedAt)},
		{"reason", l.Reason},
	} {
		fmt.Fprintf(table, "%s\t%s\n", f[0], printable(strings.TrimSpace(f[1])))
	}
	for _, name := range slices.Sorted(maps.Keys(l.Metadata)) {
		fmt.Fprintf(table, "metadata\t%s\n", printable(name+"="+l.Metadata[name]))
	}
	for _, a := range acts {
		fmt.Fprintf(table, "history\t%s\n", printable(strings.TrimSpace(fmt.Sprintf("%s %s: %s by %q %s", moment(a.At), a.Act, a.Outcome, a.Operator, a.Reason))))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if utf8.Valid(l.Payload) {
		_, err = fmt.Fprintf(c.out, "\n%s\n", safe(string(l.Payload)))
	} else {
		_, err = fmt.Fprintf(c.out, "\n%s", hex.Dump(l.Payload))
	}
	return err
}

func state(l subscribe.Letter) string {
	if l.ResolvedAt == nil {
		return "open"
	}
	return l.Resolution
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// short is a text in one line, at most n characters of it.
func short(s string, n int) string {
	r := []rune(printable(strings.TrimSpace(s)))
	if len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return string(r)
}

// printable is a text in one line that can do nothing to a terminal: anyone who
// may publish chooses what is in a letter.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '·'
		}
		return r
	}, s)
}

// safe is printable for a text of several lines.
func safe(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		if !unicode.IsPrint(r) {
			return '·'
		}
		return r
	}, s)
}
