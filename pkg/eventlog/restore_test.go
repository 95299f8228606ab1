package eventlog_test

import (
	"context"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/database/databasetest"
)

// A log that is dumped and restored elsewhere goes on where it was: nothing in
// it depends on the transaction ids of the cluster that it came from.
func TestPublishingGoesOnAfterDumpAndRestore(t *testing.T) {
	old, b := newLog(t), &broker{}
	stop := old.relay(b)
	old.commit("a", "k", 1)
	old.commit("a", "k", 2)
	b.wait(t, atLeast(2))
	stop()
	old.commit("a", "k", 3) // not published when the dump is made

	dump, err := databasetest.Program("pg_dump")
	require.NoError(t, err)
	psql, err := databasetest.Program("psql")
	require.NoError(t, err)
	out, err := exec.CommandContext(t.Context(), dump, "--schema=log", old.url).Output()
	require.NoError(t, err)
	url := databasetest.New(t)
	restore := exec.CommandContext(t.Context(), psql, "-q", "-v", "ON_ERROR_STOP=1", "-f", "-", url)
	pipe, err := restore.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, restore.Start())
	_, err = pipe.Write(out)
	require.NoError(t, err)
	require.NoError(t, pipe.Close())
	require.NoError(t, restore.Wait())

	db, err := database.Open(context.Background(), url)
	require.NoError(t, err)
	defer db.Close()
	restored, again := &log{t: t, db: db, url: url}, &broker{}
	stop = restored.relay(again)
	defer stop()
	restored.commit("a", "k", 4)
	got := again.wait(t, func(got []message) bool { return len(got) > 0 && got[len(got)-1].n == 4 })
	// The cursor may lie one window behind: what was published goes out again
	// with its id, and nothing is left out.
	require.Contains(t, []int{1, 2, 3}, got[0].n)
	seen := map[int]string{}
	for _, m := range got {
		seen[m.n] = m.sequence
	}
	require.Contains(t, seen, 3)
	require.Less(t, seen[3], seen[4])
}
