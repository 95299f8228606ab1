package series

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/recurrence"
)

// The model knows of a series what its user can know: who was completed, skipped,
// deleted and reopened, in which order. From that it says what each step has to
// leave in the log. It shares nothing with the services but pkg/recurrence, which
// says what dates a rule has; its own tests are in that package.

// What became of a task that was deleted while it was open.
const (
	skippedAway = "skipped"
	ended       = "ended"
	takenBack   = "taken_back"
)

type task struct {
	event.Task
	name    string
	family  string // those that follow it and the copies of it have the same
	born    int64  // when it was created, in the order of the log
	deleted bool
	how     string // it was deleted
	wasDone bool   // when it was deleted

	parent   *task
	follows  *task
	follower *task // not one that was taken back
	followed bool  // since it was completed last; by nothing, where its rule has no further date
	unsure   bool  // whether it is followed, since two things were done at once
	touched  bool  // by its user, or a subtask of it was
	trimmed  bool  // a subtask of it was deleted
	ruled    bool  // it got another rule when it was complete
	ordinal  int   // how many had a task since the rule was set, this one included
	walls    []string
	restless bool // its zone, form or dates were changed, or those of one before it
	byUser   bool // open since its user wanted it open
}

func (t *task) recurs() bool { return t.SeriesID != nil && t.Recurrence != nil && t.Occurrence != nil }

type model struct {
	tasks    map[uuid.UUID]*task
	families map[string]int
	order    int64
	ended    map[uuid.UUID]bool // series that their user has ended
}

func newModel() *model {
	return &model{tasks: map[uuid.UUID]*task{}, families: map[string]int{}, ended: map[uuid.UUID]bool{}}
}

func (m *model) named(name string) *task {
	for _, t := range m.tasks {
		if t.name == name {
			return t
		}
	}
	return nil
}

// nextFamily is the title of a task that its user creates: A, B, …
func (m *model) nextFamily() string { return string(rune('A' + len(m.families))) }

// all are the tasks, the first created first.
func (m *model) all() []*task {
	var list []*task
	for _, t := range m.tasks {
		list = append(list, t)
	}
	slices.SortFunc(list, func(a, b *task) int { return cmp.Compare(a.born, b.born) })
	return list
}

func (m *model) standing() []*task {
	return slices.DeleteFunc(m.all(), func(t *task) bool { return t.deleted })
}

func (m *model) series(id uuid.UUID) []*task {
	return slices.DeleteFunc(m.all(), func(t *task) bool { return t.SeriesID == nil || *t.SeriesID != id || t.how == takenBack })
}

func (m *model) subtasks(t *task) []*task {
	return slices.DeleteFunc(m.standing(), func(s *task) bool { return s.parent != t })
}

// line is an event as a step expects it: its kind, its task, and what it says beside.
type line []string

func (l line) String() string { return strings.Join(l, " ") }

// outcome is what the log gets of one step, in any order.
type outcome []line

var nothing = []outcome{{}}

func (o outcome) String() string {
	if len(o) == 0 {
		return "nothing"
	}
	return strings.Join(o.sorted(), ", ")
}

func (o outcome) sorted() []string {
	var texts []string
	for _, l := range o {
		texts = append(texts, l.String())
	}
	slices.Sort(texts)
	return texts
}

func (o outcome) is(other outcome) bool { return slices.Equal(o.sorted(), other.sorted()) }

func updated(t *task) []outcome { return []outcome{{{"updated", t.name}}} }

// cross is each of a with each of b.
func cross(a, b []outcome) []outcome {
	var all []outcome
	for _, x := range a {
		for _, y := range b {
			all = append(all, append(slices.Clone(x), y...))
		}
	}
	return all
}

// open says which other tasks of t's series are open.
func (m *model) open(t *task) []*task {
	return slices.DeleteFunc(m.series(*t.SeriesID), func(o *task) bool { return o == t || o.deleted || o.IsComplete })
}

