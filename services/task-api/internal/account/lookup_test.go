package account

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/migrations"
)

// questions counts the statements of a database.
type questions struct{ n atomic.Int64 }

func (q *questions) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context {
	q.n.Add(1)
	return ctx
}
func (q *questions) AfterQuery(context.Context, *bun.QueryEvent) {}

// signedIn are sessions of as many users, and what looks them up.
func signedIn(t *testing.T, n int) (*Sessions, *bun.DB, *questions, []auth.Caller) {
	t.Helper()
	db, _ := databasetest.Open(t, migrations.Schema)
	asked := new(questions)
	s := NewSessions(db.WithQueryHook(asked), &change.Writer{DB: db, Now: time.Now}, nil, slog.New(slog.DiscardHandler))
	callers := make([]auth.Caller, n)
	for i := range callers {
		c := auth.Caller{UserID: uuid.New(), SessionID: uuid.New()}
		_, err := db.NewRaw(`WITH u AS (INSERT INTO task.users (id, email, created_at, updated_at) VALUES (?0, ?0, now(), now()))
			INSERT INTO task.sessions (id, user_id, secret, device, ip, created_at, last_seen_at, expires_at)
			VALUES (?1, ?0, ?2, '', '', now(), now(), now() + interval '1 day')`, c.UserID, c.SessionID, c.SessionID[:]).Exec(t.Context())
		require.NoError(t, err)
		callers[i] = c
	}
	return s, db, asked, callers
}

// busy takes all turns at the database, until it is called.
func busy(s *Sessions) (free func()) {
	for range lookups {
		s.turns <- struct{}{}
	}
	return func() {
		for range lookups {
			<-s.turns
		}
	}
}

func (s *Sessions) joined() int {
	s.joining.mu.Lock()
	defer s.joining.mu.Unlock()
	if s.joining.next == nil {
		return 0
	}
	return len(s.joining.next.ids)
}

func TestSessionsAreLookedUpTogether(t *testing.T) {
	s, db, asked, callers := signedIn(t, 20)
	ended, others := callers[0], callers[1]
	_, err := db.NewRaw("DELETE FROM task.sessions WHERE id = ?", ended.SessionID).Exec(t.Context())
	require.NoError(t, err)
	others.UserID = callers[2].UserID // a token that names another's session
	refused := func(c auth.Caller) bool {
		return c.SessionID == ended.SessionID || c.SessionID == others.SessionID && c.UserID == others.UserID
	}

	free := busy(s)
	all := slices.Concat(callers, []auth.Caller{others})
	var asking sync.WaitGroup
	for _, c := range all {
		asking.Go(func() {
			found, err := s.Alive(t.Context(), c)
			switch {
			case refused(c):
				assert.ErrorIs(t, err, auth.ErrRefused, "%v", c)
			case assert.NoError(t, err, "%v", c):
				assert.Equal(t, c.UserID, found.UserID)
				assert.Equal(t, c.UserID.String(), found.Email)
			}
		})
	}
	require.Eventually(t, func() bool { return s.joined() == len(all) }, 10*time.Second, time.Millisecond)
	before := asked.n.Load()
	free()
	asking.Wait()
	require.EqualValues(t, 1, asked.n.Load()-before, "questions for all of them")

	for _, c := range callers[1:] {
		_, err := s.Alive(t.Context(), c)
		require.NoError(t, err)
	}
	require.EqualValues(t, 1, asked.n.Load()-before, "and none for those that are known")
}

// Who asks after a session has ended is not answered by a question of before.
func TestNobodyJoinsAQuestionThatHasBegun(t *testing.T) {
	s, db, asked, callers := signedIn(t, 2)
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = tx.ExecContext(t.Context(), "LOCK TABLE task.sessions")
	require.NoError(t, err)
	before := asked.n.Load()
	answers := make(chan error, 2)
	for i, c := range callers {
		go func() {
			_, err := s.Alive(t.Context(), c)
			answers <- err
		}()
		require.Eventually(t, func() bool { return asked.n.Load()-before == int64(i+1) }, 10*time.Second, time.Millisecond)
	}
	require.NoError(t, tx.Commit())
	for range callers {
		require.NoError(t, <-answers)
	}
}

func TestAQuestionDoesNotEndWithWhoCameFirst(t *testing.T) {
	s, _, _, callers := signedIn(t, 2)
	free := busy(s)
	ctx, leave := context.WithCancel(t.Context())
	first, second := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := s.Alive(ctx, callers[0])
		first <- err
	}()
	require.Eventually(t, func() bool { return s.joined() == 1 }, 10*time.Second, time.Millisecond)
	go func() {
		_, err := s.Alive(t.Context(), callers[1])
		second <- err
	}()
	require.Eventually(t, func() bool { return s.joined() == 2 }, 10*time.Second, time.Millisecond)
	leave()
	require.ErrorIs(t, <-first, context.Canceled)
	free()
	require.NoError(t, <-second)
}
