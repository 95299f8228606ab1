package main

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/test/suite"
)

// logOf is a journal that is shown when the test fails.
type logOf struct{ t *testing.T }

func (l logOf) Write(p []byte) (int, error) {
	l.t.Helper()
	l.t.Log(string(p[:len(p)-1]))
	return len(p), nil
}

// The suite keeps its promise under faults; and where it is broken on purpose,
// the comparison says so. Each case has a suite of its own. Those without faults judge no time,
// and run beside each other.
func TestChaos(t *testing.T) {
	for name, c := range map[string]struct {
		config config
		finds  func(*report) int // nil: nothing
	}{
		"nothing is lost under faults": {config{duration: 15 * time.Second, rate: 30}, nil},
		"an event that is lost": {
			config{duration: 5 * time.Second, rate: 30, breakage: loseEvent, calm: true},
			func(r *report) int { return r.total(func(c *check) int { return c.lost }) },
		},
		"an audit entry that is doubled": {
			config{duration: 5 * time.Second, rate: 30, breakage: doubleAudit, calm: true},
			func(r *report) int { return r.total(func(c *check) int { return c.doubled }) },
		},
		"a change that is published and not committed": {
			config{duration: 5 * time.Second, rate: 30, breakage: publishBeforeCommit, calm: true},
			func(r *report) int { return r.total(func(c *check) int { return c.invented }) },
		},
		"a change that no client is told of": {
			config{duration: 5 * time.Second, rate: 30, breakage: loseChange, calm: true},
			func(r *report) int { return r.checkOf("clients' copies = snapshots").lost },
		},
		"a list that is shown to who is not in it": {
			config{duration: 5 * time.Second, rate: 30, breakage: showLists, calm: true},
			func(r *report) int { return r.checkOf("what clients were sent = what their users may see").invented },
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.config.broker, c.config.mix, c.config.users = "kafka", defaultMix, defaultUsers
			if c.config.calm {
				t.Parallel()
				c.config.users = 2 * followed // so few that much of what is broken is theirs who are looked at
			}
			c.config.seed = uint64(time.Now().UnixNano()) >> 32
			r, err := run(t.Context(), c.config, newJournal(logOf{t}, logOf{t}))
			require.NoError(t, err)
			t.Log(r)
			require.NotEmpty(t, r.load.acknowledged)
			if c.finds == nil {
				require.True(t, r.ok(), "something is wrong")
				return
			}
			require.False(t, r.ok(), "it was not noticed")
			require.Positive(t, c.finds(r), "it was taken for something else")
		})
	}
}

// checkOf is one of the comparisons, by its name.
func (r *report) checkOf(name string) check {
	for _, c := range r.checks {
		if c.name == name {
			return *c
		}
	}
	return check{}
}

func TestMix(t *testing.T) {
	m, err := parseMix(defaultMix)
	require.NoError(t, err)
	require.Len(t, m, 9)
	for _, text := range []string{"", "create", "create=x", "create=-1", "creat=1", "read=5"} {
		_, err := parseMix(text)
		require.Error(t, err, "%q", text)
	}
}

// What a series may look like in the log, and what it may not.
func TestTheSeriesOfALog(t *testing.T) {
	id, first, second := uuid.New(), uuid.New(), uuid.New()
	is := func(kind string, task uuid.UUID, occurrence string, complete bool, follows *string) acknowledged {
		return acknowledged{Type: kind, Task: task, Series: &id, Occurrence: &occurrence, IsComplete: complete, Follows: follows}
	}
	monday, tuesday, saturday := "2026-11-23T09:00:00", "2026-11-24T09:00:00", "2026-11-21T09:00:00"
	begun := []acknowledged{
		is("task.created", first, monday, false, nil),
		is("task.completed", first, monday, true, nil),
		is("task.created", second, tuesday, false, &monday),
	}
	for name, c := range map[string]struct {
		then  []acknowledged
		wrong int
	}{
		"the next one is there":                                  {nil, 0},
		"reopened beside the one that followed":                  {[]acknowledged{is("task.reopened", first, monday, false, nil)}, 0},
		"reopened beside the one that was moved before it":       {[]acknowledged{is("task.updated", second, saturday, false, nil), is("task.reopened", first, monday, false, nil)}, 0},
		"reopened while what follows the last is on its way":     {[]acknowledged{is("task.completed", second, tuesday, true, nil), is("task.reopened", first, monday, false, nil), is("task.created", uuid.New(), "2026-11-25T09:00:00", false, &tuesday)}, 0},
		"the last was reopened, and one follows it all the same": {[]acknowledged{is("task.completed", second, tuesday, true, nil), is("task.reopened", second, tuesday, false, nil), is("task.created", uuid.New(), "2026-11-25T09:00:00", false, &tuesday)}, 2},
		"two follow one":                        {[]acknowledged{is("task.created", uuid.New(), "2026-11-25T09:00:00", false, &monday)}, 1},
		"follows one that is open":              {[]acknowledged{is("task.created", uuid.New(), "2026-11-25T09:00:00", false, &tuesday)}, 2},
		"the last was completed, and none came": {[]acknowledged{is("task.completed", second, tuesday, true, nil)}, 1},
		"the wrong day":                         {[]acknowledged{is("task.completed", second, tuesday, true, nil), is("task.created", uuid.New(), "2026-11-26T09:00:00", false, &tuesday)}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			log := &truth{log: newJournal(logOf{t}, logOf{t}), told: append(slices.Clone(begun), c.then...)}
			found := log.check("a series")
			log.series(found)
			require.Equal(t, c.wrong, found.wrong())
		})
	}
}