// next are the walls that may follow t, which was completed or skipped at a time;
// "" where nothing does. There are two where the rules leave it open whether a date
// that a task was moved away from counts as stood for.
func (m *model) next(t *task, at time.Time, skipped bool) []string {
	var walls []string
	for _, ever := range []bool{false, true} {
		stood := map[string]bool{*t.Occurrence: true}
		for _, o := range m.series(*t.SeriesID) {
			if o.Occurrence != nil {
				stood[*o.Occurrence] = true
			}
			if ever {
				for _, w := range o.walls {
					stood[w] = true
				}
			}
		}
		wall := ""
		for _, o := range m.candidates(t, at, skipped) {
			if !stood[o.Wall] && !m.stoodFor(t, o) {
				wall = o.Wall
				break
			}
		}
		if !slices.Contains(walls, wall) {
			walls = append(walls, wall)
		}
	}
	return walls
}

// stoodFor says whether another task of t's series stands or stood for what a date of
// t is: the same moment in another zone, or for an all-day t a moment of that date. A
// date of an all-day task is the same everywhere, and known by its wall time.
func (m *model) stoodFor(t *task, date recurrence.Occurrence) bool {
	for _, o := range m.series(*t.SeriesID) {
		if o.Occurrence == nil || t.AllDay && o.AllDay {
			continue
		}
		at, err := recurrence.Resolve(*o.Occurrence, o.Timezone, o.AllDay)
		if err != nil {
			continue
		}
		if wall, err := recurrence.WallOf(at, t.Timezone, t.AllDay); at.Equal(date.At) || t.AllDay && err == nil && wall == date.Wall {
			return true
		}
	}
	return false
}

// candidates are the dates that the rule of t has after it.
func (m *model) candidates(t *task, at time.Time, skipped bool) []recurrence.Occurrence {
	rule := t.Recurrence.Rule(t.Timezone, t.AllDay)
	day := func(at time.Time) string {
		wall, err := recurrence.WallOf(at, t.Timezone, true)
		if err != nil {
			return ""
		}
		return wall[:len(time.DateOnly)]
	}
	if rule.Basis == recurrence.BasisCompletion {
		if n := count(rule.RRule); n > 0 && m.ordinal(t) >= n {
			return nil
		}
		begin := day(at)
		if skipped {
			begin = max(begin, day(*t.DueAt), (*t.Occurrence)[:len(time.DateOnly)])
		}
		rule.RRule, rule.Basis, rule.Anchor = uncounted(rule.RRule), recurrence.BasisDue, begin+rule.Anchor[len(time.DateOnly):]
		return dates(rule)
	}
	if t.DueAt.After(at) {
		at = *t.DueAt
	}
	return slices.DeleteFunc(dates(rule), func(o recurrence.Occurrence) bool {
		switch {
		case o.Wall[:len(time.DateOnly)] <= (*t.Occurrence)[:len(time.DateOnly)]:
			return true
		case rule.Missed == recurrence.MissedAll:
			return false
		case t.AllDay:
			return o.Wall[:len(time.DateOnly)] <= day(at)
		}
		return !o.At.After(at)
	})
}

// dates are those of a rule with basis due, after its anchor.
func dates(rule recurrence.Rule) []recurrence.Occurrence {
	const farEnough = 400
	list, err := rule.Preview(farEnough)
	if err != nil {
		return nil // it has none
	}
	return list
}

// ordinal is the place of the last occurrence of t's series, counted from where the
// rule of t was set.
func (m *model) ordinal(t *task) int {
	n := t.ordinal
	for _, o := range m.series(*t.SeriesID) {
		if o.born > t.born {
			n++
		}
	}
	return n
}

// count is the COUNT of a rule, 0 for none.
func count(rrule string) int {
	_, after, _ := strings.Cut(rrule, "COUNT=")
	digits, _, _ := strings.Cut(after, ";")
	n, _ := strconv.Atoi(digits)
	return n
}

