package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/taskwire/taskwire/test/figures"
	"github.com/taskwire/taskwire/test/suite"
)

// The attacks of this file go for accounts and their owners.

// What is promised to those whose accounts are attacked, in the settings that
// a suite has by default.
const (
	mailBudget       = 60 // an hour, beside one that says that it is used up
	signInsNetwork   = 60 // a minute, or twice that where one turns into the next
	registrationsMax = 20 // an hour
	// longestSignIn is how long the owner of a known device may wait. A hash
	// takes 25 to 50 ms of a core.
	longestSignIn = 2 * time.Second
)

// credentials are the body of a sign-in.
func credentials(email, password string) string {
	return fmt.Sprintf(`{"email":%q,"password":%q}`, email, password)
}

// owner signs in, from a device that has done so before, while others attack.
type owner struct {
	*suite.Client
	device string // its cookies, but for that of the session

	mu      sync.Mutex
	times   []time.Duration
	refused map[string]int
}

func (st *stage) owner(ctx context.Context) (*owner, error) {
	c, a, err := st.account(ctx, "owner")
	if err != nil {
		return nil, err
	}
	c.Transport = st.transport
	o := &owner{Client: c, refused: map[string]int{}}
	o.Token = "" // he is signed out
	var kept []string
	for _, line := range a.Header.Values("Set-Cookie") {
		cookie, err := http.ParseSetCookie(line)
		if err != nil {
			return nil, fmt.Errorf("read a cookie: %w", err)
		}
		if cookie.Name != "auth_token" {
			kept = append(kept, cookie.Name+"="+cookie.Value)
		}
	}
	o.device = strings.Join(kept, "; ")
	return o, nil
}

// keepSigningIn does so every second, whether answers come or not.
func (o *owner) keepSigningIn(ctx context.Context) {
	var asking sync.WaitGroup
	defer asking.Wait()
	for goesOn := ctx.Err() == nil; goesOn; goesOn = sleep(ctx, time.Second) {
		due := time.Now()
		asking.Go(func() {
			asked, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			var header []string
			if o.device != "" {
				header = []string{"Cookie", o.device}
			}
			a, err := o.Do(asked, http.MethodPost, "/api/auth/login", credentials(o.Email, suite.Password), header...)
			waited := time.Since(due)
			if ctx.Err() != nil && waited < longestSignIn {
				return // it is not known how long it would have taken
			}
			o.mu.Lock()
			defer o.mu.Unlock()
			o.times = append(o.times, waited)
			switch {
			case err != nil:
				o.refused["no answer"]++
			case a.Status != http.StatusOK:
				o.refused[fmt.Sprint(a.Status)]++
			}
		})
	}
}

func (o *owner) finish(context.Context) (saw string, broken []string, err error) {
	slowest := figures.Quantile(o.times, 1)
	saw = fmt.Sprintf("the owner's sign-ins: %d, slowest %s, refused: %s", len(o.times), figures.Milliseconds(slowest), figures.Listed(o.refused))
	if len(o.refused) > 0 {
		broken = append(broken, "the owner could not sign in: "+figures.Listed(o.refused))
	}
	if slowest > longestSignIn || len(o.times) == 0 {
		broken = append(broken, fmt.Sprintf("the owner waited %s to sign in", figures.Milliseconds(slowest)))
	}
	return saw, broken, nil
}

// besides attacks while an owner signs in.
func besides(ctx context.Context, st *stage, attack func(context.Context, *owner)) (assault, error) {
	o, err := st.owner(ctx)
	if err != nil {
		return assault{}, err
	}
	return assault{
		run: func(ctx context.Context) {
			var signing sync.WaitGroup
			signing.Go(func() { o.keepSigningIn(ctx) })
			attack(ctx, o)
			signing.Wait()
		},
		finish: o.finish,
	}, nil
}

// guessing tries passwords of the owner's account.
func guessing(ctx context.Context, st *stage) (assault, error) {
	clients := st.strangers()
	return besides(ctx, st, func(ctx context.Context, o *owner) {
		keep(ctx, clients, st.effort(effort{4, 50 * time.Millisecond}, effort{1, 500 * time.Millisecond}), func(ctx context.Context, c *suite.Client, i int) int {
			return st.ask(ctx, c, http.MethodPost, "/api/auth/login", credentials(o.Email, fmt.Sprint("guess number ", i)))
		})
	})
}

