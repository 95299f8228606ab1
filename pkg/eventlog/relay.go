package eventlog

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/uptrace/bun"
	"golang.org/x/sync/errgroup"

	"github.com/taskwire/taskwire/pkg/outage"
	"github.com/taskwire/taskwire/pkg/telemetry"
)

// Message is an event on its way to the broker: a structured CloudEvent.
type Message struct {
	ID          string
	Type        string
	Key         string
	TraceParent string // W3C, of the request that caused it
	Body        []byte
}

// Publisher brings messages to a topic of a broker.
type Publisher interface {
	// Publish returns nil when the broker has all messages, and the indexes of
	// those that it may not have together with the reason otherwise.
	Publish(ctx context.Context, topic string, messages []Message) (failed []int, err error)
}

const (
	placeRows    = 1000             // events given their place at once
	windowRows   = 3000             // events read at once, per topic
	windowBytes  = 4 << 20          // and their size, as near as their number can keep it
	firstWindow  = 256              // events read before their size is known
	batchRows    = 250              // events per call of the publisher
	batchBytes   = 1 << 20          // bytes per call; daprd refuses a call above 4 MiB
	lanes        = 3                // calls under way at once, per topic
	pollInterval = time.Second      // how often the log is read without a signal
	publishTime  = 15 * time.Second // limit of one call of the publisher
	minBackoff   = 100 * time.Millisecond
	maxBackoff   = 3 * time.Second
)

var (
	published = promauto.NewCounterVec(prometheus.CounterOpts{
		Name: "taskwire_events_published_total", Help: "Events that the broker has acknowledged.",
	}, []string{"topic"})
	publishFailures = promauto.NewCounterVec(prometheus.CounterOpts{
		Name: "taskwire_event_publish_failures_total", Help: "Calls of the publisher that failed in whole or in part.",
	}, []string{"topic"})
)

// Relay publishes the log of a schema, in order per key, at least once.
type Relay struct {
	DB        *bun.DB
	URL       string // for the connection that holds the ownership
	Schema    string
	Topics    []string
	Publisher Publisher
	Signal    *Signal
	Log       *slog.Logger

	failing atomic.Int32 // topics whose last call failed
	broker  *outage.Outage
}

func brokerOutage(log *slog.Logger) *outage.Outage {
	return &outage.Outage{Log: log, Gone: "the broker does not take events; they are kept and tried again", Back: "the broker takes events again", Causes: 3}
}

// Failing says whether this process owns the log and its last attempt to
// publish failed.
func (r *Relay) Failing() bool { return r.failing.Load() > 0 }

// Run publishes whenever this process owns the log, until ctx ends.
func (r *Relay) Run(ctx context.Context) error {
	r.broker = brokerOutage(r.Log)
	signal := r.Signal.Waiter()
	for _, topic := range r.Topics {
		// Start at 0, so that increase() sees the first failure.
		published.WithLabelValues(topic)
		publishFailures.WithLabelValues(topic)
	}
	return own(ctx, r.URL, r.Schema, r.Log, func(ctx context.Context, epoch int64) error {
		defer r.failing.Store(0)
		group, ctx := errgroup.WithContext(ctx)
		placed := make([]*placedRange, len(r.Topics))
		for i, topic := range r.Topics {
			placed[i] = &placedRange{wake: make(chan struct{}, 1)}
			group.Go(func() error { return r.relayTopic(ctx, epoch, topic, placed[i]) })
		}
		group.Go(func() error { return r.sequence(ctx, epoch, signal, placed) })
		return group.Wait()
	})
}

