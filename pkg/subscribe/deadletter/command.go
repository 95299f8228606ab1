// Package deadletter is the command with which operators look after the dead
// letters of a consumer.
package deadletter

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/user"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/taskwire/taskwire/pkg/service"
	"github.com/taskwire/taskwire/pkg/subscribe"
)

const name = "dead-letters"

const usage = `
dead-letters list [--topic TOPIC] [--all] [--limit N] [--after ID]
    The open letters, the oldest first; with --all those that were resolved too.
dead-letters show ID [--raw]
    A letter with what was done with it, and its record; --raw writes the bytes alone.
dead-letters replay ID… [--operator NAME]
dead-letters replay --all [--topic TOPIC] [--operator NAME]
dead-letters replay ID…|--all --dry-run
    Handle the records again, through the inbox, in this process. A letter whose
    event has had its effect is resolved; one that fails again stays open, and the
    command ends with an error.
dead-letters discard ID… --reason TEXT [--operator NAME]
    Resolve letters without any effect.

Every replay and discard is recorded with the NAME of who decided it: that of
the operating system's user unless it is given. In an image, where that is the
same for everybody, it has to be given.`

// pageSize is how many letters are listed at once.
const pageSize = 100

// maxOperator is how many characters the name of an operator has at most.
const maxOperator = 100

// command is one call of dead-letters.
type command struct {
	events *subscribe.Subscriber
	out    io.Writer

	topic    string
	all      bool
	limit    int
	after    int64
	raw      bool
	dryRun   bool
	reason   string
	operator string
}

// Command is dead-letters of a service: events are its topics and what becomes
// of their events.
func Command[S service.Configured](events func(S, service.Base) *subscribe.Subscriber) service.Command[S] {
	return service.Command[S]{
		Name: name, Help: "list, show, replay and discard the events that could not be handled", Usage: usage,
		Parse: func(settings S, args []string) (service.Work, error) {
			return func(ctx context.Context, base service.Base) error {
				return Run(ctx, events(settings, base), os.Stdout, args)
			}, nil
		},
	}
}

// Run does what the arguments ask, with the handlers of events, and answers on out.
func Run(ctx context.Context, events *subscribe.Subscriber, out io.Writer, args []string) error {
	if len(args) == 0 {
		return errors.New("say what to do: list, show, replay or discard (see --help)")
	}
	c := &command{events: events, out: out}
	acts := map[string]func(context.Context, []string) error{"list": c.list, "show": c.show, "replay": c.replay, "discard": c.discard}
	act, ok := acts[args[0]]
	if !ok {
		return fmt.Errorf("%q is not one of list, show, replay and discard", args[0])
	}
	flags := flag.NewFlagSet(name+" "+args[0], flag.ContinueOnError)
	switch args[0] {
	case "list":
		flags.StringVar(&c.topic, "topic", "", "")
		flags.BoolVar(&c.all, "all", false, "")
		flags.IntVar(&c.limit, "limit", pageSize, "")
		flags.Int64Var(&c.after, "after", 0, "")
	case "show":
		flags.BoolVar(&c.raw, "raw", false, "")
	case "replay":
		flags.StringVar(&c.topic, "topic", "", "")
		flags.BoolVar(&c.all, "all", false, "")
		flags.BoolVar(&c.dryRun, "dry-run", false, "")
		flags.StringVar(&c.operator, "operator", account(), "")
	case "discard":
		flags.StringVar(&c.reason, "reason", "", "")
		flags.StringVar(&c.operator, "operator", account(), "")
	}
	rest, err := service.ParseFlags(flags, args[1:])
	if err != nil {
		return err
	}
	return act(ctx, rest)
}

// imageUser is whom the services run as in an image (images/build.go).
const imageUser = "nonroot"

// account is the name of the operating system's user, where it says who acts.
func account() string {
	u, err := user.Current()
	if err != nil || u.Username == imageUser {
		return "" // checkOperator asks for a name
	}
	return u.Username
}

