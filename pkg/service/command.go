package service

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
)

// Command is what an operator does with a service beside serving it. It works
// with the service's settings and database, on a schema that it leaves as it
// is, and logs to standard error: standard output is for its answer.
type Command[S Configured] struct {
	Name  string
	Help  string // one line
	Usage string // how it is called; shown by "help NAME" and by --help
	Run   func(ctx context.Context, settings S, base Base, args []string) error
}

// help lists the commands, or shows how the one named is called.
func (p Program[S]) help(w io.Writer, name string) error {
	for _, c := range p.Commands {
		if c.Name == name {
			_, err := fmt.Fprintf(w, "%s\n\n%s\n", c.Help, strings.TrimSpace(c.Usage))
			return err
		}
	}
	_, err := fmt.Fprintf(w, "usage: %s [command]\n\n%s\n", p.Name, p.list())
	return err
}

// list is a line for each command.
func (p Program[S]) list() string {
	lines := []string{
		line("serve", "run the service (the default)"),
		line("migrate", "bring the schema up to date and end"),
		line("health", "ask the service that runs here whether it is ready"),
	}
	for _, c := range p.Commands {
		lines = append(lines, line(c.Name, c.Help))
	}
	return strings.Join(append(lines, line("help [command]", "show this list, or how a command is called")), "\n")
}

// health asks the service that runs beside this process whether it is ready. An
// image holds nothing else that could.
func health(ctx context.Context) error {
	where, err := env.ParseAs[struct {
		Port int `env:"PORT,required"`
	}]()
	if err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/readyz", where.Port), nil)
	if err != nil {
		return fmt.Errorf("ask for readiness: %w", err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("ask for readiness: %w", err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 4<<10))
	if err != nil {
		return fmt.Errorf("ask for readiness: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready: %s", bytes.TrimSpace(answer))
	}
	return nil
}

func line(name, help string) string { return fmt.Sprintf("  %-16s %s", name, help) }

// command finds a command by its name.
func (p Program[S]) command(name string) (Command[S], error) {
	for _, c := range p.Commands {
		if c.Name == name {
			return c, nil
		}
	}
	return Command[S]{}, fmt.Errorf("unknown command %q; there are:\n%s", name, p.list())
}

// asksForHelp says whether one of a command's arguments is -h or --help.
func asksForHelp(args []string) bool {
	for _, a := range args {
		if a == "-h" || a == "-help" || a == "--help" {
			return true
		}
	}
	return false
}

// ParseFlags parses a command's flags, wherever they stand among its other
// arguments, and returns those. What follows "--" is not looked at.
func ParseFlags(flags *flag.FlagSet, args []string) ([]string, error) {
	flags.Init(flags.Name(), flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the error says it all
	var rest []string
	for {
		if err := flags.Parse(args); err != nil {
			return nil, fmt.Errorf("%s: %w", flags.Name(), err)
		}
		left := flags.Args()
		if len(left) == 0 {
			return rest, nil
		}
		if at := len(args) - len(left); at > 0 && args[at-1] == "--" {
			return append(rest, left...), nil
		}
		rest, args = append(rest, left[0]), left[1:]
	}
}

// NoArguments refuses arguments where a command takes flags alone.
func NoArguments(flags *flag.FlagSet, rest []string) error {
	if len(rest) > 0 {
		return errors.New(flags.Name() + " takes no argument " + strings.Join(rest, " "))
	}
	return nil
}
