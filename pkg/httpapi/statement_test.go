package httpapi_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/pkg/httpapi"
)

func TestMain(m *testing.M) { os.Exit(databasetest.Main(m)) }

// A statement ends with its request, whether its time is over or its client gone.
func TestAStatementEndsWithItsRequest(t *testing.T) {
	db, err := database.Open(t.Context(), databasetest.New(t))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	router := httpapi.NewRouter(quiet)
	httpapi.Register(httpapi.NewAPI(router), httpapi.Failures{Log: quiet}, huma.Operation{OperationID: "slow", Method: http.MethodGet, Path: "/slow"},
		func(ctx context.Context, _ *struct{}) (*struct{}, error) {
			_, err := db.ExecContext(ctx, "SELECT pg_sleep(600)")
			return nil, err
		})
	running := func() int {
		var n int
		require.NoError(t, db.NewRaw("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query = 'SELECT pg_sleep(600)' AND state = 'active'").Scan(t.Context(), &n))
		return n
	}
	ctx, hangUp := context.WithCancel(t.Context())
	answered := make(chan int, 1)
	go func() {
		rec := httptest.NewRecorder()
		router.ServeHTTP(rec, httptest.NewRequestWithContext(ctx, http.MethodGet, "/slow", nil))
		answered <- rec.Code
	}()
	require.Eventually(t, func() bool { return running() == 1 }, 30*time.Second, 10*time.Millisecond)
	hangUp()
	require.Equal(t, 499, <-answered)
	require.Eventually(t, func() bool { return running() == 0 }, 30*time.Second, 10*time.Millisecond)
}
