package subscribe

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"
)

// What an operator can do with a dead letter, as its history names it.
const (
	ActReplay  = "replay"
	ActDiscard = "discard"
)

// Letter is a dead letter as an operator sees it.
type Letter struct {
	ID         int64             `bun:"id"`
	Topic      string            `bun:"topic"`
	Key        string            `bun:"key"`
	EventID    string            `bun:"event_id"`
	Source     string            `bun:"source"`
	Type       string            `bun:"type"`
	Reason     string            `bun:"reason"`
	Size       int               `bun:"size"`
	Payload    []byte            `bun:"payload"` // not in a list
	Metadata   map[string]string `bun:"metadata,type:jsonb"`
	ReceivedAt time.Time         `bun:"received_at"`
	ResolvedAt *time.Time        `bun:"resolved_at"` // nil: open
	Resolution string            `bun:"resolution"`  // replayed or discarded
	Replays    int               `bun:"replays"`     // how often an operator has tried
}

// Act is what was done with a dead letter.
type Act struct {
	Act      string    `bun:"act"`
	Operator string    `bun:"operator"`
	Reason   string    `bun:"reason"`
	Outcome  string    `bun:"outcome"`
	At       time.Time `bun:"at"`
}

// LetterFilter chooses letters of a list, in the order of their ids.
type LetterFilter struct {
	Topic  string    // "" for all
	Type   string    // "" for all
	Before time.Time // received before it; zero for all
	All    bool      // those that were resolved too
	After  int64     // ids above it
	UpTo   int64     // ids up to it; 0 for all
	Limit  int
}

// ErrNoLetter says that there is no dead letter of an id.
var ErrNoLetter = errors.New("there is no such dead letter")

// ErrResolved says that a dead letter was resolved before, perhaps by another
// operator a moment ago.
var ErrResolved = errors.New("the dead letter is resolved already")

const letterColumns = `id, topic, key, event_id, source, type, reason, octet_length(payload) AS size,
	metadata, received_at, resolved_at, coalesce(resolution, '') AS resolution,
	(SELECT count(*) FROM ?0.dead_letter_acts a WHERE a.dead_letter_id = dead_letters.id AND a.act = 'replay') AS replays`

// chosen are the conditions of a filter but for its limit, with its arguments from ?1 on.
const chosen = `id > ?1 AND (?2 = '' OR topic = ?2) AND (?3 = '' OR type = ?3) AND (?4 OR resolved_at IS NULL)
	AND (?5::timestamptz IS NULL OR received_at < ?5) AND (?6 = 0 OR id <= ?6)`

func (f LetterFilter) arguments(schema string) []any {
	return []any{bun.Ident(schema), f.After, f.Topic, f.Type, f.All, bun.NullTime{Time: f.Before}, f.UpTo}
}

// Letters lists dead letters without their payloads.
func (s *Subscriber) Letters(ctx context.Context, f LetterFilter) ([]Letter, error) {
	var letters []Letter
	err := s.DB.NewRaw("SELECT "+letterColumns+" FROM ?0.dead_letters WHERE "+chosen+" ORDER BY id LIMIT ?7",
		append(f.arguments(s.Schema), f.Limit)...).Scan(ctx, &letters)
	if err != nil {
		return nil, fmt.Errorf("list the dead letters: %w", err)
	}
	return letters, nil
}

// CountLetters says how many letters a filter chooses, whatever its limit, and the
// highest of their ids.
func (s *Subscriber) CountLetters(ctx context.Context, f LetterFilter) (n, last int64, err error) {
	if err := s.DB.NewRaw("SELECT count(*), coalesce(max(id), 0) FROM ?0.dead_letters WHERE "+chosen, f.arguments(s.Schema)...).Scan(ctx, &n, &last); err != nil {
		return 0, 0, fmt.Errorf("count the dead letters: %w", err)
	}
	return n, last, nil
}

