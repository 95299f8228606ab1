package delivery

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/outage"
	"github.com/taskwire/taskwire/pkg/taskapi"
)

const (
	// pollInterval is how long a worker sleeps at most: another replica may have
	// died right after it stored a reminder, and nobody else was woken for it.
	pollInterval = 5 * time.Second
	// checkBackoff is the longest pause while task-api cannot be asked. It is
	// short, because a reminder shall arrive within seconds of the recovery.
	checkBackoff = 5 * time.Second
	// claimLease is how long a claimed row is left to its worker before the
	// worker begins with it. It is short, because the rows of a worker that was
	// killed wait for its end; nothing is done twice when it ends too early, for
	// to show a notification or to begin a mail the fence must still hold.
	claimLease = 5 * time.Second
	// leaseMargin is what the lease of a mail lasts beyond the time it may take:
	// room for a slow database and for clocks that disagree.
	leaseMargin = 15 * time.Second
	// stopMargin is what a stop keeps of its time for what follows the last
	// mail: to record it (2 s), take leave of the mail server (1 s), and export
	// the traces.
	stopMargin = 4 * time.Second
)

// Checker says which deliveries still stand (taskapi.Client): reminders, and mails about
// accounts, of which it says what they say.
type Checker interface {
	Check(ctx context.Context, reminders []taskapi.Reminder) ([]taskapi.Standing, error)
	WriteMails(ctx context.Context, mails []uuid.UUID) ([]taskapi.AccountMail, error)
}

// standing is whether a delivery still stands, and to whom it goes.
type standing struct {
	stands bool
	reason string // why not
	user   taskapi.User
	mail   *taskapi.AccountMail // of the channel Account
}

// askReminders asks about reminders.
func askReminders(ctx context.Context, check Checker, rows []Row) ([]standing, error) {
	asked := make([]taskapi.Reminder, len(rows))
	for i, r := range rows {
		asked[i] = taskapi.Reminder{ID: r.ReminderID, At: r.RemindAt.UTC()}
	}
	answers, err := check.Check(ctx, asked)
	if err != nil {
		return nil, err
	}
	standings := make([]standing, len(answers))
	for i, a := range answers {
		standings[i] = standing{stands: a.Stands, reason: a.Reason}
		if a.User != nil {
			standings[i].user = *a.User
		}
	}
	return standings, nil
}

// askMails asks about mails about accounts. What they say stays in memory.
func askMails(ctx context.Context, check Checker, rows []Row) ([]standing, error) {
	asked := make([]uuid.UUID, len(rows))
	for i, r := range rows {
		asked[i] = r.ReminderID
	}
	answers, err := check.WriteMails(ctx, asked)
	if err != nil {
		return nil, err
	}
	standings := make([]standing, len(answers))
	for i, a := range answers {
		standings[i] = standing{a.Stands, a.Reason, taskapi.User{Email: a.To, Timezone: a.Timezone}, &a}
	}
	return standings, nil
}

// worker delivers what is due on one channel: it claims, checks, and dispatches what
// stands.
type worker struct {
	channel string
	batch   int // how many it claims at once, at most taskapi.MaxCheck
	store   store
	check   Checker
	ask     func(ctx context.Context, check Checker, rows []Row) ([]standing, error)
	clock   func() time.Time
	log     *slog.Logger
	woken   chan struct{}

	// dispatch takes over claimed rows that stand, and what it has not begun when
	// ctx ends it returns to the table. work is the context for what is begun.
	dispatch func(ctx, work context.Context, rows []Row, standing []standing) error

	failures int            // checks that failed in a row
	failing  *outage.Outage // the table
	asking   *outage.Outage // task-api
}

func newWorker(channel string, batch int, db *bun.DB, o Options) *worker {
	ask := askReminders
	if channel == Account {
		ask = askMails
	}
	log := o.Log.With("channel", channel)
	return &worker{
		channel: channel, batch: batch, store: store{db}, check: o.Check, ask: ask, clock: o.Clock,
		log: log, woken: make(chan struct{}, 1),
		failing: &outage.Outage{Log: log, Gone: "cannot deliver now; trying again", Back: "delivering again"},
		asking:  &outage.Outage{Log: log, Gone: "cannot ask task-api whether reminders stand; trying again", Back: "task-api says again whether reminders stand"},
	}
}

// wake makes the worker look at the table now. It never blocks.
func (w *worker) wake() {
	select {
	case w.woken <- struct{}{}:
	default: // it is about to look anyway
	}
}

// run works until ctx ends. A database that fails is tried again without end.
func (w *worker) run(ctx, work context.Context) {
	// It ends with ctx, and without an error.
	_ = database.Repeat(ctx, w.failing, w.woken, func(ctx context.Context) (time.Duration, error) { return w.round(ctx, work) })
}

// round claims and delivers one batch, and says how long to wait for the next.
func (w *worker) round(ctx, work context.Context) (time.Duration, error) {
	now := w.clock()
	// Under work, not ctx: a claim that a stop cut off may have been committed
	// all the same, and nobody would give it back before its lease ends.
	rows, err := w.store.claim(work, w.channel, w.batch, now, claimLease)
	if err != nil {
		return 0, err
	}
	if ctx.Err() != nil {
		return 0, w.store.release(work, rows, now, now, "")
	}
	if len(rows) == 0 {
		return w.untilNext(ctx)
	}
	standings, err := w.ask(ctx, w.check, rows)
	if err != nil {
		if ctx.Err() != nil {
			return 0, w.store.release(work, rows, now, now, "")
		}
		w.failures++
		pause := outage.Backoff(w.failures, 200*time.Millisecond, checkBackoff)
		w.asking.Failed(ctx, err, "waiting", len(rows))
		now = w.clock()
		return pause, w.store.release(work, rows, now, now.Add(pause), "task-api could not be asked whether it stands")
	}
	w.failures = 0
	w.asking.Worked()

	for i, s := range standings {
		if s.stands {
			continue
		}
		if err := w.store.cancel(work, &rows[i], w.clock(), s.reason); err != nil {
			return 0, err
		}
		w.outcome(work, &rows[i], Cancelled, slog.String("reason", s.reason))
	}
	var stand []Row
	var how []standing
	for i, s := range standings {
		if s.stands {
			stand, how = append(stand, rows[i]), append(how, s)
		}
	}
	if len(stand) == 0 {
		return 0, nil
	}
	return 0, w.dispatch(ctx, work, stand, how)
}

func (w *worker) untilNext(ctx context.Context) (time.Duration, error) {
	next, err := w.store.next(ctx, w.channel)
	if err != nil {
		return 0, err
	}
	if next.IsZero() {
		return pollInterval, nil
	}
	// What is due but locked is another worker's for a moment: not a reason to spin.
	return min(max(next.Sub(w.clock()), 20*time.Millisecond), pollInterval), nil
}

// outcome counts and logs what became of a delivery, without what it says or
// to whom: each that is given up, the others for who debugs.
func (w *worker) outcome(ctx context.Context, r *Row, state string, attrs ...slog.Attr) {
	deliveries.WithLabelValues(w.channel, state).Inc()
	level := slog.LevelDebug
	if state == Failed {
		level = slog.LevelWarn
	}
	attrs = append(attrs, slog.String("state", state), slog.String("delivery_id", r.ID.String()),
		slog.String("task_id", r.TaskID.String()), slog.String("trace_id", r.TraceID))
	w.log.LogAttrs(ctx, level, "delivery", attrs...)
}
