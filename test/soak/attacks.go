package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// attack is one way to hurt others.
type attack struct {
	name  string
	begin func(context.Context, *stage) (assault, error) // prepares it
}

// assault is an attack that is prepared.
type assault struct {
	run func(context.Context) // until its context ends
	// finish says, when nothing should be left of it, what else there was to
	// see, and which promises of its own were broken; nil: nothing.
	finish func(context.Context) (saw string, broken []string, err error)
}

// attacks in the order of a whole run. docs/reliability.md says what each does.
var attacks = []*attack{
	{"members", members},
	{"passed-on", passedOn},
	{"nesting", nesting},
	{"hang-ups", hangUps},
	{"slow-bodies", slowBodies},
	{"slow-headers", slowHeaders},
	{"unread", unread},
	{"searches", searches},
	{"changes", changes},
	{"mails", mails},
	{"guessing", guessing},
	{"spraying", spraying},
	{"registrations", registrations},
	{"sign-ins", signIns},
	{"creates", creates},
	{"forms", forms},
}

func attackNames() []string {
	names := make([]string, len(attacks))
	for i, a := range attacks {
		names[i] = a.name
	}
	return names
}

// chosen are the attacks of a list of names; of an empty one, all.
func chosen(names string) ([]*attack, error) {
	if names == "" {
		return attacks, nil
	}
	var found []*attack
	for name := range strings.SplitSeq(names, ",") {
		i := slices.Index(attackNames(), strings.TrimSpace(name))
		if i < 0 {
			return nil, fmt.Errorf("there is no attack %q; there are: %s", name, strings.Join(attackNames(), ", "))
		}
		found = append(found, attacks[i])
	}
	return found, nil
}