func uncounted(rrule string) string {
	before, after, found := strings.Cut(rrule, ";COUNT=")
	if !found {
		return rrule
	}
	return before + strings.TrimLeft(after, "0123456789")
}

// follow is what comes of following a task that was completed or skipped at a time.
func (m *model) follow(t *task, at time.Time, skipped bool) []outcome {
	if !t.recurs() {
		return nothing
	}
	var moved outcome
	for _, s := range m.subtasks(t) {
		if s.Recurrence != nil && !s.IsComplete {
			moved = append(moved, line{"updated", s.name})
		}
	}
	for _, o := range m.open(t) {
		if o.born > t.born {
			return []outcome{moved}
		}
	}
	var all []outcome
	for _, wall := range m.next(t, at, skipped) {
		if wall == "" {
			all = append(all, nothing...)
			continue
		}
		o := append(outcome{{"created", t.family, "follows", t.name}}, moved...)
		for _, s := range m.subtasks(t) {
			if s.Recurrence == nil {
				o = append(o, line{"created", s.family})
			}
		}
		all = append(all, o)
	}
	return all
}

// pending says whether a subtask that recurs was done, and is not followed yet: it is
// together with its parent, and what comes of it is asked in the end only.
func (m *model) pending(t *task) bool {
	return slices.ContainsFunc(m.subtasks(t), func(s *task) bool { return s.recurs() && s.IsComplete && !s.followed })
}

// afterEvents is what comes of delivering events.
func (m *model) afterEvents(events []*told) []outcome {
	all := nothing
	seen := map[*task]bool{}
	for _, e := range events {
		t := m.tasks[e.data.TaskID]
		if t != nil && t.unsure {
			return nil
		}
		if e.done || e.kind != event.TaskCompleted || e.data.TaskData.Recurrence == nil || t == nil || seen[t] || t.deleted || !t.IsComplete || t.followed {
			continue
		}
		if m.pending(t) {
			return nil
		}
		seen[t] = true
		all = cross(all, m.follow(t, *t.CompletedAt, false))
	}
	if len(seen) > 1 {
		return nil // what follows the first may be what the second finds
	}
	return all
}

func (m *model) afterComplete(t *task) []outcome {
	if t.IsComplete {
		return nothing
	}
	o := outcome{{"completed", t.name}}
	for _, s := range m.subtasks(t) {
		if !s.IsComplete && s.Recurrence == nil {
			o = append(o, line{"completed", s.name})
		}
	}
	return []outcome{o}
}

func (m *model) afterReopen(t *task) []outcome {
	if !t.IsComplete {
		return nothing
	}
	o := outcome{{"updated", t.name}}
	for _, s := range m.subtasks(t) {
		if s.IsComplete && s.Recurrence == nil && s.CompletedAt.Equal(*t.CompletedAt) {
			o = append(o, line{"updated", s.name})
		}
	}
	y := t.follower
	if y == nil || y.deleted || y.touched {
		return []outcome{o}
	}
	back := append(slices.Clone(o), line{"deleted", y.name, takenBack})
	for _, s := range m.subtasks(y) {
		if s.Recurrence != nil {
			back = append(back, line{"updated", s.name}) // back under the one it came from
		} else {
			back = append(back, line{"deleted", s.name})
		}
	}
	if y.trimmed {
		return []outcome{back, o} // whether that is a touch is not said
	}
	return []outcome{back}
}

// gone is what comes of deleting a task, when some of its subtasks have been moved:
// the others go with it.
func (m *model) gone(t *task, how string, moved bool) outcome {
	o := outcome{{"deleted", t.name}}
	if how != "" {
		o = outcome{{"deleted", t.name, how}}
	}
	for _, s := range m.subtasks(t) {
		switch {
		case moved && s.Recurrence != nil && !s.IsComplete:
		case s.SeriesID != nil && !s.IsComplete:
			o = append(o, line{"deleted", s.name, m.howDeleted(s)})
		default:
			o = append(o, line{"deleted", s.name})
		}
	}
	return o
}