// A request creates one task, or one series, from which others follow.
func TestARequestCreatesOnce(t *testing.T) {
	id, other, monday := uuid.New(), uuid.New(), "2026-11-23T09:00:00"
	is := func(series *uuid.UUID, follows *string) acknowledged {
		return acknowledged{Type: "task.created", Task: uuid.New(), Title: "chaos 1", Series: series, Follows: follows}
	}
	for name, c := range map[string]struct {
		told  []acknowledged
		wrong int
	}{
		"a task":                               {[]acknowledged{is(nil, nil)}, 0},
		"two tasks":                            {[]acknowledged{is(nil, nil), is(nil, nil)}, 1},
		"a series, and what follows":           {[]acknowledged{is(&id, nil), is(&id, &monday)}, 0},
		"a series that has become another one": {[]acknowledged{is(&id, nil), is(&other, &monday)}, 0},
		"two series":                           {[]acknowledged{is(&id, nil), is(&other, nil)}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			log := &truth{log: newJournal(logOf{t}, logOf{t}), told: c.told}
			require.Equal(t, c.wrong, log.acknowledgedAreThere(nil).wrong())
		})
	}
}

// What a client must not be sent, by what the load knows of who is in a list.
func TestWhatAClientMayBeSent(t *testing.T) {
	for name, c := range map[string]struct {
		guest     guest
		meanwhile func(*guest)
		wrong     int
	}{
		"of a list that he is in":                              {guest: guest{in: true, may: true, came: 1}},
		"of one that he never came into":                       {guest: guest{}, wrong: 1},
		"of one that he may have come into":                    {guest: guest{may: true, unsure: true, came: 1}},
		"of one that he had left":                              {guest: guest{came: 1}, wrong: 1},
		"of one that he left meanwhile":                        {guest: guest{in: true, may: true, came: 1}, meanwhile: func(g *guest) { g.in, g.may = false, false }},
		"of one that he came into again meanwhile":             {guest: guest{came: 1}, meanwhile: func(g *guest) { g.may, g.came = true, 2 }},
		"of one that he had left, and may come into once more": {guest: guest{unsure: true, came: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			his := func() *user { return &user{inbox: uuid.New(), shared: &shared{id: uuid.New()}} }
			owner, u := his(), his()
			c.guest.user = u
			owner.shared.guests = []*guest{&c.guest}
			all := &clients{load: &load{users: []*user{owner, u}}, sent: &check{log: newJournal(logOf{t}, logOf{t})}}
			u.Client = &suite.Client{}
			barred := all.load.barred(u)
			if c.meanwhile != nil {
				c.meanwhile(&c.guest)
			}
			puts := func(list uuid.UUID) []fed { return []fed{{ListID: list, Op: "put"}, {ListID: list, Op: "gone"}} }
			f := &follower{user: u}
			all.see(f, puts(u.inbox), barred)
			all.see(f, puts(u.shared.id), barred)
			require.Zero(t, all.sent.wrong(), "of his own")
			all.see(f, puts(owner.shared.id), barred)
			require.Equal(t, c.wrong, all.sent.wrong())
			moved := []fed{{ListID: u.inbox, Op: "put", Data: map[string]any{"list_id": owner.inbox.String()}}}
			all.see(f, moved, nil)
			require.Equal(t, c.wrong+1, all.sent.wrong(), "in his list, and of another's")
		})
	}
}
