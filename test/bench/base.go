package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// checkOut makes a side of another commit, in a working tree that is removed at the
// end. Its suites are built and run by its own runner.
func checkOut(ctx context.Context, up *started, this side, commit string) (side, error) {
	git := func(ctx context.Context, args ...string) (string, error) {
		out, err := exec.CommandContext(ctx, "git", append([]string{"-C", this.root}, args...)...).CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, out)
		}
		return strings.TrimSpace(string(out)), nil
	}
	short, err := git(ctx, "rev-parse", "--short", "--verify", commit+"^{commit}")
	if err != nil {
		return side{}, err
	}
	dir, err := os.MkdirTemp("", "taskwire-base-")
	if err != nil {
		return side{}, fmt.Errorf("make a folder for %s: %w", short, err)
	}
	up.add(func() error { return os.RemoveAll(dir) })
	progress("checking out %s", short)
	tree := filepath.Join(dir, "taskwire")
	if _, err := git(ctx, "worktree", "add", "--detach", tree, short); err != nil {
		return side{}, err
	}
	up.add(func() error {
		_, err := git(context.WithoutCancel(ctx), "worktree", "remove", "--force", tree)
		return err
	})
	if _, err := os.Stat(filepath.Join(tree, "dapr", "local")); err != nil {
		return side{}, errors.Join(fmt.Errorf("%s is before the runner dapr/local", short), err)
	}
	// This tree's daprd, where it is of the same version: to build one takes minutes.
	path := filepath.Join(this.root, ".local", "bin") + string(filepath.ListSeparator) + os.Getenv("PATH")
	return side{root: tree, label: " at " + short, env: []string{"PATH=" + path}}, nil
}
