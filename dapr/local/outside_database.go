package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"
)

// errMayNot says that the login of DATABASE_URL may not make roles, or that
// the roles are somebody else's.
var errMayNot = errors.New("no roles of its own")

// outsideURLs gives each role a login of its own to the database of
// DATABASE_URL. It makes roles that are missing and leaves those that exist as
// they are: they may belong to another suite on that server.
func outsideURLs(ctx context.Context, databaseURL string, roles []string, s secrets) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	base, err := url.Parse(databaseURL)
	if err != nil {
		return nil, errors.New("DATABASE_URL is not a URL: postgres://user:password@host:port/database")
	}
	conn, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		return nil, fmt.Errorf("connect to DATABASE_URL: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var may bool
	var name string
	if err := conn.QueryRow(ctx, "SELECT rolsuper OR rolcreaterole, current_database() FROM pg_roles WHERE rolname = current_user").Scan(&may, &name); err != nil {
		return nil, fmt.Errorf("ask what DATABASE_URL may do: %w", err)
	}
	if !may {
		return nil, fmt.Errorf("%w: its login may not make any", errMayNot)
	}
	urls := map[string]string{}
	for _, role := range roles {
		var exists bool
		if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", role).Scan(&exists); err != nil {
			return nil, fmt.Errorf("look for the role %s: %w", role, err)
		}
		if !exists {
			if _, err := conn.Exec(ctx, fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s'", role, s.Passwords[role])); err != nil {
				return nil, fmt.Errorf("make the role %s: %w", role, err)
			}
		}
		grant := fmt.Sprintf("GRANT CONNECT ON DATABASE %s TO %s", pgx.Identifier{name}.Sanitize(), role)
		if _, err := conn.Exec(ctx, grant); err != nil {
			return nil, fmt.Errorf("grant the database to %s: %w", role, err)
		}
		u := *base
		u.User = url.UserPassword(role, s.Passwords[role])
		try, err := pgx.Connect(ctx, u.String())
		if err != nil {
			return nil, fmt.Errorf("%w: %s exists with another password", errMayNot, role)
		}
		if err := try.Close(ctx); err != nil {
			return nil, fmt.Errorf("log in as %s: %w", role, err)
		}
		urls[role] = u.String()
	}
	return urls, nil
}