// relayTopic publishes what is placed of one topic. Topics do not wait for
// each other: a backlog of one delays no event of another.
//
//	read ── windows ──▶ dispatch ── by key ──▶ lanes ── publish
//	                       └───── in flight ──▶ advanceCursor, window by window
//
// Every channel is short, so that a slow broker stops the reading.
func (r *Relay) relayTopic(ctx context.Context, epoch int64, topic string, placed *placedRange) error {
	var cursor int64
	err := r.DB.NewRaw(`
		INSERT INTO ?0.event_cursors (topic) VALUES (?1)
		ON CONFLICT (topic) DO UPDATE SET topic = excluded.topic RETURNING published_seq`,
		bun.Ident(r.Schema), topic).Scan(ctx, &cursor)
	if err != nil {
		return fmt.Errorf("read the cursor of %s: %w", topic, err)
	}
	group, ctx := errgroup.WithContext(ctx)
	windows := make(chan []row)
	group.Go(func() error { return r.read(ctx, topic, cursor, placed, windows) })
	toLane := make([]chan laneRows, lanes)
	for i := range toLane {
		toLane[i] = make(chan laneRows, 1)
		group.Go(func() error { return r.publishLane(ctx, topic, toLane[i]) })
	}
	inFlight := make(chan *windowInFlight, 1)
	group.Go(func() error { return dispatch(ctx, windows, toLane, inFlight) })
	group.Go(func() error { return r.advanceCursor(ctx, epoch, topic, inFlight) })
	return group.Wait()
}

// windowInFlight is a window on its way to the broker.
type windowInFlight struct {
	last      int64         // its last seq
	lanesLeft atomic.Int32  // that have not published their rows yet
	published chan struct{} // closed by the last lane that publishes
}

// laneRows are the rows of a window that go by one lane.
type laneRows struct {
	rows []row
	of   *windowInFlight
}

// dispatch sends each window's rows to the lanes of their keys.
func dispatch(ctx context.Context, windows <-chan []row, toLane []chan laneRows, inFlight chan<- *windowInFlight) error {
	for {
		var window []row
		select {
		case <-ctx.Done():
			return ctx.Err()
		case window = <-windows:
		}
		f := &windowInFlight{last: window[len(window)-1].Seq, published: make(chan struct{})}
		f.lanesLeft.Store(lanes)
		for i, rows := range byLane(window) {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case toLane[i] <- laneRows{rows, f}:
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case inFlight <- f:
		}
	}
}

// byLane sorts rows into lanes: those of one key into the same one, always.
func byLane(window []row) [lanes][]row {
	var sorted [lanes][]row
	for _, e := range window {
		h := fnv.New32a()
		// Hash.Write never fails.
		_, _ = h.Write([]byte(e.Key))
		i := h.Sum32() % lanes
		sorted[i] = append(sorted[i], e)
	}
	return sorted
}

// publishLane publishes what comes to a lane, one after the other.
func (r *Relay) publishLane(ctx context.Context, topic string, incoming <-chan laneRows) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case next := <-incoming:
			if err := r.publishRows(ctx, topic, next.rows); err != nil {
				return err
			}
			if next.of.lanesLeft.Add(-1) == 0 {
				close(next.of.published)
			}
		}
	}
}

// advanceCursor moves the cursor behind each window that is published whole.
func (r *Relay) advanceCursor(ctx context.Context, epoch int64, topic string, inFlight <-chan *windowInFlight) error {
	for {
		var f *windowInFlight
		select {
		case <-ctx.Done():
			return ctx.Err()
		case f = <-inFlight:
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-f.published:
		}
		if err := r.move(ctx, epoch, topic, f.last); err != nil {
			return err
		}
	}
}

// read sends the rows of a topic behind cursor to windows, in their order.
func (r *Relay) read(ctx context.Context, topic string, cursor int64, placed *placedRange, windows chan<- []row) error {
	// No row behind the cursor and up to upTo was recorded before since. The
	// first look is at all that there is, of all ages.
	var since time.Time
	upTo := int64(math.MaxInt64)
	limit := firstWindow
	for {
		window, err := r.window(ctx, topic, cursor, upTo, since, limit)
		if err != nil {
			return err
		}
		if len(window) == 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-placed.wake:
			}
			if from, last, changed := placed.take(); changed {
				since, upTo = from, last
			}
			continue
		}
		cursor = window[len(window)-1].Seq
		whole := len(window) < limit // there is no more up to upTo
		limit = nextLimit(window)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case windows <- window:
		}
		if whole {
			if from, last, changed := placed.take(); changed {
				since, upTo = from, last
			}
		}
	}
}