// howDeleted is what becomes of an open task that is deleted: with the last one that
// its series goes on from the series has ended.
func (m *model) howDeleted(t *task) string {
	switch {
	case t.SeriesID == nil || t.IsComplete:
		return ""
	case len(m.open(t)) > 0:
		return skippedAway
	}
	for _, o := range m.series(*t.SeriesID) {
		if o != t && !o.deleted && o.IsComplete && o.Recurrence != nil && !o.followed {
			return skippedAway
		}
	}
	return ended
}

func (m *model) afterSkip(t *task) (all []outcome, status []int) {
	if t.IsComplete || !t.recurs() {
		return nil, []int{http.StatusConflict}
	}
	later := false
	for _, o := range m.open(t) {
		later = later || o.born > t.born
	}
	for _, o := range m.follow(t, time.Now(), true) {
		if len(o) == 0 && !later {
			status = append(status, http.StatusConflict)
			continue
		}
		status = append(status, http.StatusOK)
		all = append(all, append(slices.Clone(o), m.gone(t, skippedAway, true)...))
	}
	return all, status
}

func (m *model) afterDelete(t *task) []outcome {
	for _, o := range m.all() {
		if o.unsure && t.SeriesID != nil && o.SeriesID != nil && *o.SeriesID == *t.SeriesID {
			return nil
		}
	}
	if t.IsComplete && t.SeriesID != nil && m.pending(t) {
		return nil
	}
	if !t.IsComplete || t.followed || !t.recurs() {
		later := t.IsComplete && t.SeriesID != nil && slices.ContainsFunc(m.open(t), func(o *task) bool { return o.born > t.born })
		var o outcome
		for _, s := range m.subtasks(t) {
			if later && s.Recurrence != nil && !s.IsComplete {
				o = append(o, line{"updated", s.name})
			}
		}
		return []outcome{append(o, m.gone(t, m.howDeleted(t), later)...)}
	}
	var all []outcome
	for _, o := range m.follow(t, *t.CompletedAt, false) {
		followed := len(o) > 0
		for _, other := range m.open(t) {
			followed = followed || other.born > t.born
		}
		all = append(all, append(slices.Clone(o), m.gone(t, "", followed)...))
	}
	return all
}

// answered learns that task-api has seen to it that a task is followed.
func (m *model) answered(id uuid.UUID, sure bool) {
	t := m.tasks[id]
	if t == nil || !t.IsComplete {
		return
	}
	if !t.followed {
		t.followed, t.unsure = true, !sure
	}
	m.settle(t)
}

// settle learns that what was done of the subtasks of a task that is followed is so,
// too: by what, there may have been several to choose from.
func (m *model) settle(t *task) {
	for _, s := range m.subtasks(t) {
		if s.recurs() && s.IsComplete && !s.followed {
			s.followed, s.unsure = true, true
		}
	}
}

// learn takes in what the log has got, and says of it in what outcomes are made
// of. What can not be true whatever has been done is told.
func (m *model) learn(events []*told, fail func(string, ...any)) outcome {
	var got outcome
	// In one transaction the place of what follows is looked for when the others
	// have left theirs.
	slices.SortStableFunc(events, func(a, b *told) int {
		if !a.at.Equal(b.at) {
			return cmp.Compare(a.position, b.position)
		}
		return cmp.Compare(rank(a), rank(b))
	})
	for _, e := range events {
		got = append(got, m.learnOne(e, fail))
	}
	for _, t := range m.tasks {
		if t.ParentID != nil {
			t.parent = m.tasks[*t.ParentID] // it may have been created after t was moved
		}
	}
	slices.SortFunc(events, func(a, b *told) int { return cmp.Compare(a.position, b.position) })
	return got
}

