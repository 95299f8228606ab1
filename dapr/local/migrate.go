package main

import (
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"syscall"

	"github.com/taskwire/taskwire/pkg/local"
)

// migrate brings the schemas of the apps up to date, all at once, each by its
// service's own command and with the login of the owner.
func migrate(ctx context.Context, s *supervisor, apps []*app, services map[string]process, database suiteDatabase) error {
	var all sync.WaitGroup
	failed := make([]error, len(apps))
	for i, a := range apps {
		if a.Replica > 1 {
			continue // it shares the first one's schema
		}
		p := services[a.name()]
		all.Go(func() {
			failed[i] = s.finish(ctx, p, a.name()+"-migrate", "migrate",
				"DATABASE_URL="+database.URLs[a.ID], "MIGRATE_DATABASE_URL="+database.OwnerURL)
		})
	}
	all.Wait()
	for _, err := range failed {
		if err != nil {
			return err
		}
	}
	return nil
}

// finish runs a command of a process's program until it ends, with more
// environment, and a log of its own.
func (s *supervisor) finish(ctx context.Context, p process, name, command string, env ...string) error {
	log, err := s.openLog(name)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.CommandContext(ctx, p.path, command)
	cmd.Env, cmd.Stdout, cmd.Stderr = slices.Concat(p.env, env), log, log // the last of a name counts
	// As in start: its death signal comes when the thread that started it ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = local.Child(syscall.SIGKILL, nil)
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s (see %s)", name, err, lastLine(s.logFile(name)), s.logFile(name))
	}
	return nil
}
