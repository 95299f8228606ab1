package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/test/suite"
)

// script writes the rows of one create as the API does, without the API.
const script = `
BEGIN;
WITH t AS (
	INSERT INTO task.tasks (id, user_id, title, description, is_complete, priority, tags, all_day, timezone, version, created_at, updated_at, title_key, search_version)
	VALUES (gen_random_uuid(), '00000000-0000-0000-0000-000000000001', 'Write the figures down', repeat('measured ', 20), false, 1, '{bench}', false, 'UTC', 1, now(), now(), repeat('k', 60)::bytea, 17)
	RETURNING id)
INSERT INTO task.search (task_id, text, keys) SELECT id, 'write the figures down ' || repeat('measured ', 20), ARRAY(SELECT i FROM generate_series(1, 45) i) FROM t;
INSERT INTO task.events (id, topic, type, key, trace_parent, occurred_at, data)
VALUES (gen_random_uuid(), 'pgbench', 'task.created', 'k', '', now(), repeat('x', 900)), (gen_random_uuid(), 'pgbench', 'audit.task.created', 'k', '', now(), repeat('x', 1200));
COMMIT;
`

// pgbench has a suite's Postgres write the rows of creates without the API.
func pgbench(s *suite.Suite) creating {
	return func(ctx context.Context, clients int, length time.Duration) (round, error) {
		path, err := databasetest.Program("pgbench")
		if err != nil {
			return round{}, fmt.Errorf("find pgbench (Debian: apt-get install postgresql-contrib): %w", err)
		}
		file := filepath.Join(s.RunDir, "pgbench.sql")
		if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
			return round{}, fmt.Errorf("write the script of pgbench: %w", err)
		}
		seconds := max(1, int(length/time.Second))
		cmd := exec.CommandContext(ctx, path, "-n", "-f", file, "-c", strconv.Itoa(clients), "-j", strconv.Itoa(min(2, clients)), "-T", strconv.Itoa(seconds), s.Database.OwnerURL)
		postgres := func() (map[string]int, error) {
			pid, err := s.PID("postgres")
			return map[string]int{"postgres": pid}, err
		}
		return watched(postgres, func() (round, int, error) {
			out, err := cmd.CombinedOutput()
			if err != nil {
				return round{}, 0, fmt.Errorf("pgbench: %w: %s", err, out)
			}
			var rate, n float64
			for name, into := range map[string]*float64{`tps = ([\d.]+)`: &rate, `actually processed: (\d+)`: &n} {
				found := regexp.MustCompile(name).FindSubmatch(out)
				if found == nil {
					return round{}, 0, fmt.Errorf("pgbench said no %s: %s", name, out)
				}
				if *into, err = strconv.ParseFloat(string(found[1]), 64); err != nil {
					return round{}, 0, fmt.Errorf("pgbench: %w", err)
				}
			}
			return round{rate: rate}, int(n), nil
		})
	}
}
