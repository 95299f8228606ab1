package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/eventlog"
	"github.com/taskwire/taskwire/pkg/service"
	"github.com/taskwire/taskwire/services/task-api/internal/migrations"
	"github.com/taskwire/taskwire/services/task-api/internal/progress"
)

// commands are what operators do with the event log.
var commands = []service.Command[settings]{
	{Name: "replay", Help: "publish events again that were published before", Run: replay, Usage: `
task-api replay --from TIME [--to TIME] [--topic TOPIC] [--task ID] [--after SEQ] [--rate N] [--dry-run]
    The events of the event log that happened between two moments (RFC 3339;
    --to is now unless it is given), in their order, with the ids that they had
    the first time: a consumer that has handled one knows it. --rate is how many
    go out in a second at most. --dry-run counts them and publishes nothing.
    Ctrl-C stops it; what it says then goes on with --after.`},
}

// replay publishes a part of the event log again.
func replay(ctx context.Context, cfg settings, base service.Base, args []string) error {
	flags := flag.NewFlagSet("replay", flag.ContinueOnError)
	of := eventlog.Range{Topics: event.Topics, To: time.Now()}
	moment := func(to *time.Time) func(string) error {
		return func(s string) (err error) {
			if *to, err = time.Parse(time.RFC3339, s); err != nil {
				return errors.New("not a time such as 2027-03-01T08:00:00Z")
			}
			return nil
		}
	}
	flags.Func("from", "", moment(&of.From))
	flags.Func("to", "", moment(&of.To))
	topic := flags.String("topic", "", "")
	flags.StringVar(&of.Key, "task", "", "")
	flags.Int64Var(&of.After, "after", 0, "")
	rate := flags.Int("rate", 0, "")
	dryRun := flags.Bool("dry-run", false, "")
	rest, err := service.ParseFlags(flags, args)
	if err != nil {
		return err
	}
	if err := service.NoArguments(flags, rest); err != nil {
		return err
	}
	if *topic != "" {
		if !slices.Contains(event.Topics, *topic) {
			return fmt.Errorf("--topic must be one of %s", strings.Join(event.Topics, ", "))
		}
		of.Topics = []string{*topic}
	}
	if of.From.IsZero() {
		return errors.New("replay needs --from, the moment from which on events are published again")
	}
	if *rate < 0 || of.After < 0 {
		return errors.New("--rate and --after can not be below 0")
	}
	if err := of.Check(time.Now(), cfg.EventRetention); err != nil {
		return err
	}

	r := &eventlog.Replay{DB: base.DB, Schema: migrations.Name, Rate: *rate, Log: base.Log}
	counted, err := r.Count(ctx, of)
	if err != nil {
		return err
	}
	total, err := countTable(counted)
	if err != nil || *dryRun || total == 0 {
		return err
	}
	return publishAgain(ctx, cfg, r, of, counted, total)
}

// publishAgain runs a replay and says how far it came.
func publishAgain(ctx context.Context, cfg settings, r *eventlog.Replay, of eventlog.Range, counted []eventlog.Counted, total int64) error {
	if !cfg.PublishingEnabled {
		return errors.New("EVENT_PUBLISHING_ENABLED is false: nothing is published")
	}
	way, err := transport(cfg)
	if err != nil {
		return err
	}
	defer way.Close()
	r.Publisher = way
	bar := progress.On(os.Stderr).Begin("replay", total)
	sent, reached := 0, of.After
	err = r.Run(ctx, of, counted, func(n int, seq int64) {
		sent, reached = sent+n, seq
		bar.Add(n)
	})
	bar.End()
	if ctx.Err() != nil {
		return fmt.Errorf("stopped after %d of %d events; go on with --after %d", sent, total, reached)
	}
	if err != nil {
		return fmt.Errorf("after %d of %d events; go on with --after %d: %w", sent, total, reached, err)
	}
	fmt.Fprintf(os.Stdout, "%d events published again\n", sent)
	return nil
}

// countTable prints how many events there are by topic and type.
func countTable(counted []eventlog.Counted) (total int64, err error) {
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TOPIC\tTYPE\tEVENTS")
	for _, c := range counted {
		fmt.Fprintf(table, "%s\t%s\t%d\n", c.Topic, c.Type, c.Events)
		total += c.Events
	}
	fmt.Fprintf(table, "\tall\t%d\n", total)
	return total, table.Flush()
}
