package main

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/taskwire/taskwire/test/suite"
)

// started is what a measurement has started. It is stopped in reverse.
type started []func() error

func (s *started) add(stop func() error) { *s = append(*s, stop) }

func (s *started) stop() error {
	var all error
	for _, stop := range slices.Backward(*s) {
		all = errors.Join(all, stop())
	}
	return all
}

// side is a working tree whose suites are measured.
type side struct {
	root  string
	label string   // what is behind a name in the tables; "" for this tree
	env   []string // of its suites
}

// here is the side of this working tree.
func here() (side, error) {
	root, err := suite.Root()
	return side{root: root}, err
}

// chosenSides are this working tree and, with -base, another commit.
func chosenSides(ctx context.Context, up *started) ([]side, error) {
	this, err := here()
	if err != nil || *base == "" {
		return []side{this}, err
	}
	other, err := checkOut(ctx, up, this, *base)
	return []side{this, other}, err
}

// start starts a suite of the side with users.
func (s side) start(ctx context.Context, up *started, users int, env ...string) (*deployment, error) {
	progress("starting a suite%s %s", s.label, strings.Join(env, " "))
	dir, err := suite.NewDir("bench")
	if err != nil {
		return nil, err
	}
	up.add(func() error { return os.RemoveAll(dir) })
	running, err := suite.StartFrom(ctx, s.root, dir, slices.Concat(suite.WithoutLimits(), s.env, env)...)
	if err != nil {
		return nil, err
	}
	up.add(running.Stop)
	d := &deployment{Suite: running, label: s.label}
	d.users, err = register(ctx, running, users)
	return d, err
}

// with runs f on a suite of its own, with one user.
func with(ctx context.Context, env []string, f func(*suite.Suite, *suite.Client) error) (err error) {
	var up started
	defer func() { err = errors.Join(err, up.stop()) }()
	this, err := here()
	if err != nil {
		return err
	}
	d, err := this.start(ctx, &up, 0, env...)
	if err != nil {
		return err
	}
	u, err := d.Register(ctx, "bench@example.org", "UTC")
	if err != nil {
		return err
	}
	return f(d.Suite, u)
}
