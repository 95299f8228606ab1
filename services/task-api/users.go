package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/eventlog"
	"github.com/taskwire/taskwire/pkg/service"
	"github.com/taskwire/taskwire/services/task-api/internal/account"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

// usersCommand is what an operator does with the accounts of users.
var usersCommand = service.Command[settings]{Name: "users", Help: "list, invite, block and erase users, and who is an operator", Parse: users, Usage: `
task-api users list [--email PART] [--after ID] [--limit N]
    The users, those who came last first: 100 unless --limit says otherwise.
    --email is a part of their address. --after goes on behind one.
task-api users invite EMAIL [--name NAME]
    Makes an account, and has a mail sent in which its user is asked to choose a
    password within 7 days. Who was invited and has chosen none gets another mail.
task-api users block EMAIL|ID
    Ends all that the user is signed in by, and lets him in no more. What he shares
    with others stays. Doing so again changes nothing.
task-api users unblock EMAIL|ID
    Lets him in again.
task-api users operator EMAIL|ID [--revoke]
    Has the account see the operator's corner of the page: how far the topics are
    handled, and the dead letters, which it may replay and discard. With --revoke it
    does so no more. A user whose address was not verified is named by the ID.
task-api users erase EMAIL|ID [--now]
    Has the account erased in all services after ERASE_AFTER, and says when. Until
    then its user can sign in and call it back; with --now it begins at once. What
    is left to do by hand (backups, the broker), docs/operations.md says.`}

// mostListed is how many users are listed at once.
const mostListed = 10_000

func users(cfg settings, args []string) (service.Work, error) {
	if len(args) == 0 {
		return nil, errors.New("users needs to be told what to do: list, invite, block, unblock, operator or erase")
	}
	flags := flag.NewFlagSet("users "+args[0], flag.ContinueOnError)
	switch args[0] {
	case "list":
		part := flags.String("email", "", "")
		limit := flags.Int("limit", 100, "")
		var after uuid.UUID
		flags.Func("after", "", func(s string) (err error) {
			after, err = uuid.Parse(s)
			return err
		})
		if err := service.FlagsAlone(flags, args[1:]); err != nil {
			return nil, err
		}
		if *limit < 1 || *limit > mostListed {
			return nil, fmt.Errorf("--limit must be from 1 to %d", mostListed)
		}
		return func(ctx context.Context, base service.Base) error {
			return listUsers(ctx, cfg, base, *part, after, *limit)
		}, nil
	case "invite":
		name := flags.String("name", "", "")
		email, err := named(flags, args)
		if err != nil {
			return nil, err
		}
		return onUsers(cfg, "invited", func(ctx context.Context, store *account.Store) (*account.User, error) {
			return store.Invite(ctx, email, *name)
		}), nil
	case "block", "unblock":
		who, err := named(flags, args)
		if err != nil {
			return nil, err
		}
		act, done := (*account.Store).Block, "blocked"
		if args[0] == "unblock" {
			act, done = (*account.Store).Unblock, "unblocked"
		}
		return onUsers(cfg, done, func(ctx context.Context, store *account.Store) (*account.User, error) { return act(store, ctx, who) }), nil
	case "operator":
		revoke := flags.Bool("revoke", false, "")
		who, err := named(flags, args)
		if err != nil {
			return nil, err
		}
		done := "an operator"
		if *revoke {
			done = "no operator"
		}
		return onUsers(cfg, done, func(ctx context.Context, store *account.Store) (*account.User, error) {
			return store.SetOperator(ctx, who, !*revoke)
		}), nil
	case "erase":
		now := flags.Bool("now", false, "")
		who, err := named(flags, args)
		if err != nil {
			return nil, err
		}
		after := cfg.EraseAfter
		if *now {
			after = 0
		}
		return onUsers(cfg, "to be erased", func(ctx context.Context, store *account.Store) (*account.User, error) {
			return store.EraseFor(ctx, who, after)
		}), nil
	default:
		return nil, fmt.Errorf("users knows list, invite, block, unblock, operator and erase, not %q", args[0])
	}
}

// named is the one user that the arguments of a command name, before its flags.
func named(flags *flag.FlagSet, args []string) (string, error) {
	if len(args) < 2 || args[1] == "" || args[1][0] == '-' {
		return "", fmt.Errorf("users %s needs the address of a user", args[0])
	}
	return args[1], service.FlagsAlone(flags, args[2:])
}

func usersOf(cfg settings, base service.Base) *account.Store {
	// Nobody carries these signals to the service: the relay looks each second anyway.
	changes := &change.Writer{
		DB: base.DB, Now: time.Now,
		Events: eventlog.NewSignal(cfg.DatabaseURL, "taskwire_events", base.Log), Clock: eventlog.NewSignal(cfg.DatabaseURL, "taskwire_reminders", base.Log),
	}
	return &account.Store{DB: base.DB, Changes: changes}
}

func onUsers(cfg settings, done string, act func(context.Context, *account.Store) (*account.User, error)) service.Work {
	return func(ctx context.Context, base service.Base) error {
		u, err := act(ctx, usersOf(cfg, base))
		var no *refuse.Error
		if errors.As(err, &no) && no.Code == refuse.Invalid {
			return fmt.Errorf("the address %s", no.Fields[0].Message)
		}
		if err != nil {
			return err
		}
		if u.EraseAt != nil {
			done += " at " + u.EraseAt.UTC().Format(time.RFC3339)
		}
		fmt.Fprintf(os.Stdout, "%s: %s %s\n", done, u.ID, printable(u.Email))
		return nil
	}
}

func listUsers(ctx context.Context, cfg settings, base service.Base, part string, after uuid.UUID, limit int) error {
	found, err := usersOf(cfg, base).List(ctx, part, after, limit)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tEMAIL\tNAME\tREGISTERED\tLAST SEEN\tSTATE")
	for _, u := range found {
		seen := "-"
		if u.LastSeenAt != nil {
			seen = u.LastSeenAt.UTC().Format(time.RFC3339)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", u.ID, printable(u.Email), printable(u.Name), u.CreatedAt.UTC().Format(time.RFC3339), seen, stateOf(u))
	}
	return table.Flush()
}

// printable is a text as a terminal may show it: what users have chosen may hold what moves
// the cursor, or ends a line.
func printable(text string) string {
	quoted := fmt.Sprintf("%q", text)
	if plain := quoted[1 : len(quoted)-1]; plain == text {
		return text
	}
	return quoted
}

func stateOf(u account.Listed) string {
	state := mainState(u)
	if u.Operator {
		state += ", operator"
	}
	return state
}

func mainState(u account.Listed) string {
	switch {
	case u.BlockedAt != nil:
		return "blocked"
	case u.Outside:
		return "outside"
	case !u.Verified:
		return "unverified"
	default:
		return "active"
	}
}