func rank(e *told) int {
	if e.kind != event.TaskCreated {
		return 0
	}
	if e.data.TaskData.ParentID == nil {
		return 1
	}
	return 2
}

func (m *model) learnOne(e *told, fail func(string, ...any)) line {
	is := e.data.TaskData
	kind := strings.TrimPrefix(e.kind, "task.")
	t := m.tasks[is.ID]
	before := t
	if t != nil {
		copied := *t
		before = &copied
	}
	switch {
	case t == nil && e.kind != event.TaskCreated:
		fail("the log tells of %s of a task that was never created", kind)
		return line{kind}
	case t == nil:
		m.families[is.Title]++
		t = &task{name: is.Title + strconv.Itoa(m.families[is.Title]), family: is.Title}
		m.tasks[is.ID] = t
		if is.Version != 1 {
			fail("%s begins with version %d", t.name, is.Version)
		}
	default:
		if is.Version != t.Version+1 {
			fail("%s: version %d comes after %d", t.name, is.Version, t.Version)
		}
		if e.kind != event.TaskCreated && t.deleted {
			fail("%s is %s, and was deleted", t.name, kind)
		}
	}
	was := t.Task
	t.Task = is
	t.parent = nil
	if is.ParentID != nil {
		t.parent = m.tasks[*is.ParentID]
	}
	if is.Occurrence != nil && !slices.Contains(t.walls, *is.Occurrence) {
		t.walls = append(t.walls, *is.Occurrence)
	}
	switch e.kind {
	case event.TaskCreated:
		return m.created(e, t, before, fail)
	case event.TaskDeleted:
		how, _ := e.data.Metadata["occurrence"].(string)
		t.deleted, t.how, t.wasDone = true, how, is.IsComplete
		if how == ended && t.SeriesID != nil {
			m.ended[*t.SeriesID] = true
		}
		if how == takenBack && t.follows != nil {
			t.follows.follower, t.follows.followed = nil, false
		}
		if t.parent != nil && !t.parent.deleted {
			t.parent.trimmed = true
		}
		if how != "" {
			return line{kind, t.name, how}
		}
		return line{kind, t.name}
	}
	m.changed(t, was, fail)
	return line{kind, t.name}
}

