package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/test/suite"
)

const (
	// tasksKept is how many tasks of a user are candidates for a change: enough
	// for variety, few enough that some are changed often.
	tasksKept  = 200
	seriesKept = 40
	// underWay bounds the requests without an answer; a load that would go
	// beyond it waits.
	underWay = 512
	// patience is how long a request waits for its answer.
	patience = 5 * time.Second
)

// change is one that the API has acknowledged.
type change struct {
	kind    kind
	task    uuid.UUID
	version int64
	title   string // what the task is called from then on; "" where it is not the matter
}

type kind uint8

const (
	created kind = iota
	updated
	completed
	deleted
	restored
)

// load sends requests at a rate and remembers what was acknowledged.
type load struct {
	mix    mix
	rate   int
	ahead  time.Duration // how far away a reminder is, at most
	users  []*user
	serial int

	mu           sync.Mutex
	rng          *rand.Rand
	requests     int
	undone       int
	refused      map[string]int
	acknowledged []change
}

// user is one of those who send requests, with what may be changed of his.
type user struct {
	*suite.Client
	*work
	id     uuid.UUID
	inbox  uuid.UUID
	shared *shared
}

// work is what may be changed of a user's.
type work struct{ tasks, series []*known }

// known is a task as far as its user knows. One of a series has an id of Nil
// while the next occurrence is yet to be found.
type known struct {
	id, series uuid.UUID
	home       *shared   // the list that it is in; nil: its user's inbox
	said       uuid.UUID // the last comment on it
	done       uuid.UUID // what was completed last, of a series
	etag       string    // "" when it is not known
}

// loaded is what became of a load.
type loaded struct {
	requests     int
	undone       int
	refused      map[string]int
	acknowledged []change
}

