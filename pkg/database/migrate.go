package database

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/migrate"
)

// Schema is what a service owns of the database, and how it is made.
type Schema struct {
	Name string
	// Files are the migrations, forward only, applied in the order of their
	// numbers. NNNN_name.tx.up.sql is one transaction. NNNN_name.up.sql is none,
	// and makes and drops indexes beside the work that goes on; see checkIndexes.
	// Statements may be split by lines of --bun:split.
	Files fs.FS
	// SQL are more of them, by number and name ("0002_event_log"), each one
	// transaction: the tables that a package of pkg brings along.
	SQL map[string]string
	// Grants are what the runtime role may do, e.g. "SELECT, INSERT ON
	// audit.entries"; default: read and write rows of every table, and call every
	// function. A version that needs more than the one before has a migration
	// beside, be it an empty one: by it the one before knows to leave it alone.
	Grants []string
}

// Migration brings a schema up to date.
type Migration struct {
	Schema
	OwnerURL   string // the role that owns the schema and may change it
	RuntimeURL string // the role that the service works as
	Log        *slog.Logger
}

// migrateLock keeps replicas that start together from migrating together; it
// is only ever taken with the schema's name as the second half of the key.
const migrateLock = 0x7461736b // "task"

const (
	// turnPause is how often a replica asks whether it is its turn to migrate.
	turnPause = 200 * time.Millisecond
	// ddlLockTimeout is how long a migration waits for the lock on a table at a
	// time: all who use the table wait behind it as long.
	ddlLockTimeout = 2 * time.Second
	// ddlPause is how long it lets them go on before it asks again.
	ddlPause = time.Second
	// ddlTries is how often it asks before it fails.
	ddlTries = 60
)

// errLost ends a migration whose connection, and with it its lock, is gone.
var errLost = errors.New("the connection that holds the lock on migrations was lost")

// Migrate applies what is missing. It is safe to call from several replicas at
// once, beside services at work, and does nothing when all is up to date.
//
// It may be killed at any moment, and goes on where it was when it is called
// again: a migration and the record of it are one transaction, and what can be
// in none is made to be run again. All of it goes by one connection, which
// holds a lock that ends with it. So whoever gets the lock finds nothing of the
// one before under way.
func Migrate(ctx context.Context, m Migration) error {
	migrations, err := m.migrations()
	if err != nil {
		return fmt.Errorf("read the migrations of schema %s: %w", m.Name, err)
	}
	db, err := m.open()
	if err != nil {
		return err
	}
	defer db.Close()
	if err := m.lock(ctx, db); err != nil {
		return fmt.Errorf("lock the migration of schema %s: %w", m.Name, err)
	}
	if _, err := db.ExecContext(ctx, "CREATE SCHEMA IF NOT EXISTS ?", bun.Ident(m.Name)); err != nil {
		return fmt.Errorf("create schema %s: %w", m.Name, err)
	}
	migrator := migrate.NewMigrator(db, migrations,
		migrate.WithTableName(m.Name+".migrations"),
		migrate.WithLocksTableName(m.Name+".migration_locks"),
		migrate.BeforeMigration(m.begin), migrate.AfterMigration(m.record))
	if err := migrator.Init(ctx); err != nil {
		return fmt.Errorf("prepare the migrations of schema %s: %w", m.Name, err)
	}
	all, err := migrator.MigrationsWithStatus(ctx)
	if err != nil {
		return fmt.Errorf("list the migrations of schema %s: %w", m.Name, err)
	}
	applied, err := migrator.AppliedMigrations(ctx)
	if err != nil {
		return fmt.Errorf("list the applied migrations of schema %s: %w", m.Name, err)
	}
	start := time.Now()
	missing := all.Unapplied()
	for i := range missing {
		missing[i].GroupID = applied.LastGroupID() + 1
		if err := m.apply(ctx, migrator, &missing[i]); err != nil {
			return fmt.Errorf("migrate schema %s: %s: %w", m.Name, missing[i], err)
		}
	}
	if err := grant(ctx, db, m, newer(applied, all)); err != nil {
		return err
	}
	if len(missing) > 0 {
		m.Log.InfoContext(ctx, "schema migrated", "schema", m.Name, "migrations", missing.String(), "took", time.Since(start))
	}
	return nil
}

