package database

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/migrate"
)

// Schema is what a service owns of the database, and how it is made.
type Schema struct {
	Name  string
	Files fs.FS             // NNNN_name.up.sql, forward only; statements split by --bun:split
	SQL   map[string]string // like Files, by number and name ("0002_event_log"): the tables that a package of pkg brings along
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

// Migrate applies what is missing, under a lock that dies with its connection:
// a killed migration leaves nothing locked. It is safe to call from several
// replicas at once, and does nothing when all is up to date.
func Migrate(ctx context.Context, m Migration) error {
	config, err := Config(m.OwnerURL)
	if err != nil {
		return err
	}
	// A migration waits for its turn longer than a request would, and works longer.
	config.RuntimeParams["lock_timeout"] = "60s"
	config.RuntimeParams["statement_timeout"] = "0"
	pool := stdlib.OpenDB(*config)
	pool.SetMaxOpenConns(2)
	db := bun.NewDB(pool, pgdialect.New())
	defer db.Close()

	conn, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect to migrate schema %s: %w", m.Name, err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock(?, hashtext(?))", migrateLock, m.Name); err != nil {
		return fmt.Errorf("lock the migration of schema %s: %w", m.Name, err)
	}
	if _, err := conn.ExecContext(ctx, "CREATE SCHEMA IF NOT EXISTS ?", bun.Ident(m.Name)); err != nil {
		return fmt.Errorf("create schema %s: %w", m.Name, err)
	}

	migrations := migrate.NewMigrations()
	if err := migrations.Discover(m.Files); err != nil {
		return fmt.Errorf("read the migrations of schema %s: %w", m.Name, err)
	}
	for name, sql := range m.SQL {
		number, comment, _ := strings.Cut(name, "_")
		migrations.Add(migrate.Migration{Name: number, Comment: comment, Up: func(ctx context.Context, _ *migrate.Migrator, _ *migrate.Migration) error {
			_, err := db.ExecContext(ctx, sql)
			return err
		}})
	}
	migrator := migrate.NewMigrator(db, migrations,
		migrate.WithTableName(m.Name+".migrations"),
		migrate.WithLocksTableName(m.Name+".migration_locks"),
		migrate.WithMarkAppliedOnSuccess(true))
	if err := migrator.Init(ctx); err != nil {
		return fmt.Errorf("prepare the migrations of schema %s: %w", m.Name, err)
	}
	start := time.Now()
	group, err := migrator.Migrate(ctx)
	if err != nil {
		return fmt.Errorf("migrate schema %s: %w", m.Name, err)
	}
	applied, err := migrator.AppliedMigrations(ctx)
	if err != nil {
		return fmt.Errorf("list the migrations of schema %s: %w", m.Name, err)
	}
	if err := grant(ctx, db, m, newer(applied, migrations.Sorted())); err != nil {
		return err
	}
	if !group.IsZero() {
		m.Log.InfoContext(ctx, "schema migrated", "schema", m.Name, "migrations", group.Migrations.String(), "took", time.Since(start))
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