func newLoad(ctx context.Context, s *suite.Suite, c config, m mix, rng *rand.Rand) (*load, error) {
	l := &load{
		mix: m, rate: c.rate, rng: rng, refused: map[string]int{},
		ahead: min(max(c.duration/6, 3*time.Second), 20*time.Second),
	}
	for i := range c.users {
		client, err := s.Register(ctx, fmt.Sprintf("user%d@example.org", i), "Europe/Berlin")
		if err != nil {
			return nil, err
		}
		l.users = append(l.users, &user{Client: client, work: new(work)})
	}
	for i, u := range l.users {
		var others []*user
		for n := 1; n <= min(guests, c.users-1); n++ {
			others = append(others, l.users[(i+n)%c.users])
		}
		if err := u.share(ctx, others); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// run sends until ctx ends, and returns when every request has its answer.
func (l *load) run(ctx context.Context) {
	var sending sync.WaitGroup
	defer sending.Wait()
	free := make(chan struct{}, underWay)
	tick := time.NewTicker(time.Second / time.Duration(l.rate))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		select {
		case <-ctx.Done():
			return
		case free <- struct{}{}:
		}
		send := l.next()
		sending.Go(func() {
			defer func() { <-free }()
			// A request that has been sent is waited for: its answer counts.
			send(context.WithoutCancel(ctx))
		})
	}
}

func (l *load) result() loaded {
	l.mu.Lock()
	defer l.mu.Unlock()
	return loaded{l.requests, l.undone, l.refused, l.acknowledged}
}

// next chooses the next request.
func (l *load) next() func(context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.serial++
	title := fmt.Sprint("chaos ", l.serial)
	u := l.users[l.rng.IntN(len(l.users))]
	what, which, dice := l.mix.pick(l.rng), l.rng.IntN(1<<16), l.rng.IntN(100)
	after := time.Second + time.Duration(l.rng.Int64N(int64(l.ahead)))
	if what == "recur" && len(u.series) > 0 {
		s := u.series[which%len(u.series)]
		if s.id == uuid.Nil {
			return func(ctx context.Context) { l.find(ctx, u, s) }
		}
		switch {
		case dice < 3:
			return func(ctx context.Context) { l.remove(ctx, u, s) }
		case dice < 15:
			return func(ctx context.Context) { l.skip(ctx, u, s, dice%3 == 0) }
		case dice < 30:
			return func(ctx context.Context) { l.reopen(ctx, u, s) }
		case dice < 45:
			due := time.Now().Add(after+15*time.Minute).AddDate(0, 0, dice%3)
			return func(ctx context.Context) { l.moveFollowing(ctx, u, s, due) }
		}
		return func(ctx context.Context) { l.complete(ctx, u, s, dice%8 == 0) }
	}
	switch what {
	case "member":
		g := u.shared.guests[which%len(u.shared.guests)]
		return func(ctx context.Context) { l.comeOrGo(ctx, u.shared, g, dice%2 == 0) }
	case "list":
		members := u.shared.members()
		return func(ctx context.Context) { l.alter(ctx, u.shared, members[which%len(members)], dice) }
	}
	if what == "create" || what == "recur" || len(u.tasks) == 0 {
		body := map[string]any{"title": title}
		switch {
		case what == "recur" || dice < 10:
			body["due_at"], body["recurrence"] = time.Now().Add(after+15*time.Minute), map[string]any{"rrule": "FREQ=DAILY"}
			body["reminders"] = []map[string]any{{"before_due": "PT15M"}}
		case dice < 30:
			body["reminders"] = []map[string]any{{"at": time.Now().Add(after)}}
		case dice < 60:
			body["list_id"] = u.shared.id
		}
		return func(ctx context.Context) { l.create(ctx, u, title, body) }
	}
	t := u.tasks[which%len(u.tasks)]
	by := u
	if t.home != nil {
		members := t.home.members()
		by = members[dice%len(members)]
	}
	if what == "move" {
		return l.chooseMove(u, by, t, which>>8) // the rest of it has chosen the task
	}
	return l.change(u.as(by.Client), t, what, dice, title)
}

// chooseMove chooses where a task is moved to: in its list, or to another one.
func (l *load) chooseMove(u, by *user, t *known, which int) func(context.Context) {
	to, home := map[string]any{}, t.home
	switch {
	case which%2 == 0:
		if other := u.tasks[which/2%len(u.tasks)]; other != t && other.home == t.home {
			to["before"] = other.id
		}
	case which%4 == 1 && by == u: // back to where it was made
		to["list_id"], home = u.inbox, nil
	default:
		lists := l.listsOf(by)
		home = lists[which/4%len(lists)]
		to["list_id"] = home.id
	}
	return func(ctx context.Context) { l.move(ctx, u.as(by.Client), t, to, home) }
}

// change chooses the change of a task.
func (l *load) change(u *user, t *known, what string, dice int, title string) func(context.Context) {
	undone := dice%4 == 0
	switch what {
	case "comment":
		return func(ctx context.Context) { l.say(ctx, u, t, title, dice < 30) }
	case "complete":
		return func(ctx context.Context) { l.complete(ctx, u, t, undone) }
	case "delete":
		if dice < 50 {
			return func(ctx context.Context) { l.removeAndRestore(ctx, u, t, undone) }
		}
		return func(ctx context.Context) { l.remove(ctx, u, t) }
	default:
		var condition []string
		if dice < 50 && t.etag != "" {
			condition = []string{"If-Match", t.etag}
		}
		return func(ctx context.Context) { l.update(ctx, u, t, title, condition, undone) }
	}
}

// create has a key, so that it may be repeated when there is no answer.
func (l *load) create(ctx context.Context, u *user, title string, body any) {
	for try := 0; ; try++ {
		a, known := l.send(ctx, u, http.MethodPost, "/api/tasks", body, "Idempotency-Key", title)
		if a != nil {
			l.learn(u, *a, change{kind: created, title: title}, nil)
			return
		}
		if known || try == 3 {
			return
		}
		time.Sleep(time.Second) // between two tries
	}
}

func (l *load) update(ctx context.Context, u *user, t *known, title string, condition []string, undone bool) {
	a, decided := l.send(ctx, u, http.MethodPatch, "/api/tasks/"+t.id.String(), map[string]any{"title": title}, condition...)
	if a == nil {
		l.forget(t, decided)
		return
	}
	l.learn(u, *a, change{kind: updated, title: title}, t)
	if undone {
		l.undo(ctx, u, a)
		l.forget(t, false)
	}
}

// undo takes back what an answered request has changed, and says whether that is done.
func (l *load) undo(ctx context.Context, u *user, a *suite.Answer) bool {
	done, _ := l.send(ctx, u, http.MethodPost, "/api/operations/"+a.Header.Get("X-Request-Id")+"/undo", nil)
	if done != nil {
		l.mu.Lock()
		l.undone++
		l.mu.Unlock()
	}
	return done != nil
}

func (l *load) complete(ctx context.Context, u *user, t *known, undone bool) {
	id := l.idOf(t)
	if id == uuid.Nil {
		return // another request has just completed it
	}
	a, decided := l.send(ctx, u, http.MethodPatch, "/api/tasks/"+id.String()+"/complete", map[string]any{"is_complete": true})
	if a == nil {
		l.forget(t, decided)
		return
	}
	l.learn(u, *a, change{kind: completed}, t)
	if undone {
		l.undo(ctx, u, a)
		l.forget(t, true) // of a series it is to be seen which one is open
	}
}

// idOf is the task that k is now; Nil where another request has just completed it.
func (l *load) idOf(k *known) uuid.UUID {
	l.mu.Lock()
	defer l.mu.Unlock()
	return k.id
}

// skip has the next occurrence of a series stand in the place of the open one.
func (l *load) skip(ctx context.Context, u *user, s *known, undone bool) {
	id := l.idOf(s)
	if id == uuid.Nil {
		return
	}
	a, decided := l.send(ctx, u, http.MethodPost, "/api/tasks/"+id.String()+"/skip", nil)
	if a == nil {
		l.forget(s, decided)
		return
	}
	l.mu.Lock()
	l.acknowledged = append(l.acknowledged, change{kind: deleted, task: id})
	l.mu.Unlock()
	var next event.Task
	if err := a.JSON(&next); err == nil {
		l.mu.Lock()
		s.id, s.etag = next.ID, ""
		l.mu.Unlock()
	}
	if undone && l.undo(ctx, u, a) {
		l.note(change{kind: restored, task: id})
	}
	if undone {
		l.forget(s, true)
	}
}

// reopen opens what was completed last in a series.
func (l *load) reopen(ctx context.Context, u *user, s *known) {
	l.mu.Lock()
	id := s.done
	s.done = uuid.Nil
	l.mu.Unlock()
	if id == uuid.Nil {
		return
	}
	a, decided := l.send(ctx, u, http.MethodPatch, "/api/tasks/"+id.String()+"/complete", map[string]any{"is_complete": false})
	if a == nil {
		l.forget(s, decided)
		return
	}
	l.learn(u, *a, change{kind: updated}, s)
	l.mu.Lock()
	s.id = id
	l.mu.Unlock()
}

// moveFollowing moves a series from its open occurrence on.
func (l *load) moveFollowing(ctx context.Context, u *user, s *known, due time.Time) {
	id := l.idOf(s)
	if id == uuid.Nil {
		return
	}
	a, decided := l.send(ctx, u, http.MethodPatch, "/api/tasks/"+id.String()+"?scope=following", map[string]any{"due_at": due})
	if a == nil {
		l.forget(s, decided)
		return
	}
	l.learn(u, *a, change{kind: updated}, s)
}

func (l *load) remove(ctx context.Context, u *user, t *known) {
	id := l.idOf(t)
	if id == uuid.Nil {
		return
	}
	a, decided := l.send(ctx, u, http.MethodDelete, "/api/tasks/"+id.String(), nil)
	l.mu.Lock()
	defer l.mu.Unlock()
	if a != nil {
		l.acknowledged = append(l.acknowledged, change{kind: deleted, task: id})
	}
	if decided { // deleted, or gone already
		u.tasks = without(u.tasks, t)
		u.series = without(u.series, t)
	}
}

// move moves a task in its list or to another one.
func (l *load) move(ctx context.Context, u *user, t *known, to map[string]any, home *shared) {
	a, decided := l.send(ctx, u, http.MethodPost, "/api/tasks/"+t.id.String()+"/move", to)
	if a == nil {
		l.forget(t, decided)
		return
	}
	l.learn(u, *a, change{kind: updated}, t)
	l.mu.Lock()
	defer l.mu.Unlock()
	t.home = home
}

// removeAndRestore throws a task away and brings it back, out of the trash or by undoing it.
func (l *load) removeAndRestore(ctx context.Context, u *user, t *known, undone bool) {
	a, decided := l.send(ctx, u, http.MethodDelete, "/api/tasks/"+t.id.String(), nil)
	l.forget(t, decided)
	if a == nil {
		return
	}
	l.note(change{kind: deleted, task: t.id})
	if undone {
		if l.undo(ctx, u, a) {
			l.note(change{kind: restored, task: t.id})
		}
		return
	}
	if a, _ = l.send(ctx, u, http.MethodPost, "/api/trash/"+t.id.String()+"/restore", nil); a != nil {
		l.note(change{kind: restored, task: t.id})
	}
}

func (l *load) note(c change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acknowledged = append(l.acknowledged, c)
}

// find looks for the open task of a series.
func (l *load) find(ctx context.Context, u *user, s *known) {
	a, _ := l.send(ctx, u, http.MethodGet, "/api/tasks?is_complete=false&limit=1&series_id="+s.series.String(), nil)
	if a == nil {
		return
	}
	var page struct{ Items []event.Task }
	if err := a.JSON(&page); err != nil || len(page.Items) == 0 {
		return // it is not there yet
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s.id = page.Items[0].ID
}

// send makes one request. It gives the answer where that is a success; decided
// says whether it is known what became of the request.
func (l *load) send(ctx context.Context, u *user, method, path string, body any, header ...string) (_ *suite.Answer, decided bool) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	a, err := u.Do(ctx, method, path, body, header...)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests++
	switch {
	case err != nil:
		l.refused[reason(err)]++
		return nil, false
	case a.Status >= 300:
		l.refused[fmt.Sprint(a.Status, " ", http.StatusText(a.Status))]++
		return nil, a.Status < 500
	}
	return &a, true
}

// reason says in a few words why there is no answer.
func reason(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in " + patience.String()
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	default:
		return "connection lost"
	}
}

