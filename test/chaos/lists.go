package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/test/suite"
)

// guests is how many others come into a user's list and leave it. Fewer than all, so that
// there are lists that somebody must never see.
const guests = 3

// shared is the list of a user that others come into and leave.
type shared struct {
	id      uuid.UUID
	owner   *user
	guests  []*guest
	renamed int
}

// guest is somebody who comes into a list and leaves it, as far as the answers tell.
type guest struct {
	*user
	busy bool // one request for a guest at a time
	in   bool
	// may says that he is a member, or that there is a request which may have made him one:
	// from before he accepts until it is acknowledged that he is out.
	may    bool
	unsure bool // the answer to an acceptance was lost: it may be carried out at any time
	came   int  // how often he has accepted, or tried to
}

// list answers how a list looks to somebody.
type list struct {
	ID      uuid.UUID
	IsInbox bool `json:"is_inbox"`
	Members []struct {
		UserID uuid.UUID `json:"user_id"`
	}
}

// share makes the list of a user; the first of its guests is in it from the start.
func (u *user) share(ctx context.Context, others []*user) error {
	var made list
	if err := u.mustDo(ctx, http.MethodPost, "/api/lists", map[string]any{"name": "Shared"}, &made); err != nil {
		return err
	}
	u.id = made.Members[0].UserID
	var all struct{ Items []list }
	if err := u.mustDo(ctx, http.MethodGet, "/api/lists", nil, &all); err != nil {
		return err
	}
	for _, l := range all.Items {
		if l.IsInbox {
			u.inbox = l.ID
		}
	}
	u.shared = &shared{id: made.ID, owner: u}
	for _, other := range others {
		u.shared.guests = append(u.shared.guests, &guest{user: other})
	}
	first := u.shared.guests[0]
	var invitation struct{ ID uuid.UUID }
	if err := u.mustDo(ctx, http.MethodPost, u.shared.path("/members"), invited(first), &invitation); err != nil {
		return err
	}
	first.in, first.may, first.came = true, true, 1
	return first.mustDo(ctx, http.MethodPost, acceptance(invitation.ID), nil, nil)
}

// mustDo sends what has to succeed for there to be a load.
func (u *user) mustDo(ctx context.Context, method, path string, body, answer any) error {
	a, err := u.Do(ctx, method, path, body)
	if err == nil && a.Status >= http.StatusMultipleChoices {
		err = fmt.Errorf("%d %s", a.Status, a.Body)
	}
	if err == nil && answer != nil {
		err = a.JSON(answer)
	}
	if err != nil {
		return fmt.Errorf("prepare %s, %s %s: %w", u.Email, method, path, err)
	}
	return nil
}

func (s *shared) path(of string) string { return "/api/lists/" + s.id.String() + of }

func invited(g *guest) map[string]any { return map[string]any{"email": g.Email, "role": "editor"} }

func acceptance(invitation uuid.UUID) string {
	return "/api/invitations/" + invitation.String() + "/accept"
}

// members are those who may change what is in the list, its owner first.
func (s *shared) members() []*user {
	all := []*user{s.owner}
	for _, g := range s.guests {
		if g.in {
			all = append(all, g.user)
		}
	}
	return all
}

// listsOf are the shared lists that a user is in.
func (l *load) listsOf(u *user) []*shared {
	var found []*shared
	for _, other := range l.users {
		for _, m := range other.shared.members() {
			if m == u {
				found = append(found, other.shared)
			}
		}
	}
	return found
}

// strange says whether a user has never been in a list, nor asked to be.
func (l *load) strange(u *user, list uuid.UUID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if list == u.inbox || list == u.shared.id {
		return false
	}
	g := l.guest(u, list)
	return g == nil || g.came == 0
}

func (l *load) guest(u *user, list uuid.UUID) *guest {
	for _, owner := range l.users {
		if owner.shared.id != list {
			continue
		}
		for _, g := range owner.shared.guests {
			if g.user == u {
				return g
			}
		}
	}
	return nil
}

// barred are the lists that a user has certainly left, and how often he had come: he must
// not see them in an answer to what he asks from now on, unless he comes again.
func (l *load) barred(u *user) map[uuid.UUID]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[uuid.UUID]int{}
	for _, owner := range l.users {
		for _, g := range owner.shared.guests {
			if g.user == u && g.came > 0 && !g.may && !g.unsure {
				out[owner.shared.id] = g.came
			}
		}
	}
	return out
}