// nextLimit is how many rows may be read next, so that a window of them stays
// near windowBytes: at most twice as many as now.
func nextLimit(window []row) int {
	size := 0
	for _, e := range window {
		size += len(e.Data)
	}
	limit := windowRows
	if size > 0 {
		limit = windowBytes / (size/len(window) + 1)
	}
	return max(min(limit, 2*max(len(window), firstWindow), windowRows), firstWindow/4)
}

// byIndex is what the relay's most frequent statements are planned under: one plan for
// all of their values, which takes rows from an index in the order that they are wanted in.
//
// Postgres thinks of what was written since it last looked at a partition (ANALYZE) as a
// few rows. Left to itself it reads all of a backlog and sorts it, for each window anew,
// and plans for that each time.
const byIndex = `SELECT set_config('plan_cache_mode', 'force_generic_plan', true), set_config('enable_sort', 'off', true),
	set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true), set_config('enable_seqscan', 'off', true)`

// prepared runs one of the relay's most frequent statements, past bun. Prepared once, and
// answered in binary, they cost this process and Postgres half as much; to plan one for
// the partitions of a month takes longer than to run it.
func (r *Relay) prepared(ctx context.Context, query string, args []any, read func(pgx.BatchResults) error) error {
	conn, err := r.DB.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close()
	return conn.Raw(func(driver any) error {
		conn := driver.(*stdlib.Conn).Conn()
		if _, err := conn.Prepare(ctx, query, query); err != nil {
			return err
		}
		// Together they are one transaction, with which the settings end.
		batch := &pgx.Batch{}
		batch.Queue(byIndex)
		batch.Queue(query, args...)
		results := conn.SendBatch(ctx, batch)
		_, err := results.Exec()
		if err == nil {
			err = read(results)
		}
		if closed := results.Close(); err == nil {
			err = closed
		}
		if err != nil {
			// A migration can have made it unfit for its tables: the next try prepares it anew.
			// Where this fails, too, the connection is gone, or the context has ended: a try
			// later than the next one does.
			_ = conn.Deallocate(ctx, query)
		}
		return err
	})
}