// checkOperator wants a name that says who acts.
func (c *command) checkOperator() error {
	switch name := c.operator; {
	case strings.TrimSpace(name) == "":
		return errors.New("say who you are with --operator NAME: it is kept with the letter")
	case name != strings.TrimSpace(name), utf8.RuneCountInString(name) > maxOperator, printable(name) != name:
		return fmt.Errorf("--operator must be a name of at most %d characters that can be printed, without space around it", maxOperator)
	}
	return nil
}

func idsOf(args []string) ([]int64, error) {
	ids := make([]int64, len(args))
	for i, a := range args {
		var err error
		if ids[i], err = strconv.ParseInt(a, 10, 64); err != nil {
			return nil, fmt.Errorf("%q is no id of a dead letter", a)
		}
	}
	return ids, nil
}

// replay handles the letters one after another and goes on after a failure.
func (c *command) replay(ctx context.Context, args []string) error {
	ids, err := idsOf(args)
	if err != nil {
		return err
	}
	if c.all == (len(ids) > 0) {
		return errors.New("replay takes ids, or --all")
	}
	if c.topic != "" && !c.all {
		return errors.New("--topic goes with --all")
	}
	if !c.dryRun {
		if err := c.checkOperator(); err != nil {
			return err
		}
	}
	if !c.all {
		return c.each(ctx, ids, c.replayOne)
	}
	var failed, done, after int64
	for {
		page, err := c.events.Letters(ctx, subscribe.LetterFilter{Topic: c.topic, After: after, Limit: pageSize})
		if err != nil {
			return err
		}
		for _, l := range page {
			after = l.ID
			err := c.replayOne(ctx, l.ID)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				failed++
				fmt.Fprintf(c.out, "%d: %s\n", l.ID, printable(strings.TrimSpace(err.Error())))
				continue
			}
			done++
		}
		if len(page) < pageSize {
			break
		}
	}
	if c.dryRun {
		fmt.Fprintf(c.out, "%d letters would be replayed\n", done)
		return nil
	}
	fmt.Fprintf(c.out, "%d replayed, %d failed\n", done, failed)
	return failures(failed)
}

func (c *command) replayOne(ctx context.Context, id int64) error {
	if c.dryRun {
		l, _, err := c.events.Letter(ctx, id)
		if err != nil {
			return err
		}
		if l.ResolvedAt != nil {
			return subscribe.ErrResolved
		}
		fmt.Fprintf(c.out, "%d: would be replayed: %s %s\n", id, l.Topic, printable(l.Type))
		return nil
	}
	if err := c.events.ReplayLetter(ctx, id, c.operator); err != nil {
		return err
	}
	fmt.Fprintf(c.out, "%d: replayed\n", id)
	return nil
}

func (c *command) discard(ctx context.Context, args []string) error {
	ids, err := idsOf(args)
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		return errors.New("discard takes the ids of letters")
	}
	if strings.TrimSpace(c.reason) == "" {
		return errors.New("discard needs --reason: it is kept with the letter")
	}
	if err := c.checkOperator(); err != nil {
		return err
	}
	return c.each(ctx, ids, func(ctx context.Context, id int64) error {
		if err := c.events.DiscardLetter(ctx, id, c.operator, c.reason); err != nil {
			return err
		}
		fmt.Fprintf(c.out, "%d: discarded\n", id)
		return nil
	})
}

// each does something with every letter, and says which it could not be done with.
func (c *command) each(ctx context.Context, ids []int64, do func(context.Context, int64) error) error {
	var failed int64
	for _, id := range ids {
		if err := do(ctx, id); err != nil {
			failed++
			fmt.Fprintf(c.out, "%d: %s\n", id, printable(strings.TrimSpace(err.Error())))
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return failures(failed)
}

func failures(n int64) error {
	switch n {
	case 0:
		return nil
	case 1:
		return errors.New("1 letter failed")
	default:
		return fmt.Errorf("%d letters failed", n)
	}
}
