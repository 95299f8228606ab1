package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func pidOf(path string) int {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	return pid
}

func gone(pid int) bool { return syscall.Kill(pid, 0) == syscall.ESRCH }

func TestAKilledProcessIsStartedAgainAndAStoppedOneIsNot(t *testing.T) {
	dir := t.TempDir()
	s := &supervisor{logs: dir, run: dir, say: t.Logf}
	pidFile := filepath.Join(dir, "sleeper.pid")
	c := s.start(process{name: "sleeper", path: "/bin/sh", args: []string{"-c", "echo started; exec sleep 600"}, stopWithin: time.Second})
	defer stopAll([]*child{c})
	require.Eventually(t, func() bool { return pidOf(pidFile) != 0 }, 5*time.Second, 10*time.Millisecond)

	first := pidOf(pidFile)
	require.NoError(t, syscall.Kill(first, syscall.SIGKILL))
	require.Eventually(t, func() bool { pid := pidOf(pidFile); return pid != 0 && pid != first }, 5*time.Second, 10*time.Millisecond)

	second := pidOf(pidFile)
	stopAll([]*child{c})
	require.True(t, gone(second))
	require.NoFileExists(t, pidFile)
}

func TestAProcessThatIgnoresItsSignalIsKilledWithItsChildren(t *testing.T) {
	dir := t.TempDir()
	s := &supervisor{logs: dir, run: dir, say: t.Logf}
	childFile := filepath.Join(dir, "inner")
	c := s.start(process{
		name: "deaf", path: "/bin/sh", stopWithin: 200 * time.Millisecond,
		args: []string{"-c", `trap "" TERM; sleep 600 & echo $! > "` + childFile + `"; while :; do wait; done`},
	})
	defer stopAll([]*child{c})
	require.Eventually(t, func() bool { return pidOf(childFile) != 0 }, 5*time.Second, 10*time.Millisecond)
	inner := pidOf(childFile)
	stopAll([]*child{c})
	// Somebody else reaps it: it may be a zombie for a moment.
	require.Eventually(t, func() bool {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(inner) + "/stat")
		return gone(inner) || (err == nil && strings.Contains(string(stat), ") Z "))
	}, 5*time.Second, 10*time.Millisecond)
}

func TestAProcessThatEndsWhenItIsStartedIsGivenUpWithItsLastWord(t *testing.T) {
	dir := t.TempDir()
	s := &supervisor{logs: dir, run: dir, say: t.Logf}
	told := make(chan error, 1)
	c := s.start(process{
		name: "wrong", path: "/bin/sh", args: []string{"-c", "echo MAIL_FROM is no address; exit 1"}, stopWithin: time.Second,
		ended: func(err error) bool { told <- err; return true },
	})
	select {
	case err := <-told:
		require.ErrorContains(t, err, "wrong ends when it is started (exit status 1): MAIL_FROM is no address")
	case <-time.After(10 * time.Second):
		t.Error("it is started again and again")
	}
	stopAll([]*child{c})
}

func TestAStateFolderThatCanNotBeWrittenIsNoSuiteThatRuns(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "run", "lock"), 0o755)) // root may write whatever the rights
	t.Setenv("STATE_DIR", dir)
	t.Setenv("PORTS", "free")
	err := runSuite(t.Context(), nil)
	require.ErrorContains(t, err, "STATE_DIR "+dir+" can not be used: open the lock")
	require.NotContains(t, err.Error(), "already")
}