// open returns a pool of one connection that is never replaced.
func (m Migration) open() (*bun.DB, error) {
	config, err := Config(m.OwnerURL)
	if err != nil {
		return nil, err
	}
	// An index of a large table takes its time.
	config.RuntimeParams["lock_timeout"] = "0"
	config.RuntimeParams["statement_timeout"] = "0"
	var connected atomic.Bool
	pool := stdlib.OpenDB(*config,
		stdlib.OptionBeforeConnect(func(context.Context, *pgx.ConnConfig) error {
			if connected.Load() {
				return errLost
			}
			return nil
		}),
		stdlib.OptionAfterConnect(func(context.Context, *pgx.Conn) error {
			connected.Store(true)
			return nil
		}))
	pool.SetMaxOpenConns(1)
	return bun.NewDB(pool, pgdialect.New()), nil
}

// lock waits for its turn. It asks again and again, since a statement that
// waits for the lock would hold a snapshot, which CREATE INDEX CONCURRENTLY
// under that lock would wait for.
func (m Migration) lock(ctx context.Context, db *bun.DB) error {
	for waited := false; ; waited = true {
		var locked bool
		if err := db.NewRaw("SELECT pg_try_advisory_lock(?, hashtext(?))", migrateLock, m.Name).Scan(ctx, &locked); err != nil {
			return err
		}
		if locked {
			return nil
		}
		if !waited {
			m.Log.InfoContext(ctx, "another replica migrates; waiting for it", "schema", m.Name)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(turnPause):
		}
	}
}

// apply runs a migration, and again when others were in its way: it has undone
// what it did, or can do it again.
func (m Migration) apply(ctx context.Context, migrator *migrate.Migrator, one *migrate.Migration) error {
	for tries := 1; ; tries++ {
		err := one.Up(ctx, migrator, one)
		if err == nil || tries == ddlTries || !IsConflict(err) && code(err) != "55P03" {
			return err
		}
		if tries == 1 {
			m.Log.WarnContext(ctx, "a migration waits for others to leave its tables alone; trying again", "schema", m.Name, "migration", one.String(), "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(ddlPause):
		}
	}
}

// begin bounds how long others wait behind a migration. What is in no
// transaction takes no lock that others wait for, and waits for as long as they
// need.
func (m Migration) begin(ctx context.Context, db bun.IConn, _ *migrate.Migration) error {
	if _, ok := db.(bun.Tx); !ok {
		return nil
	}
	_, err := db.ExecContext(ctx, fmt.Sprintf("SET LOCAL lock_timeout = %d", ddlLockTimeout.Milliseconds()))
	return err
}

// record notes that a migration is applied, in its transaction if it has one.
func (m Migration) record(ctx context.Context, db bun.IConn, one *migrate.Migration) error {
	_, err := db.ExecContext(ctx, "INSERT INTO ?.migrations (name, group_id) VALUES (?, ?)", bun.Ident(m.Name), one.Name, one.GroupID)
	return err
}

// migrations reads Files and SQL.
func (m Migration) migrations() (*migrate.Migrations, error) {
	migrations := migrate.NewMigrations()
	if m.Files != nil {
		if err := checkIndexes(m.Files); err != nil {
			return nil, err
		}
		if err := migrations.Discover(m.Files); err != nil {
			return nil, err
		}
	}
	for name, sql := range m.SQL {
		number, comment, _ := strings.Cut(name, "_")
		migrations.Add(migrate.Migration{Name: number, Comment: comment, Up: func(ctx context.Context, migrator *migrate.Migrator, one *migrate.Migration) error {
			return migrator.DB().RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
				if err := m.begin(ctx, tx, one); err != nil {
					return err
				}
				if _, err := tx.ExecContext(ctx, sql); err != nil {
					return err
				}
				return m.record(ctx, tx, one)
			})
		}})
	}
	sorted := migrations.Sorted()
	for i := 1; i < len(sorted); i++ {
		if sorted[i].Name == sorted[i-1].Name {
			return nil, fmt.Errorf("%s and %s have the same number", sorted[i-1], sorted[i])
		}
	}
	return migrations, nil
}

