package change

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
)

// transaction is one on a connection of its own, by which bun reads and writes. What is
// put off (Later) goes to Postgres in one message with the next statement that is not,
// or before the commit: a change is mostly waiting for round trips. The commit goes by
// itself: of who dies before it sends it, nothing stands.
type transaction struct {
	bun.Conn

	db  *bun.DB
	off []byte // statements that are put off, each with its semicolon
}

const (
	// connects is how often another connection is tried where the one from the pool
	// turns out to be closed, as after a restart of Postgres.
	connects = 3
	// rollbackTime is how long a connection has to end a transaction before it is given up.
	rollbackTime = 2 * time.Second
)

// run does work between the begin, which more is sent along with, and the commit.
func (tx *transaction) run(ctx context.Context, db *bun.DB, more func(*pgx.Batch), work func() error) error {
	tx.db = db
	for try := 1; ; try++ {
		err := tx.begin(ctx, more)
		if err == nil {
			break
		}
		if try == connects || !pgconn.SafeToRetry(err) {
			return fmt.Errorf("begin a change: %w", err)
		}
	}
	defer tx.Conn.Close()
	committed := false
	defer func() {
		if !committed {
			tx.rollback(ctx)
		}
	}()
	if err := work(); err != nil {
		return err
	}
	if err := tx.send(ctx); err != nil {
		return fmt.Errorf("write a change: %w", err)
	}
	if _, err := tx.ExecContext(ctx, "COMMIT"); err != nil {
		return fmt.Errorf("commit a change: %w", err)
	}
	committed = true
	return nil
}

func (tx *transaction) begin(ctx context.Context, more func(*pgx.Batch)) (err error) {
	if tx.Conn, err = tx.db.Conn(ctx); err != nil {
		return err
	}
	err = tx.Conn.Raw(func(connection any) error {
		batch := &pgx.Batch{}
		batch.Queue("BEGIN")
		more(batch)
		return connection.(*stdlib.Conn).Conn().SendBatch(ctx, batch).Close()
	})
	if err != nil {
		tx.rollback(ctx)
		_ = tx.Conn.Close() // an error says that it is closed already
	}
	return err
}

// rollback ends the transaction, or its connection.
func (tx *transaction) rollback(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTime)
	defer cancel()
	if _, err := tx.Conn.Conn.ExecContext(ctx, "ROLLBACK"); err != nil {
		// Postgres rolls back what its connection leaves behind. What has failed before tells the cause.
		_ = tx.Conn.Raw(func(any) error { return driver.ErrBadConn })
	}
}

// ExecContext runs what was put off, and a statement.
func (tx *transaction) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	// pgx takes a connection that was asked too late for a bad one.
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	query = string(tx.off) + tx.db.QueryGen().FormatQuery(query, args...)
	tx.off = nil
	return tx.Conn.Conn.ExecContext(ctx, query)
}

// QueryContext runs what was put off, and a query.
func (tx *transaction) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := tx.send(ctx); err != nil {
		return nil, err
	}
	return tx.Conn.QueryContext(ctx, query, args...)
}

// QueryRowContext runs what was put off, and a query. Where the first fails the row says
// that the transaction is aborted; bun asks for none.
func (tx *transaction) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	_ = tx.send(ctx)
	return tx.Conn.QueryRowContext(ctx, query, args...)
}

// send runs what was put off.
func (tx *transaction) send(ctx context.Context) error {
	if len(tx.off) == 0 {
		return nil
	}
	_, err := tx.ExecContext(ctx, "")
	return err
}

// NewSelect is a query in the transaction.
func (tx *transaction) NewSelect() *bun.SelectQuery { return tx.db.NewSelect().Conn(tx) }

// NewInsert is an insert in the transaction.
func (tx *transaction) NewInsert() *bun.InsertQuery { return tx.db.NewInsert().Conn(tx) }

// NewUpdate is an update in the transaction.
func (tx *transaction) NewUpdate() *bun.UpdateQuery { return tx.db.NewUpdate().Conn(tx) }

// NewDelete is a deletion in the transaction.
func (tx *transaction) NewDelete() *bun.DeleteQuery { return tx.db.NewDelete().Conn(tx) }

// NewRaw is a statement in the transaction.
func (tx *transaction) NewRaw(query string, args ...any) *bun.RawQuery {
	return tx.db.NewRaw(query, args...).Conn(tx)
}

// Later is the transaction for writes that nothing is to be known of: they are put off.
// Their order is kept, and what is read afterwards sees them; what Postgres says against
// one fails the statement that it goes along with.
func (tx *transaction) Later() bun.IDB { return later{tx.Conn, tx} }

type later struct {
	bun.Conn

	tx *transaction
}

// ExecContext puts a statement off.
func (l later) ExecContext(_ context.Context, query string, args ...any) (sql.Result, error) {
	l.tx.off = append(append(l.tx.off, l.tx.db.QueryGen().FormatQuery(query, args...)...), "; "...)
	return driver.ResultNoRows, nil
}

var errLater = errors.New("a statement that answers can not be put off")

// QueryContext refuses: there is nothing to answer yet.
func (l later) QueryContext(context.Context, string, ...any) (*sql.Rows, error) { return nil, errLater }

// NewInsert is an insert that is put off.
func (l later) NewInsert() *bun.InsertQuery { return l.tx.db.NewInsert().Conn(l) }

// NewUpdate is an update that is put off.
func (l later) NewUpdate() *bun.UpdateQuery { return l.tx.db.NewUpdate().Conn(l) }

// NewDelete is a deletion that is put off.
func (l later) NewDelete() *bun.DeleteQuery { return l.tx.db.NewDelete().Conn(l) }

// NewRaw is a statement that is put off.
func (l later) NewRaw(query string, args ...any) *bun.RawQuery {
	return l.tx.db.NewRaw(query, args...).Conn(l)
}
