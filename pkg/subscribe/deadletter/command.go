// Package deadletter is the command with which operators look after the dead
// letters of a consumer.
package deadletter

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/taskwire/taskwire/pkg/progress"
	"github.com/taskwire/taskwire/pkg/service"
	"github.com/taskwire/taskwire/pkg/subscribe"
)

const name = "dead-letters"

const usage = `
dead-letters list [--topic TOPIC] [--type TYPE] [--before TIME] [--all] [--limit N] [--after ID]
    The open letters, the oldest first; with --all those that were resolved too.
    --before is when they were received, as 2027-03-01T08:00:00Z.
dead-letters show ID [--raw]
    A letter with what was done with it, and its record; --raw writes the bytes alone.
dead-letters replay ID… [--operator NAME]
dead-letters replay --all [--topic TOPIC] [--type TYPE] [--before TIME] [--operator NAME]
dead-letters replay … --dry-run
    Handle the records again, through the inbox, in this process. A letter whose
    event has had its effect is resolved; one that fails again stays open, and the
    command ends with 1. --all is all that are open, or those of a topic, a type or a
    time. --dry-run says of each what would come of it, as far as that can be known:
    it is handled in a transaction that is undone, where its effect is in the
    service's own database.
dead-letters discard ID… --reason TEXT [--operator NAME]
dead-letters discard --all [--topic TOPIC] [--type TYPE] [--before TIME] --reason TEXT [--operator NAME]
dead-letters discard … --dry-run
    Resolve letters without any effect.

Every replay and discard is recorded with the NAME of who decided it: that of
the operating system's user unless it is given. In an image, where that is the
same for everybody, it has to be given. With --all letters that are done with are
not named, and of those that fail the first 20.`

const (
	// pageSize is how many letters are listed, or discarded, at once.
	pageSize = 500
	// listed is how many letters a list shows unless it is told.
	listed = 100
	// shownFailures is how many of the letters that fail are named with --all.
	shownFailures = 20
	// maxOperator is how many characters the name of an operator has at most.
	maxOperator = 100
)

// command is one call of dead-letters.
type command struct {
	act  func(*command, context.Context) error
	ids  []int64
	of   subscribe.LetterFilter
	bulk bool // --all

	raw      bool
	dryRun   bool
	reason   string
	operator string

	events   *subscribe.Subscriber
	out      io.Writer
	progress progress.Reporter
}

// Command is dead-letters of a service: events are its topics and what becomes
// of their events.
func Command[S service.Configured](events func(S, service.Base) *subscribe.Subscriber) service.Command[S] {
	return service.Command[S]{
		Name: name, Help: "list, show, replay and discard the events that could not be handled", Usage: usage,
		Parse: func(settings S, args []string) (service.Work, error) {
			c, err := parse(args)
			if err != nil {
				return nil, err
			}
			return func(ctx context.Context, base service.Base) error {
				return c.run(ctx, events(settings, base), os.Stdout, progress.On(os.Stderr))
			}, nil
		},
	}
}

// parse reads the arguments.
func parse(args []string) (*command, error) {
	if len(args) == 0 {
		return nil, errors.New(name + ": say what to do: list, show, replay or discard")
	}
	c := &command{}
	flags := flag.NewFlagSet(name+" "+args[0], flag.ContinueOnError)
	filter := func() {
		flags.StringVar(&c.of.Topic, "topic", "", "")
		flags.StringVar(&c.of.Type, "type", "", "")
		flags.Func("before", "", func(s string) (err error) {
			if c.of.Before, err = time.Parse(time.RFC3339, s); err != nil {
				return errors.New("not a time such as 2027-03-01T08:00:00Z")
			}
			return nil
		})
	}
	var check func() error
	switch args[0] {
	case "list":
		filter()
		flags.BoolVar(&c.of.All, "all", false, "")
		flags.IntVar(&c.of.Limit, "limit", listed, "")
		flags.Int64Var(&c.of.After, "after", 0, "")
		c.act, check = (*command).list, c.checkList
	case "show":
		flags.BoolVar(&c.raw, "raw", false, "")
		c.act, check = (*command).show, c.checkShow
	case "replay":
		filter()
		c.act, check = (*command).replay, c.checkAct
	case "discard":
		filter()
		flags.StringVar(&c.reason, "reason", "", "")
		c.act, check = (*command).discard, c.checkDiscard
	default:
		return nil, fmt.Errorf("%q is not one of list, show, replay and discard", args[0])
	}
	if args[0] == "replay" || args[0] == "discard" {
		flags.BoolVar(&c.bulk, "all", false, "")
		flags.BoolVar(&c.dryRun, "dry-run", false, "")
		flags.StringVar(&c.operator, "operator", account(), "")
	}
	rest, err := service.ParseFlags(flags, args[1:])
	if err != nil {
		return nil, err
	}
	for _, a := range rest {
		id, err := strconv.ParseInt(a, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is no id of a dead letter", a)
		}
		c.ids = append(c.ids, id)
	}
	return c, check()
}

// run does what was asked, with the handlers of events, and answers on out.
func (c *command) run(ctx context.Context, events *subscribe.Subscriber, out io.Writer, p progress.Reporter) error {
	c.events, c.out, c.progress = events, out, p
	return c.act(c, ctx)
}

