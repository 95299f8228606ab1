package task

import (
	"os"
	"testing"

	"github.com/taskwire/taskwire/pkg/database/databasetest"
)

func TestMain(m *testing.M) { os.Exit(databasetest.Main(m)) }