// still leaves of barred what the user has not come into since.
func (l *load) still(u *user, barred map[uuid.UUID]int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.DeleteFunc(barred, func(list uuid.UUID, came int) bool { return l.guest(u, list).came != came })
}

// comeOrGo has a guest join a list, or leave it, or be taken out.
func (l *load) comeOrGo(ctx context.Context, s *shared, g *guest, leaves bool) {
	l.mu.Lock()
	if g.busy {
		l.mu.Unlock()
		return
	}
	g.busy = true
	in := g.in
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		g.busy = false
	}()
	if in {
		by := s.owner
		if leaves {
			by = g.user
		}
		a, decided := l.send(ctx, by, http.MethodDelete, s.path("/members/"+g.id.String()), nil)
		l.mu.Lock()
		defer l.mu.Unlock()
		g.in = !decided
		g.may = g.may && a == nil
		return
	}
	a, decided := l.send(ctx, s.owner, http.MethodPost, s.path("/members"), invited(g))
	var invitation struct{ ID uuid.UUID }
	if a == nil || a.JSON(&invitation) != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		g.in = decided // he is a member already: an answer was lost
		return
	}
	l.mu.Lock()
	g.may = true
	g.came++
	l.mu.Unlock()
	a, decided = l.send(ctx, g.user, http.MethodPost, acceptance(invitation.ID), nil)
	l.mu.Lock()
	defer l.mu.Unlock()
	g.in = a != nil
	// An invitation is accepted once: one before it, whose answer was lost, is over as well.
	g.unsure = a == nil && (g.unsure || !decided)
}

// alter changes a list: its name, color or place, whether it is put away, and seldom, for it
// is a change of all that is in it, it goes into the trash and comes back.
func (l *load) alter(ctx context.Context, s *shared, by *user, dice int) {
	l.mu.Lock()
	s.renamed++
	n := s.renamed
	l.mu.Unlock()
	patch := map[string]any{}
	switch {
	case dice < 2:
		l.throwAway(ctx, s)
		return
	case dice < 30:
		patch["name"] = fmt.Sprint("Shared ", n)
	case dice < 50:
		patch["is_archived"] = n%2 == 0
	case dice < 60:
		patch["color"] = fmt.Sprintf("#%06x", n)
	case dice < 80: // where he has it, and under what, is each member's own
		_, _ = l.send(ctx, by, http.MethodPost, s.path("/move"), map[string]any{})
		return
	default:
		_, _ = l.send(ctx, by, http.MethodPatch, s.path(""), map[string]any{"group": fmt.Sprint("Group ", n)})
		return
	}
	_, _ = l.send(ctx, s.owner, http.MethodPatch, s.path(""), patch) // send counts the answer
}

// throwAway brings the list back, whatever became of its deletion.
func (l *load) throwAway(ctx context.Context, s *shared) {
	_, _ = l.send(ctx, s.owner, http.MethodDelete, s.path(""), nil)
	for range 20 {
		if _, decided := l.send(ctx, s.owner, http.MethodPost, "/api/trash/"+s.id.String()+"/restore", nil); decided {
			return
		}
		time.Sleep(time.Second) // between two tries
	}
}

// say comments on a task, or takes the last comment back.
func (l *load) say(ctx context.Context, u *user, t *known, text string, takesBack bool) {
	l.mu.Lock()
	said := t.said
	if takesBack {
		t.said = uuid.Nil
	}
	l.mu.Unlock()
	if takesBack && said != uuid.Nil {
		_, _ = l.send(ctx, u, http.MethodDelete, "/api/comments/"+said.String(), nil)
		return
	}
	a, _ := l.send(ctx, u, http.MethodPost, "/api/tasks/"+t.id.String()+"/comments", map[string]any{"text": text})
	var made struct{ ID uuid.UUID }
	if a == nil || a.JSON(&made) != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	t.said = made.ID
}

// as is a user whose work is done by somebody else.
func (u *user) as(by *suite.Client) *user {
	other := *u
	other.Client = by
	return &other
}
