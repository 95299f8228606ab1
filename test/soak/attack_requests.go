package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/test/suite"
)

// The attacks of this file send what is expensive to look at.

// sent is a request of an attacker.
type sent struct {
	method, path string
	body         []byte
	token        bool
}

var (
	often  = effort{connections: 4, every: 20 * time.Millisecond}
	seldom = effort{connections: 1, every: time.Second}
)

// requests sends the same ones again and again.
func requests(ctx context.Context, st *stage, all []sent) (assault, error) {
	clients, err := st.attackers(ctx)
	if err != nil {
		return assault{}, err
	}
	var next atomic.Int64 // the same number of each, whoever sends it
	return assault{run: func(ctx context.Context) {
		keep(ctx, clients, st.effort(often, seldom), func(ctx context.Context, c *suite.Client, _ int) int {
			r := all[next.Add(1)%int64(len(all))]
			if !r.token {
				unknown := *c
				unknown.Token = ""
				c = &unknown
			}
			return st.ask(ctx, c, r.method, r.path, r.body)
		})
	}}, nil
}

// An object of so many members that nobody knows is 39 KB, and 700 KB.
var manyMembers, mostMembers = object(4_000), object(60_000)

func object(members int) []byte {
	var b bytes.Buffer
	b.WriteString("{")
	for i := range members {
		fmt.Fprintf(&b, `"m%d":0,`, i)
	}
	b.WriteString(`"title":"x"}`)
	return b.Bytes()
}

func members(ctx context.Context, st *stage) (assault, error) {
	return requests(ctx, st, []sent{
		{http.MethodPost, "/api/auth/register", manyMembers, false},
		{http.MethodPost, "/api/auth/login", mostMembers, false},
		{http.MethodPost, "/api/tasks", manyMembers, true},
		{http.MethodPost, "/api/tasks", mostMembers, true},
	})
}

// passedOn is members at routes that the front door passes on.
func passedOn(ctx context.Context, st *stage) (assault, error) {
	notification := "/api/notifications/" + uuid.NewString()
	return requests(ctx, st, []sent{
		{http.MethodPost, "/api/recurrence/preview", manyMembers, true},
		{http.MethodPost, "/api/recurrence/preview", mostMembers, true},
		{http.MethodPatch, notification, manyMembers, true},
		{http.MethodPatch, notification, mostMembers, true},
	})
}

// nesting is other bodies of almost 1 MiB: deep, long and wide ones; and a query
// as wide as a header may be.
func nesting(ctx context.Context, st *stage) (assault, error) {
	deep := []byte(`{"title":` + strings.Repeat("[", 500_000) + strings.Repeat("]", 500_000) + "}")
	objects := []byte(`{"recurrence":` + strings.Repeat(`{"a":`, 160_000) + "1" + strings.Repeat("}", 160_000) + "}")
	long := []byte(`{"title":"x","tags":[` + strings.Repeat(`"",`, 340_000) + `""]}`)
	reminders := []byte(`{"title":"x","reminders":[` + strings.Repeat(`{"x":0},`, 120_000) + `{}]}`)
	text := []byte(`{"title":"` + strings.Repeat("x", 1_000_000) + `"}`)
	wide := "/api/tasks?" + strings.TrimSuffix(strings.Repeat("tag=a&", 9_000), "&")
	return requests(ctx, st, []sent{
		{http.MethodPost, "/api/tasks", deep, true},
		{http.MethodPost, "/api/auth/login", deep, false},
		{http.MethodPost, "/api/tasks", objects, true},
		{http.MethodPost, "/api/tasks", long, true},
		{http.MethodPost, "/api/tasks", reminders, true},
		{http.MethodPost, "/api/tasks", text, true},
		{http.MethodGet, wide, nil, true},
	})
}

// hangUps send what is expensive, and do not wait for the answer.
func hangUps(ctx context.Context, st *stage) (assault, error) {
	clients, err := st.readers(ctx)
	if err != nil {
		return assault{}, err
	}
	return assault{run: func(ctx context.Context) {
		keep(ctx, clients, st.effort(effort{4, 50 * time.Millisecond}, seldom), func(ctx context.Context, c *suite.Client, i int) int {
			request := append(raw(c, http.MethodPost, "/api/tasks", len(mostMembers)), mostMembers...)
			if i%2 == 1 {
				request = raw(c, http.MethodGet, st.search(i), 0)
			}
			conn, end, err := st.dial(ctx)
			if err != nil {
				return 0
			}
			defer end()
			if _, err := conn.Write(request); err == nil {
				sleep(ctx, 5*time.Millisecond) // it has been read
				st.answer("hung up")
			}
			return 0
		})
	}}, nil
}

// Each client of slow ones holds so many connections.
func slowly(st *stage) effort {
	return st.effort(effort{200, time.Second}, effort{10, time.Second})
}

// slowBodies announce a body, and send a byte of it now and then: to sign in, to
// create a task, and to ask a service behind the front door.
func slowBodies(ctx context.Context, st *stage) (assault, error) {
	clients, err := st.attackers(ctx)
	if err != nil {
		return assault{}, err
	}
	paths := []string{"/api/auth/login", "/api/tasks", "/api/recurrence/preview"}
	return assault{run: func(ctx context.Context) {
		keep(ctx, clients, slowly(st), func(ctx context.Context, c *suite.Client, i int) int {
			return st.trickle(ctx, raw(c, http.MethodPost, paths[i%len(paths)], 100_000), " ")
		})
	}}, nil
}

