package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/eventlog"
	"github.com/taskwire/taskwire/pkg/progress"
	"github.com/taskwire/taskwire/pkg/service"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/migrations"
	"github.com/taskwire/taskwire/services/task-api/internal/reconcile"
	"github.com/taskwire/taskwire/services/task-api/internal/task"
)

// commands are what operators do with the event log and the tasks.
var commands = []service.Command[settings]{
	{Name: "replay", Help: "publish events again that were published before", Parse: replay, Usage: `
task-api replay --from TIME [--to TIME] [--topic TOPIC] [--task ID] [--after SEQ] [--rate N] [--dry-run]
    The events of the event log that happened between two moments (RFC 3339;
    --to is now unless it is given), in their order, with the ids that they had
    the first time: a consumer that has handled one knows it. --rate is how many
    go out in a second at most. --dry-run counts them and publishes nothing.
    Ctrl-C stops it; what it says then goes on with --after.`},
	{Name: "reconcile", Help: "prove that every change is told and has had its effect", Parse: reconciled, Usage: `
task-api reconcile [--since DURATION] [--wait DURATION] [--every DURATION]
                   [--replay] [--dry-run] [--login-stdin]
    Compares the tasks, the event log and what the consumers made of it, names
    what is missing, and what to do about it. It ends with 1 when something is,
    also when --replay mends it: run it again, and it ends with 0. It reads
    with MIGRATE_DATABASE_URL where that is set, since the services' own logins
    do not see each other's tables, and changes nothing; with --login-stdin that
    URL is read from standard input, for where the service does not have it.
    --since is how far it looks back (72h, say; EVENT_RETENTION unless it is
    given). While something is missing it looks again each minute, for as long as
    --wait says: a consumer may just be late. With --every it goes on, and looks
    again after that time. --replay publishes the events again whose effect a
    consumer lacks; one that has such an event for handled is made to forget it
    first. With --dry-run it says which. The result of a look at a day or more is
    kept, for task-api's metrics.`},
	{Name: "rezone", Help: "move due times to where a zone's new laws have them", Parse: rezone, Usage: `
task-api rezone [--dry-run]
    A due time is meant as a time on the wall in its task's zone, and so is a
    reminder's. What moment that is, the laws of the zone say, and they change: run
    this once the whole suite knows the new ones (the time zone database, tzdata,
    that is in its binaries). Of each open task it moves what lies ahead and would
    be shown at another time on the wall now than when it was written, with its
    reminders, as a change of the task that its owner's audit trail shows.
    --dry-run says what would be moved, and writes nothing. It may be stopped and
    run again, and runs beside the service.`},
	usersCommand,
}

// replay publishes a part of the event log again.
func replay(cfg settings, args []string) (service.Work, error) {
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
	if err := service.FlagsAlone(flags, args); err != nil {
		return nil, err
	}
	if *topic != "" {
		if !slices.Contains(event.Topics, *topic) {
			return nil, fmt.Errorf("--topic must be one of %s", strings.Join(event.Topics, ", "))
		}
		of.Topics = []string{*topic}
	}
	if of.From.IsZero() {
		return nil, errors.New("replay needs --from, the moment from which on events are published again")
	}
	if of.Key != "" {
		if _, err := uuid.Parse(of.Key); err != nil {
			return nil, fmt.Errorf("--task: %q is not the id of a task", of.Key)
		}
	}
	if *rate < 0 || of.After < 0 {
		return nil, errors.New("--rate and --after can not be below 0")
	}
	return func(ctx context.Context, base service.Base) error {
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
		sent, reached, err := publishAgain(ctx, cfg, r, of, counted, total)
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("stopped after %d of %d events; go on with --after %d", sent, total, reached)
		case err != nil:
			return fmt.Errorf("after %d of %d events; go on with --after %d: %w", sent, total, reached, err)
		}
		fmt.Fprintf(os.Stdout, "published again: %d\n", sent)
		return nil
	}, nil
}

// publishAgain runs a replay and says how far it came: how many were sent, and the
// place of the last one in the log.
func publishAgain(ctx context.Context, cfg settings, r *eventlog.Replay, of eventlog.Range, counted []eventlog.Counted, total int64) (sent int, reached int64, err error) {
	reached = of.After
	if !cfg.PublishingEnabled {
		return sent, reached, errNotPublishing
	}
	publisher, err := transport(cfg)
	if err != nil {
		return sent, reached, err
	}
	defer publisher.Close()
	r.Publisher = publisher
	bar := progress.On(os.Stderr).Begin("replay", total)
	err = r.Run(ctx, of, counted, func(n int, seq int64) {
		sent, reached = sent+n, seq
		bar.Add(n)
	})
	bar.End()
	return sent, reached, err
}

var errNotPublishing = errors.New("EVENT_PUBLISHING_ENABLED is false: nothing is published")