func (c *command) checkList() error {
	if len(c.ids) > 0 || c.of.Limit < 1 {
		return errors.New("list takes no ids, and a --limit of at least 1")
	}
	return nil
}

func (c *command) checkShow() error {
	if len(c.ids) != 1 {
		return errors.New("show takes the id of one letter")
	}
	return nil
}

func (c *command) checkDiscard() error {
	if strings.TrimSpace(c.reason) == "" && !c.dryRun {
		return errors.New("discard needs --reason: it is kept with the letter")
	}
	return c.checkAct()
}

func (c *command) checkAct() error {
	if c.bulk == (len(c.ids) > 0) {
		return errors.New("say which letters: their ids, or --all")
	}
	if !c.bulk && (c.of.Topic != "" || c.of.Type != "" || !c.of.Before.IsZero()) {
		return errors.New("--topic, --type and --before go with --all")
	}
	if c.dryRun {
		return nil
	}
	return c.checkOperator()
}

// imageUser is whom the services run as in an image (images/build.go).
const imageUser = "nonroot"

// account is the name of the operating system's user, where it says who acts.
func account() string {
	u, err := user.Current()
	if err != nil || u.Username == imageUser {
		return "" // checkOperator asks for a name
	}
	if sudo := os.Getenv("SUDO_USER"); u.Username == "root" && sudo != "" {
		return sudo
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

// replay handles the letters one after another and goes on after a failure.
func (c *command) replay(ctx context.Context) error {
	if c.dryRun {
		return c.each(ctx, "would be replayed", func(ctx context.Context, id int64) (string, error) {
			outlook, err := c.events.TryLetter(ctx, id)
			return string(outlook), err
		})
	}
	return c.each(ctx, "replayed", func(ctx context.Context, id int64) (string, error) {
		return "replayed", c.events.ReplayLetter(ctx, id, c.operator)
	})
}

func (c *command) discard(ctx context.Context) error {
	switch {
	case c.dryRun && c.bulk:
		n, _, err := c.events.CountLetters(ctx, c.of)
		if err == nil {
			fmt.Fprintf(c.out, "%d would be discarded\n", n)
		}
		return err
	case c.dryRun:
		return c.each(ctx, "would be discarded", func(ctx context.Context, id int64) (string, error) {
			l, _, err := c.events.Letter(ctx, id)
			if err == nil && l.ResolvedAt != nil {
				err = subscribe.ErrResolved
			}
			return "would be discarded", err
		})
	case c.bulk:
		return c.discardAll(ctx)
	}
	return c.each(ctx, "discarded", func(ctx context.Context, id int64) (string, error) {
		return "discarded", c.events.DiscardLetter(ctx, id, c.operator, c.reason)
	})
}

// discardAll discards what the filter chooses.
func (c *command) discardAll(ctx context.Context) error {
	total, last, err := c.events.CountLetters(ctx, c.of)
	if err != nil {
		return err
	}
	bar := c.progress.Begin("discard", total)
	of, done := c.of, 0
	of.UpTo = last // what comes meanwhile nobody has seen
	for of.Limit = pageSize; total > 0; {
		var ids []int64
		if ids, err = c.events.DiscardLetters(ctx, of, c.operator, c.reason); err != nil || len(ids) == 0 {
			break
		}
		of.After = slices.Max(ids)
		done += len(ids)
		bar.Add(len(ids))
	}
	bar.End()
	fmt.Fprintf(c.out, "%d discarded\n", done)
	return err
}

// each does something with every letter, and says which it could not be done with, and
// of those named by their ids what became of them.
func (c *command) each(ctx context.Context, done string, do func(context.Context, int64) (string, error)) error {
	var failed int64
	good := map[string]int64{} // by what became of them
	one := func(id int64) error {
		outcome, err := do(ctx, id)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			if good[outcome]++; c.bulk {
				return nil
			}
		default:
			outcome = printable(strings.TrimSpace(err.Error()))
			if failed++; c.bulk && failed > shownFailures {
				return nil
			}
		}
		fmt.Fprintf(c.out, "%d: %s\n", id, outcome)
		return nil
	}
	if !c.bulk {
		for _, id := range c.ids {
			if err := one(id); err != nil {
				return err
			}
		}
		return failures(failed)
	}
	err := c.throughAll(ctx, one)
	if more := failed - shownFailures; more > 0 {
		fmt.Fprintf(c.out, "… and %d more\n", more)
	}
	var sum int64
	for _, outcome := range slices.Sorted(maps.Keys(good)) {
		if sum += good[outcome]; c.dryRun {
			fmt.Fprintf(c.out, "%d %s\n", good[outcome], outcome)
		}
	}
	fmt.Fprintf(c.out, "%d %s, %d failed\n", sum, done, failed)
	return errors.Join(err, failures(failed))
}

// throughAll goes through what the filter chooses.
func (c *command) throughAll(ctx context.Context, one func(id int64) error) error {
	total, last, err := c.events.CountLetters(ctx, c.of)
	if err != nil || total == 0 {
		return err
	}
	bar := c.progress.Begin(name, total)
	defer bar.End()
	for of := c.of; ; {
		of.UpTo = last // what comes meanwhile nobody has seen
		of.Limit = pageSize
		page, err := c.events.Letters(ctx, of)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, l := range page {
			of.After = l.ID
			if err := one(l.ID); err != nil {
				return err
			}
			bar.Add(1)
		}
	}
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