// spraying tries one password at 60 accounts.
func spraying(ctx context.Context, st *stage) (assault, error) {
	targets := make([]string, many)
	for i := range targets {
		targets[i] = st.stranger("target").Email // an unknown address takes as long
	}
	clients := st.strangers()
	return assault{
		run: func(ctx context.Context) {
			keep(ctx, clients, st.effort(effort{4, 50 * time.Millisecond}, effort{1, 500 * time.Millisecond}), func(ctx context.Context, c *suite.Client, i int) int {
				return st.ask(ctx, c, http.MethodPost, "/api/auth/login", credentials(targets[i%len(targets)], "summer2026!"))
			})
		},
		finish: func(context.Context) (string, []string, error) {
			return "", st.atMost("tries", "401", 2*signInsNetwork), nil
		},
	}, nil
}

// registrations are 60 and more.
func registrations(_ context.Context, st *stage) (assault, error) {
	clients := st.strangers()
	return assault{
		run: func(ctx context.Context) {
			keep(ctx, clients, st.effort(effort{4, 50 * time.Millisecond}, seldom), func(ctx context.Context, c *suite.Client, i int) int {
				name, _, _ := strings.Cut(c.Email, "@")
				return st.ask(ctx, c, http.MethodPost, "/api/auth/register", credentials(fmt.Sprintf("%s-%d@example.org", name, i), suite.Password))
			})
		},
		finish: func(context.Context) (string, []string, error) {
			return "", st.atMost("registrations", "201", registrationsMax), nil
		},
	}, nil
}

// atMost holds each network to a number of answers.
func (st *stage) atMost(what, status string, each int) []string {
	if n := st.answers()[status]; n > each*st.clients {
		return []string{fmt.Sprintf("%d %s of %s, not %d", n, what, crowd(st.clients), each*st.clients)}
	}
	return nil
}

// signIns are 600 strangers', all at once.
func signIns(ctx context.Context, st *stage) (assault, error) {
	const strangers = 600
	clients := st.strangers()
	return besides(ctx, st, func(ctx context.Context, _ *owner) {
		keep(ctx, clients, effort{strangers / st.clients, time.Second}, func(ctx context.Context, c *suite.Client, i int) int {
			name, _, _ := strings.Cut(c.Email, "@")
			return st.ask(ctx, c, http.MethodPost, "/api/auth/login", credentials(fmt.Sprintf("%s-%d@example.org", name, i%strangers), "not the password"))
		})
	})
}

// mails go to a stranger, whose address the attacker has registered: each
// client creates ten tasks with 20 past reminders.
func mails(ctx context.Context, st *stage) (assault, error) {
	const tasks = 10
	victim, _, err := st.account(ctx, "victim")
	if err != nil {
		return assault{}, err
	}
	clients := st.strangers()
	for _, c := range clients {
		c.Token = victim.Token
	}
	var reminders []string
	for i := range 20 {
		reminders = append(reminders, fmt.Sprintf(`{"at":"2020-01-01T00:00:%02dZ"}`, i))
	}
	body := `{"title":"Buy our pills","reminders":[` + strings.Join(reminders, ",") + `]}`
	return assault{
		run: func(ctx context.Context) {
			keep(ctx, clients, effort{1, 100 * time.Millisecond}, func(ctx context.Context, c *suite.Client, i int) int {
				if i >= tasks {
					return 0
				}
				return st.ask(ctx, c, http.MethodPost, "/api/tasks", body)
			})
		},
		finish: func(context.Context) (string, []string, error) {
			got, err := st.suite.Mails(victim.Email)
			if err != nil {
				return "", nil, err
			}
			var broken []string
			if most := min(tasks*st.clients, mailBudget+1); len(got) > most {
				broken = append(broken, fmt.Sprintf("%d mails to a stranger, not %d", len(got), most))
			}
			return fmt.Sprintf("%d mails to the stranger", len(got)), broken, nil
		},
	}, nil
}

// forms come from a page of another site.
func forms(_ context.Context, st *stage) (assault, error) {
	clients := st.strangers()
	from := []string{"Origin", "https://elsewhere.example", "Sec-Fetch-Site", "cross-site", "Content-Type", "application/x-www-form-urlencoded"}
	return assault{
		run: func(ctx context.Context) {
			keep(ctx, clients, seldom, func(ctx context.Context, c *suite.Client, i int) int {
				path := []string{"/api/auth/logout", "/api/auth/login"}[i%2]
				return st.ask(ctx, c, http.MethodPost, path, "email=a%40example.org", from...)
			})
		},
		finish: func(context.Context) (string, []string, error) {
			var broken []string
			for status, n := range st.answers() {
				if status < "400" {
					broken = append(broken, fmt.Sprintf("%d forms of another site were taken: %s", n, status))
				}
			}
			return "", broken, nil
		},
	}, nil
}
