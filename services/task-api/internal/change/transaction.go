package change

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
)

// transaction is one on a connection of its own. bun reads and writes by it, each
// statement in a message of its own. A write whose answer nobody needs is queued (Queue), as
// the begin is, and goes along with the next message, or before the commit: a change is
// mostly waiting for Postgres to answer. The commit goes by itself: of who dies before
// he sends it, nothing stands.
type transaction struct {
	bun.Conn

	db        *bun.DB
	queued    *pgx.Batch // goes with the next message
	toPrepare []string   // texts of it that a connection prepares once
	begun     bool       // the begin has been sent
	committed bool
}

// rollbackTime is how long a connection has to end a transaction before it is given up.
const rollbackTime = 2 * time.Second

// begin takes a connection, which end gives back.
func (tx *transaction) begin(ctx context.Context, db *bun.DB) (err error) {
	if tx.Conn, err = db.Conn(ctx); err != nil {
		return fmt.Errorf("begin a change: %w", err)
	}
	tx.db, tx.queued = db, &pgx.Batch{}
	tx.queued.Queue("BEGIN")
	return nil
}

// commit sends what was queued, and then the commit.
func (tx *transaction) commit(ctx context.Context) error {
	if !tx.begun && tx.queued.Len() == 1 {
		return nil // nothing to commit
	}
	if err := tx.send(ctx); err != nil {
		return fmt.Errorf("write a change: %w", err)
	}
	tx.queued.Queue("COMMIT").Exec(func(tag pgconn.CommandTag) error {
		if tag.String() == "ROLLBACK" {
			return pgx.ErrTxCommitRollback // a statement failed, and nobody said so
		}
		return nil
	})
	if err := tx.send(ctx); err != nil {
		return fmt.Errorf("commit a change: %w", err)
	}
	tx.committed = true
	return nil
}

// end rolls back what was begun and not committed, and gives the connection back.
func (tx *transaction) end(ctx context.Context) {
	defer tx.Conn.Close()
	if tx.begun && !tx.committed {
		tx.rollback(ctx)
	}
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

// Queue writes with the next message, at the latest before the commit: whoever calls it needs
// no answer. The order is kept, and what is read afterwards sees it; what Postgres says
// against it fails the statement that it goes along with. Each connection prepares the query
// once: its text is the same each time.
func (tx *transaction) Queue(query string, args ...any) {
	query = numbered(query)
	args = slices.Clone(args)
	for i, arg := range args {
		if id, ok := arg.(uuid.UUID); ok {
			args[i] = [16]byte(id) // pgx would have it written as a text first
		}
	}
	tx.queued.Queue(query, args...)
	tx.toPrepare = append(tx.toPrepare, query)
}

// numbered names the arguments of a query as Postgres does: $1 for the first ?.
func numbered(query string) string {
	var b strings.Builder
	for n := 1; ; n++ {
		before, after, more := strings.Cut(query, "?")
		b.WriteString(before)
		if !more {
			return b.String()
		}
		b.WriteString("$" + strconv.Itoa(n))
		query = after
	}
}

// Columns are the names and the values of the columns that a model has, but for some.
func (tx *transaction) Columns(model any, without ...string) (names []string, values []any) {
	row := reflect.ValueOf(model).Elem()
	for _, f := range tx.db.Table(row.Type()).Fields {
		if slices.Contains(without, f.Name) {
			continue
		}
		var value any
		if !f.NullZero || !f.HasZeroValue(row) {
			value = f.Value(row).Interface()
		}
		names, values = append(names, f.Name), append(values, value)
	}
	return names, values
}

// Read runs what was queued and a query in one message, and reads its rows by the names
// of T's fields. The query is prepared, as those of Queue are.
func Read[T any](ctx context.Context, tx *Tx, query string, args ...any) (rows []*T, err error) {
	tx.Queue(query, args...)
	tx.queued.QueuedQueries[tx.queued.Len()-1].Query(func(r pgx.Rows) (err error) {
		rows, err = pgx.CollectRows(r, pgx.RowToAddrOfStructByName[T])
		return err
	})
	return rows, tx.send(ctx)
}

// send runs what was queued, in one message.
func (tx *transaction) send(ctx context.Context) error {
	// pgx takes a connection that was asked too late for a bad one.
	if err := ctx.Err(); err != nil || tx.queued.Len() == 0 {
		return err
	}
	queued, toPrepare := tx.queued, tx.toPrepare
	tx.queued, tx.toPrepare = &pgx.Batch{}, nil
	return tx.Conn.Raw(func(connection any) error {
		conn := connection.(*stdlib.Conn).Conn()
		for _, query := range toPrepare {
			if _, err := conn.Prepare(ctx, query, query); err != nil {
				return err
			}
		}
		tx.begun = true
		return conn.SendBatch(ctx, queued).Close()
	})
}

// ExecContext runs what was queued, and a statement.
func (tx *transaction) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	var done pgconn.CommandTag
	tx.queued.Queue(tx.db.QueryGen().FormatQuery(query, args...)).Exec(func(tag pgconn.CommandTag) error {
		done = tag
		return nil
	})
	err := tx.send(ctx)
	return driver.RowsAffected(done.RowsAffected()), err
}

// QueryContext runs what was queued, and then a query.
func (tx *transaction) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := tx.send(ctx); err != nil {
		return nil, err
	}
	return tx.Conn.QueryContext(ctx, query, args...)
}

// QueryRowContext runs what was queued, and then a query. Where the first fails the row
// says that the transaction is aborted; bun asks for none.
func (tx *transaction) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	_ = tx.send(ctx)
	return tx.Conn.QueryRowContext(ctx, query, args...)
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