// Letter reads a dead letter and what was done with it, the oldest first.
func (s *Subscriber) Letter(ctx context.Context, id int64) (Letter, []Act, error) {
	letter, err := s.letter(ctx, s.DB, id, "")
	if err != nil {
		return letter, nil, err
	}
	var acts []Act
	err = s.DB.NewRaw("SELECT act, operator, reason, outcome, at FROM ?0.dead_letter_acts WHERE dead_letter_id = ?1 ORDER BY id",
		bun.Ident(s.Schema), id).Scan(ctx, &acts)
	if err != nil {
		return letter, nil, fmt.Errorf("read what was done with dead letter %d: %w", id, err)
	}
	return letter, acts, nil
}

func (s *Subscriber) letter(ctx context.Context, db bun.IDB, id int64, lock string) (Letter, error) {
	var letter Letter
	err := db.NewRaw("SELECT "+letterColumns+", payload FROM ?0.dead_letters WHERE id = ?1 "+lock, bun.Ident(s.Schema), id).Scan(ctx, &letter)
	if errors.Is(err, sql.ErrNoRows) {
		return letter, ErrNoLetter
	}
	if err != nil {
		return letter, fmt.Errorf("read dead letter %d: %w", id, err)
	}
	return letter, nil
}

// ReplayLetter hands the record of a dead letter to the handler of its topic
// again, through the inbox. The letter is resolved when the event has had its
// effect, now or before. Otherwise it stays open, and the error says why.
func (s *Subscriber) ReplayLetter(ctx context.Context, id int64, operator string) error {
	var failed error
	err := s.settle(ctx, id, func(tx bun.Tx, l Letter) error {
		act := Act{Act: ActReplay, Operator: operator}
		if failed = s.again(ctx, l); failed != nil {
			act.Reason = failed.Error()
			return s.record(ctx, tx, l, act)
		}
		return s.resolve(ctx, tx, l, "replayed", act)
	})
	return errors.Join(failed, err)
}

// DiscardLetter resolves a dead letter without any effect.
func (s *Subscriber) DiscardLetter(ctx context.Context, id int64, operator, reason string) error {
	return s.settle(ctx, id, func(tx bun.Tx, l Letter) error {
		return s.resolve(ctx, tx, l, "discarded", Act{Act: ActDiscard, Operator: operator, Reason: reason})
	})
}

// DiscardLetters resolves the first open letters that a filter chooses without any
// effect, as many as its limit says, and returns their ids.
func (s *Subscriber) DiscardLetters(ctx context.Context, f LetterFilter, operator, reason string) ([]int64, error) {
	f.All = false
	var ids []int64
	err := s.DB.NewRaw(`
		WITH chosen AS (
			SELECT id FROM ?0.dead_letters WHERE `+chosen+` ORDER BY id LIMIT ?7 FOR UPDATE SKIP LOCKED -- another operator has those
		), resolved AS (
			UPDATE ?0.dead_letters l SET resolved_at = ?8, resolution = 'discarded' FROM chosen WHERE l.id = chosen.id RETURNING l.id
		)
		INSERT INTO ?0.dead_letter_acts (dead_letter_id, act, operator, reason, outcome, at)
		SELECT id, ?9, ?10, ?11, 'resolved', ?8 FROM resolved ORDER BY id RETURNING dead_letter_id`,
		append(f.arguments(s.Schema), f.Limit, s.Now(), ActDiscard, storable(operator), storable(reason))...).Scan(ctx, &ids)
	if err != nil {
		return nil, fmt.Errorf("discard dead letters: %w", err)
	}
	return ids, nil
}

// Outlook is what a replay of a letter would come to.
type Outlook string

// The outlooks of a letter that is not known to fail.
const (
	WouldBeHandled Outlook = "would be handled"
	HasHadEffect   Outlook = "has had its effect, and would be resolved"
	// MayBeHandled: its effect is outside this database, and is not tried.
	MayBeHandled Outlook = "would be handed to its handler; nothing speaks against it, and the rest shows when it is done"
)

