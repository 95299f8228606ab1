package migrations_test

import (
	"os"
	"testing"

	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/services/recurring-task/internal/migrations"
)

func TestMain(m *testing.M) { os.Exit(databasetest.Main(m)) }

func TestMigrationsSurviveAKillAtEveryStatement(t *testing.T) {
	databasetest.KillMigrations(t, migrations.Schema)
}