// reconciling is one call of reconcile.
type reconciling struct {
	cfg                   settings
	since, wait, every    time.Duration
	replay, dryRun, login bool
}

// reconciled compares the schemas of the suite.
func reconciled(cfg settings, args []string) (service.Work, error) {
	c := &reconciling{cfg: cfg}
	flags := flag.NewFlagSet("reconcile", flag.ContinueOnError)
	flags.DurationVar(&c.since, "since", cfg.EventRetention, "")
	flags.DurationVar(&c.wait, "wait", 0, "")
	flags.DurationVar(&c.every, "every", 0, "")
	flags.BoolVar(&c.replay, "replay", false, "")
	flags.BoolVar(&c.dryRun, "dry-run", false, "")
	flags.BoolVar(&c.login, "login-stdin", false, "")
	if err := service.FlagsAlone(flags, args); err != nil {
		return nil, err
	}
	switch {
	case c.since <= 0 || c.since > cfg.EventRetention:
		return nil, fmt.Errorf("--since must be more than 0 and at most EVENT_RETENTION (%s): older events are not kept", cfg.EventRetention)
	case c.wait < 0 || c.every < 0:
		return nil, errors.New("--wait and --every can not be below 0")
	case c.dryRun && !c.replay:
		return nil, errors.New("--dry-run goes with --replay: without it nothing is changed anyway")
	}
	return c.run, nil
}

