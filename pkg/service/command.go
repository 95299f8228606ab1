package service

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/taskwire/taskwire/pkg/setting"
)

// Command is what an operator does with a service beside serving it. It works
// with the service's settings and database, on a schema that it leaves as it
// is, and logs to standard error: standard output is for its answer.
type Command[S Configured] struct {
	Name  string
	Help  string // one line
	Usage string // how it is called; shown by "help NAME" and by --help
	// Parse looks at the arguments, before anything is done. Its error says that they are
	// not as they must be.
	Parse func(settings S, args []string) (Work, error)
}

// Work is what a command does.
type Work func(ctx context.Context, base Base) error

// The codes that a process ends with. That of 0 is for what was done.
const (
	exitFailed = 1 // it failed, or found that something is wrong
	exitUsage  = 2 // it was not called as it must be, or has wrong settings
)

const exitCodes = `A command ends with 0 when it has done what it should, with 1 when it failed or
found that something is wrong, and with 2 when it was not called as it must be
or a setting is wrong; nothing was done then.`

// usageError is a mistake of whoever calls a command, in its arguments or its settings:
// nothing was done.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func exitCode(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.As(err, new(usageError)):
		return exitUsage
	default:
		return exitFailed
	}
}

// own are the commands that every service has. They take no arguments, but for help.
func (p Program[S]) own() []Command[S] {
	call := func(name, help, usage string) Command[S] {
		return Command[S]{Name: name, Help: help, Usage: p.Name + " " + name + "\n    " + usage}
	}
	return []Command[S]{
		call("serve", "run the service (the default)", `Serves until it is told to stop (SIGINT, SIGTERM). It brings the schema up to
    date first, unless MIGRATE_AT_START is false.`),
		call("migrate", "bring the schema up to date and end", `With the login of MIGRATE_DATABASE_URL, where that is set. It may be run again,
    and beside a service that runs.`),
		call("health", "ask the service that runs here whether it is ready", `Asks 127.0.0.1:PORT for /readyz, and needs no other setting.`),
		call("config", "show the settings in force", `Shows each setting with where it comes from; secrets, and passwords in URLs, are
    masked. Where settings are wrong it names them instead.`),
		call("version", "show the version of this build", `The version, and the Go that built it.`),
		{Name: "help", Help: "show this list, or how a command is called", Usage: p.Name + " help [command]\n    The same as command --help."},
	}
}

// commands are all of them, by the order in which they are listed.
func (p Program[S]) commands() []Command[S] {
	own := p.own()
	last := len(own) - 1
	return slices.Concat(own[:last], p.Commands, own[last:])
}

// command finds a command by its name.
func (p Program[S]) command(name string) (Command[S], error) {
	commands := p.commands()
	at := slices.IndexFunc(commands, func(c Command[S]) bool { return c.Name == name })
	if at < 0 {
		return Command[S]{}, usageError{fmt.Errorf("there is no command %q; see %q", name, p.Name+" help")}
	}
	return commands[at], nil
}

// help lists the commands, or shows how the one named is called.
func (p Program[S]) help(w io.Writer, args []string) error {
	switch len(args) {
	case 0:
		lines := make([]string, 0, len(p.commands()))
		for _, c := range p.commands() {
			lines = append(lines, fmt.Sprintf("  %-13s %s", c.Name, c.Help))
		}
		_, err := fmt.Fprintf(w, "usage: %[1]s [command]\n\n%[2]s\n\n%[1]s COMMAND --help says more. Settings are environment variables.\n%[3]s\n", p.Name, strings.Join(lines, "\n"), exitCodes)
		return err
	case 1:
		c, err := p.command(args[0])
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "%s\n\n%s\n", c.Help, strings.TrimSpace(c.Usage))
		return err
	default:
		return usageError{fmt.Errorf("help takes the name of one command, not %q", args)}
	}
}

// printConfig shows the settings in force.
func printConfig(w io.Writer, values []setting.Value) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, v := range values {
		text, from := v.Text, v.From
		if text == "" {
			text, from = "(not set)", ""
		}
		if strings.ContainsAny(text, "\r\n\t") {
			text = fmt.Sprintf("%q", text)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", v.Name, text, from)
	}
	return table.Flush()
}

// printVersion shows which build this is.
func (p Program[S]) printVersion(w io.Writer) error {
	_, err := fmt.Fprintf(w, "%s %s %s %s/%s\n", p.Name, Version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// health asks the service that runs beside this process whether it is ready. An
// image holds nothing else that could.
func health(ctx context.Context) error {
	var where struct {
		Port int `env:"PORT,required,notEmpty" min:"0" max:"65535"`
	}
	if _, err := setting.Load(&where, "health"); err != nil {
		return usageError{settingsError(err)}
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

// asksForHelp says whether one of a command's arguments is -h or --help.
func asksForHelp(args []string) bool {
	for _, a := range args {
		switch a {
		case "-h", "-help", "--help":
			return true
		case "--":
			return false
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

// FlagsAlone parses the flags of a command that takes no other arguments.
func FlagsAlone(flags *flag.FlagSet, args []string) error {
	rest, err := ParseFlags(flags, args)
	if err != nil {
		return err
	}
	return noArguments(flags.Name(), rest)
}

// noArguments refuses arguments where a command takes none.
func noArguments(command string, rest []string) error {
	if len(rest) > 0 {
		return fmt.Errorf("%s takes no argument %s", command, strings.Join(rest, " "))
	}
	return nil
}