var (
	dropIndex   = regexp.MustCompile(`^DROP INDEX CONCURRENTLY IF EXISTS (?:\w+\.)?(\w+)$`)
	createIndex = regexp.MustCompile(`^CREATE (?:UNIQUE )?INDEX CONCURRENTLY (\w+) ON `)
	callOfBatch = regexp.MustCompile(`^CALL (?:\w+\.)?\w+\(\)$`)
	sqlComment  = regexp.MustCompile(`(?m)^\s*--.*$`)
)

// checkIndexes refuses a file without a transaction that could not be run again
// from its start, wherever it was killed. It may hold CREATE INDEX CONCURRENTLY
// right behind DROP INDEX CONCURRENTLY IF EXISTS of the same name (a killed one
// leaves an index that is invalid), such a DROP alone, and the CALL of a procedure
// without arguments: one that commits batch by batch, and goes on where it was killed.
func checkIndexes(files fs.FS) error {
	paths, err := fs.Glob(files, "*.sql")
	if err != nil {
		return err
	}
	for _, path := range paths {
		if strings.HasSuffix(path, ".tx.up.sql") {
			continue
		}
		content, err := fs.ReadFile(files, path)
		if err != nil {
			return err
		}
		dropped := ""
		for _, statement := range strings.Split(string(content), "--bun:split\n") {
			statement = strings.Join(strings.Fields(sqlComment.ReplaceAllString(statement, "")), " ")
			statement = strings.TrimSuffix(statement, ";")
			if drop := dropIndex.FindStringSubmatch(statement); drop != nil {
				dropped = drop[1]
				continue
			}
			if callOfBatch.MatchString(statement) {
				continue
			}
			create := createIndex.FindStringSubmatch(statement)
			if create == nil || create[1] != dropped || strings.Contains(statement, ";") {
				return fmt.Errorf("%s is not one transaction (*.tx.up.sql), and holds what can not be run again: %q", path, statement)
			}
			dropped = ""
		}
	}
	return nil
}

// newer says whether a migration was applied that this version does not know:
// a later version has been here, and may be at work.
func newer(applied, known migrate.MigrationSlice) bool {
	return slices.ContainsFunc(applied, func(a migrate.Migration) bool {
		return !slices.ContainsFunc(known, func(k migrate.Migration) bool { return k.Name == a.Name })
	})
}

// grant gives the runtime role what it needs and, unless the schema is that of
// a newer version, takes everything else away. It runs at every start, so that
// a role that was made or renamed later gets its rights.
func grant(ctx context.Context, db *bun.DB, m Migration, newer bool) error {
	role, err := userOf(m.RuntimeURL)
	if err != nil {
		return err
	}
	owner, err := userOf(m.OwnerURL)
	if err != nil || role == owner {
		return err
	}
	grants := m.Grants
	if grants == nil {
		grants = []string{
			"SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA " + m.Name,
			"USAGE ON ALL SEQUENCES IN SCHEMA " + m.Name,
			"EXECUTE ON ALL FUNCTIONS IN SCHEMA " + m.Name,
		}
	}
	statements := []string{"GRANT USAGE ON SCHEMA " + m.Name + " TO ?"}
	if !newer {
		// Not the rights of a newer version: its pods work with the same role, in
		// the middle of a rollout and of a roll back.
		statements = append(statements, "REVOKE ALL ON ALL TABLES IN SCHEMA "+m.Name+" FROM ?")
	}
	for _, g := range grants {
		statements = append(statements, "GRANT "+g+" TO ?")
	}
	// One transaction: a replica that is at work never sees the rights revoked.
	return db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		for _, s := range statements {
			if _, err := tx.ExecContext(ctx, s, bun.Ident(role)); err != nil {
				return fmt.Errorf("%s: %w", strings.ReplaceAll(s, "?", role), err)
			}
		}
		return nil
	})
}

func userOf(url string) (string, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return "", fmt.Errorf("parse the database URL: %w", err)
	}
	return config.User, nil
}