// window reads the next rows of a topic in their order.
func (r *Relay) window(ctx context.Context, topic string, cursor, upTo int64, since time.Time, limit int) ([]row, error) {
	// Columns by name: one that a later version adds is nothing to this one.
	query := `SELECT seq, id, type, key, trace_parent, occurred_at, data FROM ` + pgx.Identifier{r.Schema, "events"}.Sanitize() + `
		WHERE topic = $1 AND seq > $2 AND seq <= $3 AND recorded_at >= $4 ORDER BY seq LIMIT $5`
	window := make([]row, 0, limit)
	err := r.prepared(ctx, query, []any{topic, cursor, upTo, since, limit}, func(results pgx.BatchResults) error {
		rows, err := results.Query()
		if err != nil {
			return err
		}
		e := row{Topic: topic}
		_, err = pgx.ForEachRow(rows, []any{&e.Seq, (*[16]byte)(&e.ID), &e.Type, &e.Key, &e.TraceParent, &e.OccurredAt, &e.Data}, func() error {
			window = append(window, e)
			return nil
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the event log from %d of %s: %w", cursor, topic, err)
	}
	return window, nil
}

// move records how far a topic has been published. It does not wait for the disk: what
// a crash of Postgres takes back of it is published again, which consumers know. Nor
// does it wait for a placing, which locks the head: should another owner begin at this
// very moment, what is recorded is still true.
func (r *Relay) move(ctx context.Context, epoch int64, topic string, to int64) error {
	res, err := r.DB.NewRaw(`
		WITH lazily AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
		UPDATE ?0.event_cursors SET published_seq = ?1 FROM lazily
		WHERE topic = ?2 AND published_seq < ?1 AND EXISTS (SELECT FROM ?0.event_head WHERE epoch = ?3)`,
		bun.Ident(r.Schema), to, topic, epoch).Exec(ctx)
	if err != nil {
		return fmt.Errorf("move the cursor of %s: %w", topic, err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return errors.Join(errFenced, err)
	}
	return nil
}

// publishWindow publishes all of a window, or fails with the context.
func (r *Relay) publishWindow(ctx context.Context, topic string, window []row) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, rows := range byLane(window) {
		group.Go(func() error { return r.publishRows(ctx, topic, rows) })
	}
	return group.Wait()
}

// publishRows publishes the rows of a lane, or fails with the context.
func (r *Relay) publishRows(ctx context.Context, topic string, rows []row) error {
	for len(rows) > 0 {
		var batch []Message
		var err error
		if batch, rows, err = nextBatch(rows); err != nil {
			return err
		}
		if err := r.publishBatch(ctx, topic, batch); err != nil {
			return err
		}
	}
	return nil
}

// nextBatch takes from lane the events that may be in flight together: one of
// each key, in order, within the size of a call.
func nextBatch(lane []row) (batch []Message, rest []row, err error) {
	taken := make(map[string]bool, min(len(lane), batchRows))
	batch = make([]Message, 0, min(len(lane), batchRows))
	size := 0
	for i, e := range lane {
		if taken[e.Key] {
			rest = append(rest, e)
			continue
		}
		body, err := e.envelope()
		if err != nil {
			return nil, nil, err
		}
		if len(batch) > 0 && (len(batch) == batchRows || size+len(body) > batchBytes) {
			return batch, append(rest, lane[i:]...), nil
		}
		taken[e.Key] = true
		size += len(body)
		batch = append(batch, Message{ID: e.ID.String(), Type: e.Type, Key: e.Key, TraceParent: e.TraceParent, Body: body})
	}
	return batch, rest, nil
}

// publishBatch tries until the broker has every message of the batch.
func (r *Relay) publishBatch(ctx context.Context, topic string, batch []Message) (err error) {
	spans := telemetry.Publishing(ctx, topic, traced(batch))
	defer func() { spans.End(err) }()
	failures := 0
	defer func() {
		if failures > 0 {
			r.failing.Add(-1)
		}
	}()
	for {
		calling, cancel := context.WithTimeout(ctx, publishTime)
		failed, err := r.Publisher.Publish(calling, topic, batch)
		cancel()
		if err != nil && len(failed) == 0 {
			failed = everyIndex(batch) // an error that names none leaves none certain
		}
		published.WithLabelValues(topic).Add(float64(len(batch) - len(failed)))
		if len(failed) == 0 && err == nil {
			r.broker.Worked()
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		publishFailures.WithLabelValues(topic).Inc()
		spans.Event("refused; tried again")
		failures++
		if failures == 1 {
			r.failing.Add(1)
		}
		r.broker.Failed(ctx, err, "topic", topic)
		again := make([]Message, 0, len(failed))
		for _, i := range failed {
			again = append(again, batch[i])
		}
		batch = again
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(outage.Backoff(failures, minBackoff, maxBackoff)):
		}
	}
}

// traced are the messages of a batch, as spans name them.
func traced(batch []Message) []telemetry.Message {
	messages := make([]telemetry.Message, len(batch))
	for i, m := range batch {
		messages[i] = telemetry.Message{ID: m.ID, Type: m.Type, TraceParent: m.TraceParent}
	}
	return messages
}

func everyIndex(batch []Message) []int {
	all := make([]int, len(batch))
	for i := range all {
		all[i] = i
	}
	return all
}