func (c *reconciling) run(ctx context.Context, base service.Base) error {
	login := c.cfg.OwnerURL()
	if c.login {
		var err error
		if login, err = loginFrom(os.Stdin); err != nil {
			return err
		}
	}
	owner, err := database.Open(ctx, login)
	if err != nil {
		return err
	}
	defer owner.Close()
	if c.every == 0 {
		return c.look(ctx, base, owner)
	}
	for {
		if err := c.look(ctx, base, owner); err != nil && ctx.Err() == nil {
			base.Log.ErrorContext(ctx, "reconcile failed, or found something", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(c.every):
		}
	}
}

// look compares once, and does about the gaps what it is told to.
func (c *reconciling) look(ctx context.Context, base service.Base, owner *bun.DB) error {
	began := time.Now()
	r := &reconcile.Reconciler{DB: owner, Since: c.since, Now: time.Now, Progress: progress.On(os.Stderr)}
	results, err := r.Settle(ctx, c.wait, pollInterval)
	if err != nil {
		return err
	}
	if err := reconcile.Print(os.Stdout, results); err != nil {
		return err
	}
	if err := r.Record(ctx, base.DB, results); err != nil {
		return errors.Join(err, reconcile.Verdict(results))
	}
	verdict := reconcile.Verdict(results)
	if !c.replay || verdict == nil {
		return verdict
	}
	events := reconcile.Events(results)
	if len(events) == 0 {
		fmt.Fprintln(os.Stdout, "\nno gap is one that a replay mends")
		return verdict
	}
	fmt.Fprintln(os.Stdout)
	if c.dryRun {
		for _, e := range events {
			first := ""
			if e.HandledBy != "" {
				first = ", after " + e.HandledBy + " was made to forget it"
			}
			fmt.Fprintf(os.Stdout, "would be published again: %s%s\n", e.ID, first)
		}
		return verdict
	}
	if err := c.mend(ctx, base, r, began.Add(-c.since), events); err != nil {
		return err
	}
	fmt.Fprintln(os.Stdout, "the consumers take them in now: the same command without --replay says whether the gaps are closed")
	return verdict
}

// pollInterval is how long a reconcile waits before it looks again for what is missing.
const pollInterval = time.Minute

// loginFrom reads the URL of a login. On a command line others could see it.
func loginFrom(r io.Reader) (string, error) {
	raw, err := io.ReadAll(io.LimitReader(r, 4<<10))
	if err != nil {
		return "", fmt.Errorf("read the login: %w", err)
	}
	login := strings.TrimSpace(string(raw))
	if login == "" {
		return "", errors.New("--login-stdin: there is no login on standard input (postgres://owner:password@host/database)")
	}
	return login, nil
}

// replayChunk is how many events are named to the log at once.
const replayChunk = 5000

// mend has consumers forget events that they have for handled without their effect,
// and publishes the events behind the gaps again.
func (c *reconciling) mend(ctx context.Context, base service.Base, r *reconcile.Reconciler, from time.Time, events []reconcile.Event) error {
	if !c.cfg.PublishingEnabled {
		return errNotPublishing // before anything is forgotten in vain
	}
	forgotten, err := r.Forget(ctx, events)
	for schema, n := range forgotten {
		fmt.Fprintf(os.Stdout, "forgotten by %s: %d\n", schema, n)
	}
	if err != nil {
		return err
	}
	// Of several consumers that have it for handled, once.
	events = slices.CompactFunc(events, func(a, b reconcile.Event) bool { return a.ID == b.ID })
	sent := 0
	for chunk := range slices.Chunk(events, replayChunk) {
		of := eventlog.Range{From: from, To: time.Now(), Topics: event.Topics}
		for _, e := range chunk {
			of.IDs = append(of.IDs, e.ID)
		}
		counted := []eventlog.Counted{{First: chunk[0].Seq, Last: chunk[len(chunk)-1].Seq}}
		replay := &eventlog.Replay{DB: base.DB, Schema: migrations.Name, Log: base.Log}
		n, _, err := publishAgain(ctx, c.cfg, replay, of, counted, int64(len(chunk)))
		sent += n
		if err = errors.Join(ctx.Err(), err); err != nil {
			return fmt.Errorf("after %d of %d events; the same command again goes on: %w", sent, len(events), err)
		}
	}
	fmt.Fprintf(os.Stdout, "published again: %d\n", sent)
	return nil
}

// rezonedShown is how many tasks a rezone names.
const rezonedShown = 20

// rezone moves what the new laws of zones have at another moment.
func rezone(cfg settings, args []string) (service.Work, error) {
	flags := flag.NewFlagSet("rezone", flag.ContinueOnError)
	dryRun := flags.Bool("dry-run", false, "")
	if err := service.FlagsAlone(flags, args); err != nil {
		return nil, err
	}
	return func(ctx context.Context, base service.Base) error { return moveTimes(ctx, cfg, base, *dryRun) }, nil
}

func moveTimes(ctx context.Context, cfg settings, base service.Base, dryRun bool) error {
	// Nobody carries these signals to the service: the relay looks each second anyway, and
	// the reminder clock is woken in the end.
	const reminders = "taskwire_reminders"
	tasks := &task.Store{DB: base.DB, Changes: &change.Writer{
		DB: base.DB, Now: time.Now,
		Events: eventlog.NewSignal(cfg.DatabaseURL, "taskwire_events", base.Log),
		Clock:  eventlog.NewSignal(cfg.DatabaseURL, reminders, base.Log),
	}}
	total, err := tasks.Count(ctx)
	if err != nil {
		return err
	}
	var report rezoneReport
	bar := progress.On(os.Stderr).Begin("rezone", total)
	err = tasks.Rezone(ctx, dryRun, report.add, bar.Add)
	bar.End()
	if ctx.Err() != nil {
		err = errors.New("stopped; the same command goes on with what is left")
	}
	if printErr := report.print(os.Stdout, dryRun); printErr != nil {
		err = errors.Join(err, printErr)
	}
	if err != nil || dryRun {
		return err
	}
	if _, err := base.DB.ExecContext(ctx, "SELECT pg_notify(?, '')", reminders); err != nil {
		return fmt.Errorf("wake the reminder clock: %w", err)
	}
	return nil
}

// rezoneReport is what a rezone did, by zone.
type rezoneReport struct {
	zones map[string]*rezonedZone
	first []task.Rezoned
}

type rezonedZone struct{ dues, reminders, noted int }

func (r *rezoneReport) add(one task.Rezoned) {
	if r.zones == nil {
		r.zones = map[string]*rezonedZone{}
	}
	zone := r.zones[one.Timezone]
	if zone == nil {
		zone = &rezonedZone{}
		r.zones[one.Timezone] = zone
	}
	zone.reminders += one.Reminders
	if one.Noted {
		zone.noted++
	}
	if one.DueAt.IsZero() {
		return
	}
	zone.dues++
	if len(r.first) < rezonedShown {
		r.first = append(r.first, one)
	}
}

func (r *rezoneReport) print(w io.Writer, dryRun bool) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ZONE\tDUE TIMES\tREMINDERS\tNOT KNOWN BEFORE")
	var all rezonedZone
	for _, name := range slices.Sorted(maps.Keys(r.zones)) {
		z := r.zones[name]
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\n", name, z.dues, z.reminders, z.noted)
		all.dues, all.reminders, all.noted = all.dues+z.dues, all.reminders+z.reminders, all.noted+z.noted
	}
	fmt.Fprintf(table, "all\t%d\t%d\t%d\n", all.dues, all.reminders, all.noted)
	if err := table.Flush(); err != nil {
		return err
	}
	if len(r.first) > 0 {
		fmt.Fprintln(w)
	}
	for _, one := range r.first {
		fmt.Fprintf(w, "task %s: due %s instead of %s\n", one.TaskID, one.DueAt.UTC().Format(time.RFC3339), one.DueWas.UTC().Format(time.RFC3339))
	}
	if n := all.dues - len(r.first); n > 0 {
		fmt.Fprintf(w, "and %d more\n", n)
	}
	if dryRun {
		fmt.Fprintln(w, "nothing was written")
	}
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