// created learns of a new task: its user's, a copied subtask, or one that follows.
func (m *model) created(e *told, t, before *task, fail func(string, ...any)) line {
	m.order++
	t.born, t.ordinal, t.follower, t.followed, t.touched = m.order, 1, nil, false, false
	t.walls, t.how, t.deleted = nil, "", false
	if t.Occurrence != nil {
		t.walls = []string{*t.Occurrence}
	}
	if before != nil && (!before.deleted || before.how != takenBack) {
		fail("%s is created a second time", t.name)
	}
	wall, follows := e.data.Metadata["follows"].(string)
	if !follows {
		if t.byUser = t.parent == nil || !t.parent.CreatedAt.Equal(t.CreatedAt); t.byUser && t.parent != nil {
			t.parent.touched = true
		}
		if before == nil && t.parent == nil && m.families[t.family] > 1 {
			fail("%s is created, and follows nothing", t.name)
		}
		return line{"created", t.family}
	}
	var p *task
	for _, o := range m.series(*t.SeriesID) {
		if o != t && o.Occurrence != nil && *o.Occurrence == wall && o.family == t.family {
			p = o
		}
	}
	if p == nil {
		fail("%s follows occurrence %s, for which there never was a task", t.name, wall)
		return line{"created", t.family, "follows", wall}
	}
	t.how = takenBack // it is no occurrence yet
	t.follows, t.ordinal, t.restless = p, m.ordinal(p)+1, p.restless
	if p.Recurrence == nil {
		fail("%s follows %s, which has no rule", t.name, p.name)
		t.how = ""
		return line{"created", t.family, "follows", p.name}
	}
	for _, o := range m.series(*t.SeriesID) {
		if !o.deleted && !o.IsComplete && o.born > p.born {
			fail("%s follows %s, and %s is open, which was created after that", t.name, p.name, o.name)
		}
		if o.Occurrence != nil && *o.Occurrence == *t.Occurrence {
			fail("%s stands for %s, as %s does or did", t.name, *t.Occurrence, o.name)
		} else if a, b, ok := moments(t, o); ok && a.Equal(b) {
			fail("%s stands for %s in %s, which %s does or did as %s in %s", t.name, *t.Occurrence, t.Timezone, o.name, *o.Occurrence, o.Timezone)
		}
	}
	if p.followed && !p.unsure {
		fail("%s follows %s, which has been followed", t.name, p.name)
	}
	if !p.deleted && !p.IsComplete {
		fail("%s follows %s, which is open", t.name, p.name)
	}
	at := e.at
	if p.CompletedAt != nil {
		at = *p.CompletedAt
	}
	skipped := p.deleted && !p.wasDone
	expected := m.next(p, at, skipped)
	t.how = ""
	if !slices.Contains(expected, *t.Occurrence) {
		fail("%s follows %s (%s) and is of %s, not %q", t.name, p.name, wall, *t.Occurrence, expected)
	}
	if n := count(t.Recurrence.RRule); n > 0 && t.ordinal > n && !slices.ContainsFunc(m.series(*t.SeriesID), func(o *task) bool { return o.restless }) {
		fail("%s is the %d. with a task, of %s", t.name, t.ordinal, t.Recurrence.RRule)
	}
	p.follower, p.followed = t, true
	m.settle(p)
	delete(m.ended, *t.SeriesID)
	return line{"created", t.family, "follows", p.name}
}