// learn notes an acknowledged change of a task.
func (l *load) learn(u *user, a suite.Answer, c change, t *known) {
	var task event.Task
	if err := a.JSON(&task); err != nil {
		task.ID = uuid.Nil // no task has it: the comparison will say so
	}
	c.task, c.version = task.ID, task.Version
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acknowledged = append(l.acknowledged, c)
	if t == nil {
		t = &known{id: task.ID}
		if task.ListID == u.shared.id {
			t.home = u.shared
		}
		if task.SeriesID != nil {
			t.series = *task.SeriesID
			u.series = last(append(u.series, t), seriesKept)
		} else {
			u.tasks = last(append(u.tasks, t), tasksKept)
		}
	}
	t.etag = a.Header.Get("ETag")
	if c.kind == completed && t.series != uuid.Nil {
		t.id, t.done = uuid.Nil, task.ID // another one follows
	}
}

// forget that the version is known, and after a refusal look for the series anew.
func (l *load) forget(t *known, decided bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t.etag = ""
	if decided && t.series != uuid.Nil {
		t.id = uuid.Nil
	}
}

func without(list []*known, gone *known) []*known {
	for i, t := range list {
		if t == gone {
			return append(list[:i:i], list[i+1:]...)
		}
	}
	return list
}

func last(list []*known, n int) []*known {
	return append([]*known(nil), list[max(0, len(list)-n):]...)
}

// mix is how often each kind of request is chosen.
type mix []share

type share struct {
	name   string
	weight int
}

const defaultMix = "create=37,update=29,recur=12,move=6,complete=5,delete=5,comment=2,member=2,list=2"

func parseMix(text string) (mix, error) {
	var m mix
	for entry := range strings.SplitSeq(text, ",") {
		var s share
		name, weight, _ := strings.Cut(entry, "=")
		if _, err := fmt.Sscan(weight, &s.weight); err != nil || s.weight < 0 || !strings.Contains(defaultMix, name+"=") {
			return nil, fmt.Errorf("a mix is like %s, not %q", defaultMix, text)
		}
		s.name = name
		m = append(m, s)
	}
	return m, nil
}

func (m mix) pick(rng *rand.Rand) string {
	sum := 0
	for _, s := range m {
		sum += s.weight
	}
	n := rng.IntN(max(sum, 1))
	for _, s := range m {
		if n -= s.weight; n < 0 {
			return s.name
		}
	}
	return "create"
}