// TryLetter says what a replay of a letter would come to, and leaves everything as it
// is. The error says why the letter would stay open.
func (s *Subscriber) TryLetter(ctx context.Context, id int64) (Outlook, error) {
	l, err := s.letter(ctx, s.DB, id, "")
	if err != nil {
		return "", err
	}
	if l.ResolvedAt != nil {
		return "", resolvedError(l)
	}
	effect, ok := s.topics[l.Topic]
	if !ok {
		return "", errNoHandler(l.Topic)
	}
	d := newDelivery(l.Topic, "", l.Payload, l.Metadata)
	if d.Event.Event, err = decode(d.Topic, d.raw); err != nil {
		return "", err
	}
	d.takeKey()
	if !s.relevant(d.Event) {
		return WouldBeHandled, nil
	}
	return effect.try(ctx, s, d)
}

func errNoHandler(topic string) error {
	return fmt.Errorf("this service has no handler for topic %s", topic)
}

func resolvedError(l Letter) error {
	return fmt.Errorf("%w (%s at %s)", ErrResolved, l.Resolution, l.ResolvedAt.UTC().Format(time.RFC3339))
}

// again handles a letter's record as if it came from the broker.
func (s *Subscriber) again(ctx context.Context, l Letter) error {
	effect, ok := s.topics[l.Topic]
	if !ok {
		return errNoHandler(l.Topic)
	}
	strict := *s
	strict.replaying = true
	return strict.handle(ctx, effect, []delivery{newDelivery(l.Topic, "", l.Payload, l.Metadata)})[0]
}

// settle does something with an open letter while nobody else can. The handler
// works in a transaction of its own: if the one here is lost after that, the
// letter stays open, and the inbox knows of the effect.
func (s *Subscriber) settle(ctx context.Context, id int64, do func(bun.Tx, Letter) error) error {
	return s.DB.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		// It is idle while a handler works, which may call another service.
		if _, err := tx.ExecContext(ctx, "SET LOCAL idle_in_transaction_session_timeout = '5min'"); err != nil {
			return fmt.Errorf("lock dead letter %d: %w", id, err)
		}
		l, err := s.letter(ctx, tx, id, "FOR UPDATE")
		if err != nil {
			return err
		}
		if l.ResolvedAt != nil {
			return resolvedError(l)
		}
		return do(tx, l)
	})
}

func (s *Subscriber) resolve(ctx context.Context, tx bun.Tx, l Letter, resolution string, act Act) error {
	_, err := tx.NewRaw("UPDATE ?0.dead_letters SET resolved_at = ?1, resolution = ?2 WHERE id = ?3",
		bun.Ident(s.Schema), s.Now(), resolution, l.ID).Exec(ctx)
	if err != nil {
		return fmt.Errorf("resolve dead letter %d: %w", l.ID, err)
	}
	act.Outcome = "resolved"
	return s.record(ctx, tx, l, act)
}

// record writes an act into the letter's history and the log.
func (s *Subscriber) record(ctx context.Context, tx bun.Tx, l Letter, act Act) error {
	if act.Outcome == "" {
		act.Outcome = "failed"
	}
	_, err := tx.NewRaw(`INSERT INTO ?0.dead_letter_acts (dead_letter_id, act, operator, reason, outcome, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)`,
		bun.Ident(s.Schema), l.ID, act.Act, storable(act.Operator), storable(act.Reason), act.Outcome, s.Now()).Exec(ctx)
	if err != nil {
		return fmt.Errorf("record what was done with dead letter %d: %w", l.ID, err)
	}
	s.Log.DebugContext(ctx, "an operator acted on a dead letter", "dead_letter", l.ID, "topic", l.Topic, "event_id", l.EventID,
		"act", act.Act, "outcome", act.Outcome, "operator", act.Operator, "reason", act.Reason)
	return nil
}