// changed learns of an update or a completion.
func (m *model) changed(t *task, was event.Task, fail func(string, ...any)) {
	moved := was.ParentID != nil && t.ParentID != nil && *was.ParentID != *t.ParentID
	if !moved {
		t.touched = true
		if t.parent != nil && t.Recurrence == nil {
			t.parent.touched = true
		}
	}
	if !was.IsComplete && t.IsComplete {
		t.followed, t.unsure, t.byUser, t.ruled = false, false, false, false
		for _, s := range m.subtasks(t) {
			s.byUser = false
		}
		if t.SeriesID != nil {
			delete(m.ended, *t.SeriesID)
		}
	}
	if t.IsComplete && ((was.Recurrence == nil) != (t.Recurrence == nil) || t.Recurrence != nil && *was.Recurrence != *t.Recurrence) {
		t.ruled = true
	}
	if was.IsComplete && !t.IsComplete {
		t.followed, t.unsure, t.byUser = false, false, true
	}
	if was.Recurrence != nil && t.Recurrence == nil && !t.IsComplete {
		t.byUser = true // it did not go with its parent
	}
	if was.Recurrence == nil || t.Recurrence == nil || was.SeriesID == nil || t.SeriesID == nil {
		if t.Recurrence != nil {
			if was.SeriesID != nil && t.SeriesID != nil && *was.SeriesID == *t.SeriesID {
				fail("%s has a rule again, in the series that it ended", t.name)
			}
			if was.SeriesID != nil {
				m.ended[*was.SeriesID] = true
			}
			t.ordinal, t.restless, t.follows, t.follower, t.followed = 1, false, nil, nil, false
		}
		return
	}
	if *was.SeriesID != *t.SeriesID {
		taken := false
		for _, o := range m.series(*was.SeriesID) {
			taken = taken || slices.Contains(o.walls, *t.Occurrence)
		}
		if !taken {
			fail("%s is in another series than before", t.name)
		}
		// Two of one series can not stand for one date: it goes on alone.
		m.ended[*was.SeriesID] = true
		t.restless, t.follows = true, nil
	}
	ruled := was.Recurrence.RRule != t.Recurrence.RRule || was.Recurrence.Basis != t.Recurrence.Basis
	shown := was.Timezone != t.Timezone || was.AllDay != t.AllDay
	switch {
	case ruled:
		t.ordinal, t.restless = 1, true
		wall := *was.Occurrence
		if shown || was.DueAt == nil || !was.DueAt.Equal(*t.DueAt) {
			wall, _ = recurrence.WallOf(*t.DueAt, t.Timezone, t.AllDay) // of a zone that was taken
		}
		kept := t.Recurrence.Anchor == was.Recurrence.Anchor && count(t.Recurrence.RRule) == 0 // it was clamped
		if *t.Occurrence != wall || t.Recurrence.Anchor != wall && !kept {
			fail("%s has a new rule, stands for %s, and has the anchor %s, not %s", t.name, *t.Occurrence, t.Recurrence.Anchor, wall)
		}
	case shown:
		t.restless = true
		if !was.AllDay && !t.AllDay {
			m.same(t, "occurrence", *was.Occurrence, *t.Occurrence, was.Timezone, fail)
		}
		// The anchor goes along: it is as many days before, at the same time of day.
		if days(was.Recurrence.Anchor, *was.Occurrence) != days(t.Recurrence.Anchor, *t.Occurrence) || t.Recurrence.Anchor[10:] != (*t.Occurrence)[10:] {
			fail("%s: occurrence %s with anchor %s became %s with anchor %s", t.name, *was.Occurrence, was.Recurrence.Anchor, *t.Occurrence, t.Recurrence.Anchor)
		}
	case *was.Occurrence == *t.Occurrence && t.Recurrence.Anchor == *t.Occurrence:
		// Another policy, which would have more dates before: it goes on from here.
		t.restless = true
	case *was.Occurrence != *t.Occurrence || was.Recurrence.Anchor != t.Recurrence.Anchor:
		// The whole series was moved.
		t.restless = true
		wall, err := recurrence.WallOf(*t.DueAt, t.Timezone, t.AllDay)
		if err != nil || wall != *t.Occurrence {
			fail("%s and all that follow are moved to %s, and it stands for %s", t.name, wall, *t.Occurrence)
		}
		if t.Recurrence.Anchor != wall && t.Recurrence.Anchor[10:] != wall[10:] {
			fail("%s and all that follow are moved to %s, and the anchor is %s", t.name, wall, t.Recurrence.Anchor)
		}
	}
}

// moments are those that two tasks stand for, where both have a time of day.
func moments(a, b *task) (x, y time.Time, ok bool) {
	if a.AllDay || b.AllDay || a.Occurrence == nil || b.Occurrence == nil {
		return x, y, false
	}
	x, err := recurrence.Resolve(*a.Occurrence, a.Timezone, false)
	y, err2 := recurrence.Resolve(*b.Occurrence, b.Timezone, false)
	return x, y, err == nil && err2 == nil
}

// days are those between the dates of two wall times.
func days(from, to string) int {
	a, err := time.Parse(event.WallLayout, from)
	b, err2 := time.Parse(event.WallLayout, to)
	if err != nil || err2 != nil {
		return -1
	}
	const day = 24 * time.Hour
	return int(b.Truncate(day).Sub(a.Truncate(day)) / day)
}

// same checks that a wall time in one zone is that of before in another.
func (m *model) same(t *task, what, was, is, zone string, fail func(string, ...any)) {
	a, err := recurrence.Resolve(was, zone, false)
	b, err2 := recurrence.Resolve(is, t.Timezone, false)
	if err != nil || err2 != nil || !a.Equal(b) {
		fail("%s: the %s %s in %s became %s in %s", t.name, what, was, zone, is, t.Timezone)
	}
}

func (t *task) String() string { return fmt.Sprintf("%s (%s)", t.name, *t.Occurrence) }
