package databasetest

import (
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/taskwire/taskwire/pkg/database"
)

// KillMigrations migrates an empty database, killed before the first statement,
// then before the second, and so on, and once more from where the migrations begin
// whenever that has changed something: before each statement of each migration. The
// next one goes on with what it finds, and in the end the schema has to be the one that
// an undisturbed one makes.
func KillMigrations(t *testing.T, schema database.Schema) {
	t.Helper()
	ctx := t.Context()
	owner := New(t)
	conn, err := pgx.Connect(ctx, owner)
	if err != nil {
		t.Fatalf("connect to the test database: %v", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	const role = "migrate_kill" // roles belong to the server, not to the database
	if _, err := conn.Exec(ctx, "DO $$ BEGIN CREATE ROLE "+role+" LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"); err != nil {
		t.Fatalf("make the role of the service: %v", err)
	}
	migrate := func(url string) error {
		return database.Migrate(ctx, database.Migration{
			Schema: schema, OwnerURL: url, RuntimeURL: "postgres://" + role + "@localhost/", Log: slog.New(slog.DiscardHandler),
		})
	}
	shape := func() string {
		var text string
		if err := conn.QueryRow(ctx, shapeOf, schema.Name).Scan(&text); err != nil {
			t.Fatalf("read the schema: %v", err)
		}
		return text
	}
	if err := migrate(owner); err != nil {
		t.Fatalf("migrate undisturbed: %v", err)
	}
	want := shape()
	if _, err := conn.Exec(ctx, "DROP SCHEMA "+pgx.Identifier{schema.Name}.Sanitize()+" CASCADE"); err != nil {
		t.Fatalf("empty the database: %v", err)
	}
	seen, last := map[string]bool{}, "nothing"
	for n := 1; ; n++ {
		killer := killAt(t, owner, n)
		err := migrate(killer.url)
		if !killer.killed() {
			if err != nil {
				t.Fatalf("killed before %q, it does not come up: %v", last, err)
			}
			if got := shape(); got != want {
				t.Fatalf("it comes up with another schema:\n%s\nis not\n%s", got, want)
			}
			return
		}
		last = killer.statement
		if err == nil {
			t.Fatalf("the migration went on without its connection, killed before %q", last)
		}
		if has := shape(); !seen[has] {
			// What is asked before the first migration is the same each time: some of it
			// is enough.
			n, seen[has] = max(0, n-5), true
		}
	}
}

// shapeOf is all that is in a schema, in text.
const shapeOf = `
	SELECT coalesce(string_agg(line, E'\n' ORDER BY line), '') FROM (
		SELECT format('%s %s %s', relkind, relname, relacl) FROM pg_class WHERE relnamespace = to_regnamespace($1)
		UNION ALL
		SELECT format('column %s.%s %s %s %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid))
		FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
		WHERE c.relnamespace = to_regnamespace($1) AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
		UNION ALL
		SELECT format('constraint %s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint WHERE connamespace = to_regnamespace($1)
		UNION ALL
		SELECT format('index %s %s %s', pg_get_indexdef(indexrelid), indisvalid, indisready)
		FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE c.relnamespace = to_regnamespace($1)
		UNION ALL
		SELECT format('function %s %s %s', oid::regprocedure, proacl, prosrc) FROM pg_proc WHERE pronamespace = to_regnamespace($1)
		UNION ALL
		SELECT format('%s %s', pg_get_triggerdef(g.oid), g.tgenabled) FROM pg_trigger g JOIN pg_class c ON c.oid = tgrelid WHERE c.relnamespace = to_regnamespace($1) AND NOT tgisinternal
		UNION ALL
		SELECT format('rows of %s: %s', c.relname, (xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM %s', c.oid::regclass), false, true, '')))[1])
		FROM pg_class c WHERE c.relnamespace = to_regnamespace($1) AND c.relkind = 'r'
	) AS lines (line)`

// killer stands between a program and the server, and cuts the connection when
// a statement is about to pass.
type killer struct {
	url string

	mu        sync.Mutex
	left      int    // statements that pass, this one included, before none does
	statement string // the one that did not
}

func (k *killer) killed() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.left <= 0
}

func killAt(t *testing.T, owner string, n int) *killer {
	t.Helper()
	u, err := url.Parse(owner)
	if err != nil {
		t.Fatalf("parse the URL of the test database: %v", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	k := &killer{left: n}
	server := u.Host
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { k.carry(client, server) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		serving.Wait()
	})
	u.Host = l.Addr().String()
	k.url = u.String()
	return k
}

func (k *killer) carry(client net.Conn, server string) {
	defer client.Close()
	upstream, err := net.Dial("tcp", server) //nolint:noctx // it ends with the client
	if err != nil {
		return
	}
	var answering sync.WaitGroup
	defer answering.Wait()
	defer upstream.Close()
	answering.Go(func() {
		// Both ends are closed when one is.
		_, _ = io.Copy(client, upstream)
		_ = client.Close()
	})
	// The first message has no type: a length, and the protocol's version.
	for head := 0; ; head = 1 {
		message := make([]byte, head+4)
		if _, err := io.ReadFull(client, message); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(message[head:])-4)
		if _, err := io.ReadFull(client, body); err != nil {
			return
		}
		// A statement comes as Query or as Parse.
		if head == 1 && (message[0] == 'Q' || message[0] == 'P') && !k.pass(body) {
			return
		}
		if _, err := upstream.Write(append(message, body...)); err != nil {
			return
		}
	}
}

func (k *killer) pass(statement []byte) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.left--; k.left == 0 {
		k.statement = strings.Trim(string(statement), "\x00")
	}
	return k.left > 0
}