// slowHeaders never come to the end of a header.
func slowHeaders(_ context.Context, st *stage) (assault, error) {
	clients := st.strangers()
	return assault{run: func(ctx context.Context) {
		keep(ctx, clients, slowly(st), func(ctx context.Context, c *suite.Client, _ int) int {
			begin := bytes.TrimSuffix(raw(c, http.MethodGet, "/api/tasks", 0), []byte("\r\n"))
			return st.trickle(ctx, begin, "X-A: b\r\n")
		})
	}}, nil
}

// trickle sends the beginning of a request, then more now and then.
func (st *stage) trickle(ctx context.Context, begin []byte, more string) int {
	conn, end, err := st.dial(ctx)
	if err != nil {
		return 0
	}
	defer end()
	next := begin
	for {
		if _, err := conn.Write(next); err != nil {
			break
		}
		if next = []byte(more); !sleep(ctx, time.Second/2) {
			st.answer("still open at the end")
			return 0
		}
	}
	// What the server said before it closed, if it did.
	status, err := readStatus(conn)
	if err != nil {
		st.answer("cut off")
		return 0
	}
	st.answer(fmt.Sprint(status))
	return status
}

// unread asks for large pages, and does not read them.
func unread(ctx context.Context, st *stage) (assault, error) {
	clients, err := st.attackers(ctx)
	if err != nil {
		return assault{}, err
	}
	err = st.write(ctx, clients, "emoji", 200, func() string { return strings.Repeat("😀", 20_000) })
	if err != nil {
		return assault{}, err
	}
	return assault{run: func(ctx context.Context) {
		keep(ctx, clients, st.effort(effort{40, time.Second}, effort{4, time.Second}), func(ctx context.Context, c *suite.Client, _ int) int {
			conn, end, err := st.dial(ctx)
			if err != nil {
				return 0
			}
			defer end()
			if tcp, ok := conn.(interface{ SetReadBuffer(int) error }); ok {
				_ = tcp.SetReadBuffer(4 << 10) // a larger one would only take more
			}
			if _, err := conn.Write(raw(c, http.MethodGet, "/api/tasks?limit=200", 0)); err != nil {
				return 0
			}
			status, err := readStatus(conn)
			switch {
			case err == nil:
				st.answer(fmt.Sprint(status))
			case ctx.Err() == nil:
				st.answer("no answer")
			}
			if status == http.StatusOK {
				sleep(ctx, time.Hour) // until the attack is over
			}
			return status
		})
	}}, nil
}

// words are what texts and searches are made of.
var words = strings.Fields(`lorem ipsum dolor sit amet consetetur sadipscing elitr sed diam nonumy eirmod tempor invidunt
	ut labore et dolore magna aliquyam erat voluptua at vero eos accusam justo duo dolores ea rebum stet clita kasd gubergren
	no sea takimata sanctus est vulputate velit esse molestie consequat vel illum feugiat nulla facilisis iusto odio dignissim`)

// readers are attackers with 300 tasks of 20 KB each.
func (st *stage) readers(ctx context.Context) ([]*suite.Client, error) {
	clients, err := st.attackers(ctx)
	if err != nil {
		return nil, err
	}
	return clients, st.write(ctx, clients, "text", 300, func() string {
		var b strings.Builder
		for b.Len() < 19_980 {
			b.WriteString(words[st.rng.IntN(len(words))] + " ")
		}
		return b.String()
	})
}

// search is for a common word and for one that is nowhere.
func (st *stage) search(i int) string {
	return "/api/tasks?limit=200&q=" + url.QueryEscape(words[i%len(words)]+" nowhere"+fmt.Sprint(i))
}

// searches by one user are 24 at once.
func searches(ctx context.Context, st *stage) (assault, error) {
	clients, err := st.readers(ctx)
	if err != nil {
		return assault{}, err
	}
	return assault{run: func(ctx context.Context) {
		keep(ctx, clients, st.effort(effort{24, 0}, effort{2, 0}), func(ctx context.Context, c *suite.Client, i int) int {
			return st.ask(ctx, c, http.MethodGet, st.search(i), nil)
		})
	}}, nil
}

// changes of one task by one user are 60 at once.
func changes(ctx context.Context, st *stage) (assault, error) {
	clients, err := st.attackers(ctx)
	if err != nil {
		return assault{}, err
	}
	tasks := map[*suite.Client]string{}
	for _, c := range clients {
		a, err := c.Do(ctx, http.MethodPost, "/api/tasks", map[string]string{"title": "contended"})
		var task struct{ ID string }
		if err == nil {
			err = a.JSON(&task)
		}
		if err != nil || task.ID == "" {
			return assault{}, fmt.Errorf("create a task: %d %w", a.Status, err)
		}
		tasks[c] = "/api/tasks/" + task.ID
	}
	return assault{run: func(ctx context.Context) {
		keep(ctx, clients, st.effort(effort{60, 0}, effort{2, 0}), func(ctx context.Context, c *suite.Client, i int) int {
			return st.ask(ctx, c, http.MethodPatch, tasks[c], fmt.Sprintf(`{"title":"changed %d"}`, i))
		})
	}}, nil
}

// creates by one user are 100 a second; 600 in six seconds.
func creates(ctx context.Context, st *stage) (assault, error) {
	clients, err := st.attackers(ctx)
	if err != nil {
		return assault{}, err
	}
	return assault{run: func(ctx context.Context) {
		keep(ctx, clients, st.effort(effort{8, 80 * time.Millisecond}, effort{1, 10 * time.Millisecond}), func(ctx context.Context, c *suite.Client, _ int) int {
			return st.ask(ctx, c, http.MethodPost, "/api/tasks", `{"title":"one of many"}`)
		})
	}}, nil
}
