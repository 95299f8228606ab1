package task

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/recurrence"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

// Past is what one request has made of a task.
type Past struct {
	ID     uuid.UUID
	Before *event.Task // nil where there was none
	After  *event.Task // as it was last
	Gone   bool        // it was deleted then
	At     time.Time   // when that was
	Back   *event.Task // as it came back from the trash; nil where it did not
	// Series says that its series made it, or, of one that is gone, let it go.
	Series  bool
	Skipped bool // of one that is back: it had been skipped
}

// ended says whether the request has taken the rule away. Whether the task is done since is
// nobody's matter: it is followed when the rule is back.
func (p *Past) ended() bool {
	return p.Before != nil && p.Before.Recurrence != nil && p.After.Recurrence == nil
}

// begunDone says whether the request has given a rule to a task that was done, and stayed so.
func (p *Past) begunDone() bool {
	return p.Before != nil && p.Before.Recurrence == nil && p.After.Recurrence != nil && p.Before.IsComplete && p.After.IsComplete
}

// followedSince says whether something has come since that follows the task.
func (p *Past) followedSince(ctx context.Context, tx *change.Tx) (bool, error) {
	since, err := tx.NewSelect().Model((*Task)(nil)).Where("follows_id = ?", p.ID).Where("created_at > ?", p.At).Exists(ctx)
	if err != nil {
		return false, fmt.Errorf("look for what follows the task: %w", err)
	}
	return since, nil
}

// Undo takes back what one request has made of tasks, by changes of their own. What has
// been changed since stays: then it returns a refusal with all fields that differ, and
// changes nothing. Its caller ends the change without a commit.
//
// The tasks that were deleted come back first, then the others get back what they had,
// and at last those that were made go: so a task finds the parent that it had.
func Undo(ctx context.Context, tx *change.Tx, all []*Past) error {
	u := undoing{past: map[uuid.UUID]*Past{}}
	ids := make([]uuid.UUID, len(all))
	for i, p := range all {
		ids[i], u.past[p.ID] = p.ID, p
	}
	lockAll(tx, ids)
	roots, err := u.roots(ctx, tx, ids)
	if err != nil {
		return err
	}
	if err := u.read(ctx, tx, ids); err != nil {
		return err
	}
	for _, p := range all {
		if !p.Gone {
			if err := u.check(ctx, tx, p); err != nil {
				return err
			}
		}
	}
	if err := u.refusal(); err != nil {
		return err
	}
	if len(roots) > 0 {
		if _, err := bringBack(ctx, tx, roots...); err != nil {
			return err
		}
		for _, id := range roots {
			if err := untouchParent(ctx, tx, u.past[id].After.ParentID); err != nil {
				return err
			}
		}
		if err := u.read(ctx, tx, ids); err != nil {
			return err
		}
		if err := u.rejoinGone(ctx, tx, all); err != nil {
			return err
		}
	}
	// Parents first: a subtask is in the list of its own.
	slices.SortStableFunc(all, func(a, b *Past) int { return depth(a) - depth(b) })
	var changed []*Past
	for _, p := range all {
		switch {
		case p.Before != nil:
			changed = append(changed, p)
		case p.Back != nil && u.tasks[p.ID] != nil: // it goes into the trash as it was there
			changed = append(changed, &Past{ID: p.ID, Before: p.Back, After: p.After})
		}
	}
	for i, p := range changed {
		if err := u.putBack(ctx, tx, p); err != nil {
			return err
		}
		if i%flushEvery == flushEvery-1 || tx.Waiting() > flushBytes {
			if err := tx.Flush(ctx); err != nil {
				return err
			}
		}
	}
	if err := u.refusal(); err != nil {
		return err
	}
	for _, p := range changed {
		if err := followPast(ctx, tx, p); err != nil {
			return err
		}
	}
	for _, p := range all {
		if p.Before == nil && u.tasks[p.ID] != nil {
			if err := u.takeAway(ctx, tx, p); err != nil {
				return err
			}
		}
	}
	return nil
}

func depth(p *Past) int {
	if is := p.Before; is != nil && is.ParentID != nil || is == nil && p.After.ParentID != nil {
		return 1
	}
	return 0
}

// undoing is what is known of the tasks of a request while it is undone.
type undoing struct {
	past   map[uuid.UUID]*Past
	tasks  map[uuid.UUID]*Task // that are there
	fields []refuse.Field
}

// read reads those of the tasks that are there, with their reminders, which it locks.
func (u *undoing) read(ctx context.Context, tx *change.Tx, ids []uuid.UUID) error {
	may, role := tx.Actor.Known(), tx.Actor.RoleIn("t.list_id")
	mine := append([]any{ids}, may.Args...)
	tx.Queue("SELECT FROM task.reminders WHERE task_id IN (SELECT id FROM task.tasks WHERE id = ANY (?) AND "+may.SQL+") ORDER BY task_id, ordinal, id FOR UPDATE", mine...)
	found, err := change.Read[Task](ctx, tx, "SELECT "+whole+", "+role.SQL+" AS role FROM task.tasks t WHERE id = ANY (?) AND "+may.SQL, slices.Concat(role.Args, mine)...)
	if err != nil {
		return fmt.Errorf("read what the request has changed: %w", err)
	}
	u.tasks = make(map[uuid.UUID]*Task, len(found))
	for _, t := range found {
		u.tasks[t.ID] = t
	}
	return nil
}

// differs notes that a part of a task is not as the request has left it.
func (u *undoing) differs(id uuid.UUID, field, message string) {
	u.fields = append(u.fields, refuse.Differs("task/"+id.String(), field, message))
}

const changedSince = "has been changed since"

func (u *undoing) refusal() error {
	if len(u.fields) == 0 {
		return nil
	}
	return refuse.Changed(u.fields...)
}

// thrown is a task in the trash.
type thrown struct {
	Task
	RootID uuid.UUID
	LetGo  bool
}

// roots locks what of the tasks is in the trash and comes back, and says with what it was
// thrown away, the last first: it may be the parent of others. It notes what is not as the
// request has left it.
func (u *undoing) roots(ctx context.Context, tx *change.Tx, ids []uuid.UUID) (roots []uuid.UUID, err error) {
	var gone []uuid.UUID
	for _, id := range ids {
		if u.past[id].Gone {
			gone = append(gone, id)
		}
	}
	if len(gone) == 0 {
		return nil, nil
	}
	tx.Queue("SELECT FROM task.trash WHERE id = ANY (?) ORDER BY id FOR UPDATE", gone)
	mine := tx.Actor.InLists("x.list_id")
	found, err := change.Read[thrown](ctx, tx, "SELECT "+stored+`, reminders, '' AS role, root_id, let_go FROM (
			SELECT t.*, coalesce(x.reminders, '[]') AS reminders, x.root_id, x.let_go FROM task.trash x CROSS JOIN LATERAL jsonb_populate_record(NULL::task.tasks, x.task) t
			WHERE x.id = ANY (?) AND NOT EXISTS (SELECT FROM task.tasks WHERE id = x.id) AND `+mine.SQL+") t", append([]any{gone}, mine.Args...)...)
	if err != nil {
		return nil, fmt.Errorf("look for the tasks in the trash: %w", err)
	}
	in := map[uuid.UUID]*thrown{}
	for _, f := range found {
		slices.SortFunc(f.Reminders, func(a, b Reminder) int {
			return cmp.Or(a.Ordinal-b.Ordinal, bytes.Compare(a.ID[:], b.ID[:]))
		})
		in[f.ID] = f
		u.past[f.ID].Series = f.LetGo && f.RootID == f.ID
	}
	for _, id := range slices.Backward(gone) {
		p, is := u.past[id], in[id]
		switch {
		case p.Before == nil && p.Back == nil:
			continue // it was made and deleted
		case is == nil && anotherTime(u.past, in, p):
			continue // with the occurrence that it belonged to there is its like in the trash
		case is == nil:
			if _, err := read(ctx, tx, id); err == nil {
				u.differs(id, "", "is there again")
			} else if !errors.Is(err, errNotFound) {
				return nil, err
			} else if err := u.isNotThere(ctx, tx, p); err != nil {
				return nil, err
			}
			continue
		case u.past[is.RootID] == nil || !u.past[is.RootID].Gone:
			u.differs(id, "", "was deleted again since, with another task")
			continue
		}
		for _, name := range differing(is.onTheWire(), *p.After) {
			switch {
			case name == "reminders" && is.madeAnew(p) && sameButForIDs(is.onTheWire().Reminders, p.After.Reminders):
			case name == "parent_id" && is.ParentID == nil && p.Before != nil:
				// It has been back meanwhile, while the parent was not there; it gets it now.
				after := *p.After
				after.ParentID, p.After = nil, &after
			default:
				u.differs(id, name, changedSince)
			}
		}
		if is.madeAnew(p) {
			// It is as old as it was, and so is the checklist that came with it.
			tx.Queue(`UPDATE task.trash x SET task = x.task || jsonb_build_object('created_at', ?::timestamptz) FROM task.trash o
				WHERE o.id = ? AND x.root_id = o.id AND x.task -> 'created_at' = o.task -> 'created_at'`, p.Before.CreatedAt, id)
		}
		if !slices.Contains(roots, is.RootID) {
			roots = append(roots, is.RootID)
		}
	}
	if err := mayBringBack(ctx, tx, roots); err != nil {
		return nil, err
	}
	for _, id := range roots {
		if err := u.checkPlace(ctx, tx, u.past[id]); err != nil {
			return nil, err
		}
	}
	return roots, nil
}

// madeAnew says whether a series has let something go, and then made and let go the same
// occurrence once more. That one is in the trash: the same but for the ids of what belongs to
// it.
func (is *thrown) madeAnew(p *Past) bool {
	return is.LetGo && is.RootID == is.ID && p.Before != nil && is.CreatedAt.After(p.At)
}

// anotherTime says whether a task went with an occurrence that was made anew.
func anotherTime(past map[uuid.UUID]*Past, in map[uuid.UUID]*thrown, p *Past) bool {
	parent := p.After.ParentID
	return parent != nil && past[*parent] != nil && in[*parent] != nil && in[*parent].madeAnew(past[*parent])
}

func sameButForIDs(a, b []event.Reminder) bool {
	return slices.EqualFunc(a, b, func(a, b event.Reminder) bool { return a.UserID == b.UserID && sameReminder(&a, &b) })
}

// checkPlace says of a task that comes back where it can not be as it was: its parent is
// not there, or is full, or its series is in another list.
func (u *undoing) checkPlace(ctx context.Context, tx *change.Tx, p *Past) error {
	if p.Series {
		elsewhere, err := tx.NewSelect().Model((*Task)(nil)).Where("series_id = ?", p.After.SeriesID).Where("list_id <> ?", p.After.ListID).Exists(ctx)
		if err != nil {
			return fmt.Errorf("look where the series is: %w", err)
		}
		if elsewhere {
			u.differs(p.ID, "list_id", "the series is in another list now")
		}
	}
	parent := p.After.ParentID
	if parent == nil || u.past[*parent] != nil && u.past[*parent].Gone {
		return nil
	}
	coming := 0
	for _, other := range u.past {
		if other.Gone && equal(other.After.ParentID, parent) {
			coming++
		}
	}
	var there bool
	var siblings int
	err := tx.NewRaw(`SELECT EXISTS (SELECT FROM task.tasks WHERE id = ? AND list_id = ? AND parent_id IS NULL),
		(SELECT count(*) FROM task.tasks WHERE parent_id = ? AND NOT (is_complete AND recurrence IS NOT NULL))`, *parent, p.After.ListID, *parent).Scan(ctx, &there, &siblings)
	switch {
	case err != nil:
		return fmt.Errorf("look for the parent that the task had: %w", err)
	case !there:
		u.differs(p.ID, "parent_id", "is not there any more")
	case siblings+coming > maxSubtasks:
		u.differs(p.ID, "parent_id", fmt.Sprintf("has %d subtasks, and there can be %d", siblings, maxSubtasks))
	}
	return nil
}

// differing are the parts in which two states of a task differ, in the order of their names.
func differing(is, was event.Task) (names []string) {
	now, then := partsOf(is), partsOf(was)
	for _, name := range slices.Sorted(maps.Keys(then)) {
		if !bytes.Equal(now[name], then[name]) {
			names = append(names, name)
		}
	}
	return names
}

// mayBringBack refuses an actor who may not write in a list that something in the trash
// was in, or where that is gone.
func mayBringBack(ctx context.Context, tx *change.Tx, roots []uuid.UUID) error {
	if len(roots) == 0 {
		return nil
	}
	// Nobody takes the lists away meanwhile.
	tx.Queue("SELECT FROM task.lists WHERE id IN (SELECT list_id FROM task.trash WHERE id = ANY (?)) ORDER BY id FOR KEY SHARE", roots)
	role := tx.Actor.RoleIn("l.id") // null where the list is gone
	found, err := change.Read[struct{ Role *access.Role }](ctx, tx, "SELECT DISTINCT "+role.SQL+` AS role FROM task.trash x
		LEFT JOIN task.lists l ON l.id = x.list_id AND l.trashed_at IS NULL WHERE x.id = ANY (?)`, append(role.Args, roots)...)
	if err != nil {
		return fmt.Errorf("read the lists of what is in the trash: %w", err)
	}
	for _, f := range found {
		if f.Role == nil {
			return errNotFound
		}
	}
	for _, f := range found {
		if !f.Role.Writes() {
			return access.ErrReadOnly
		}
	}
	return nil
}

// isNotThere notes that a task is not where the request has left it. Whether it is in the
// trash, gone for good, or in a list of somebody else, it does not say. Whoever is no
// member of the list any more finds nothing.
func (u *undoing) isNotThere(ctx context.Context, tx *change.Tx, p *Past) error {
	mine := tx.Actor.Memberships(p.After.ListID)
	member, err := tx.NewSelect().TableExpr("task.members m").Where(mine.SQL, mine.Args...).Exists(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("look for the list that the task was in: %w", err)
	case !member:
		return errNotFound
	}
	u.differs(p.ID, "", "is not there any more")
	return nil
}

// check finds what of a task is not as the request has left it.
func (u *undoing) check(ctx context.Context, tx *change.Tx, p *Past) error {
	t := u.tasks[p.ID]
	if t == nil {
		return u.isNotThere(ctx, tx, p)
	}
	if !t.Role.Writes() {
		return access.ErrReadOnly
	}
	is, was, before := partsOf(t.onTheWire()), partsOf(*p.After), map[string]json.RawMessage{}
	ruled, done := false, false // the request has changed what it is in its series, or whether it is done
	if p.Before != nil {
		before = partsOf(*p.Before)
		ruled = slices.ContainsFunc(ofSeries, func(n string) bool { return !bytes.Equal(before[n], was[n]) })
		done = p.Before.IsComplete != p.After.IsComplete
	}
	inSeries := p.After.SeriesID != nil || p.Before != nil && p.Before.SeriesID != nil
	for _, name := range slices.Sorted(maps.Keys(was)) {
		ours := !bytes.Equal(before[name], was[name])
		// What the rest of a series counts from has to be as it was, too.
		if inSeries && ((ruled || done) && slices.Contains(ofSeries, name) || ruled && !p.ended() && name == "is_complete") {
			ours = true
		}
		if name == "reminders" && p.Before != nil {
			ours = ours && !sameReminders(t, p)
		}
		if name == "parent_id" && ours && !bytes.Equal(is[name], was[name]) {
			along, err := u.cameAlong(ctx, tx, p, t)
			if err != nil {
				return err
			}
			ours = !along
		}
		// The place of one that goes is nobody's.
		if ours && !bytes.Equal(is[name], was[name]) && (p.Before != nil || name != "position") {
			u.differs(p.ID, name, changedSince)
		}
	}
	switch {
	case p.Before == nil:
		return u.checkMade(ctx, tx, p, t)
	case done && t.IsComplete:
		return u.checkFollower(ctx, tx, p, t)
	case ruled && t.SeriesID != nil && p.begunDone():
		since, err := p.followedSince(ctx, tx)
		if err != nil {
			return err
		}
		if since {
			return u.checkFollower(ctx, tx, p, t)
		}
		return u.checkLater(ctx, tx, p, t)
	case ruled && t.SeriesID != nil:
		return u.checkLater(ctx, tx, p, t)
	}
	return nil
}

// cameAlong says whether a task that the request has made, which has a rule of its own, is
// under another parent since its parent was completed by the request, and followed.
func (u *undoing) cameAlong(ctx context.Context, tx *change.Tx, p *Past, t *Task) (bool, error) {
	if p.Before != nil || t.Recurrence == nil || t.ParentID == nil || p.After.ParentID == nil {
		return false, nil
	}
	parent := u.tasks[*p.After.ParentID]
	if parent == nil || !parent.IsComplete || !parent.Followed {
		return false, nil
	}
	next, _, err := follower(ctx, tx, parent, parent.ListID)
	return next != nil && next.ID == *t.ParentID, err
}

// checkLater finds occurrences that have come since by the rule that a task has now.
func (u *undoing) checkLater(ctx context.Context, tx *change.Tx, p *Past, t *Task) error {
	ids := slices.Collect(maps.Keys(u.past))
	later, err := tx.NewSelect().Model((*Task)(nil)).Where("series_id = ?", *t.SeriesID).Where("created_at > ?", p.At).Where("id NOT IN (?)", bun.List(ids)).Exists(ctx)
	if err != nil {
		return fmt.Errorf("look for later occurrences: %w", err)
	}
	if later {
		u.differs(t.ID, "followed_by", "has come by this rule since")
	}
	return nil
}

// ofSeries are the fields by which a task of a series is what it is.
var ofSeries = []string{"all_day", "occurrence", "recurrence", "series_id", "timezone"}

// partsOf are the fields of a task by their names, without those that are nobody's to change.
func partsOf(t event.Task) map[string]json.RawMessage {
	raw, _ := json.Marshal(t) // of a struct of texts and times; it can not fail
	parts := map[string]json.RawMessage{}
	_ = json.Unmarshal(raw, &parts) // what was written just now
	for _, name := range []string{"id", "user_id", "version", "created_at", "updated_at"} {
		delete(parts, name)
	}
	return parts
}

// sameReminders says whether the reminders that the request has changed are as it left them.
func sameReminders(t *Task, p *Past) bool {
	is := t.onTheWire().Reminders
	for _, ids := range [][]event.Reminder{p.Before.Reminders, p.After.Reminders} {
		for _, r := range ids {
			left := reminderOf(p.After.Reminders, r.ID)
			if sameReminder(reminderOf(p.Before.Reminders, r.ID), left) {
				continue // not changed by it
			}
			if !sameReminder(reminderOf(is, r.ID), left) {
				return false
			}
		}
	}
	return true
}

func reminderOf(all []event.Reminder, id uuid.UUID) *event.Reminder {
	for i := range all {
		if all[i].ID == id {
			return &all[i]
		}
	}
	return nil
}

func sameReminder(a, b *event.Reminder) bool {
	return a == b || a != nil && b != nil && equalTime(a.At, b.At) && a.BeforeDue == b.BeforeDue
}

// checkMade finds what has come to a task since the request made it, and would go with it.
func (u *undoing) checkMade(ctx context.Context, tx *change.Tx, p *Past, t *Task) error {
	var subtasks []uuid.UUID
	if err := tx.NewSelect().Model((*Task)(nil)).Column("id").Where("parent_id = ?", p.ID).Scan(ctx, &subtasks); err != nil {
		return fmt.Errorf("read the subtasks: %w", err)
	}
	for _, sub := range subtasks {
		if past := u.past[sub]; past == nil {
			u.differs(p.ID, "subtasks", "have been added since")
			break
		}
	}
	commented, err := tx.NewSelect().Table("task.comments").Where("task_id = ?", p.ID).Where("created_at >= ?", p.At).Exists(ctx)
	if err != nil {
		return fmt.Errorf("look for comments on the task: %w", err)
	}
	if commented {
		u.differs(p.ID, "comments", "have been added since")
	}
	if p.Back != nil || t.SeriesID == nil || !t.IsComplete {
		return nil // what follows one that was restored stays
	}
	return u.checkFollower(ctx, tx, p, t)
}

// checkFollower finds what has become of what follows a completed task: only as its series
// has made it does it go when the task is reopened. What was there before the request stays.
func (u *undoing) checkFollower(ctx context.Context, tx *change.Tx, p *Past, t *Task) error {
	if !t.recurs() || !t.Followed {
		return nil
	}
	next, untouched, err := follower(ctx, tx, t, t.ListID)
	switch {
	case err != nil || untouched || next != nil && next.CreatedAt.Before(p.At):
		return err
	case next != nil:
		return u.followerDiffers(t, next)
	}
	o, _, err := nextOccurrence(ctx, tx, t, *t.CompletedAt, false)
	if err != nil || o == nil {
		return err // the rule had ended
	}
	open, err := openAfter(ctx, tx, t)
	if err == nil && open == nil {
		u.differs(t.ID, "followed_by", "is done or gone")
	}
	return err
}

// followerDiffers names what of a task is not as its series has made it.
func (u *undoing) followerDiffers(t, next *Task) error {
	if next.ListID != t.ListID {
		u.differs(t.ID, "followed_by", "is in another list now") // which may be none of the actor's
		return nil
	}
	n := len(u.fields)
	is, was := partsOf(next.onTheWire()), partsOf(t.onTheWire())
	for _, name := range []string{"title", "description", "priority", "tags", "all_day", "timezone", "assignee_id", "list_id"} {
		if !bytes.Equal(is[name], was[name]) {
			u.differs(next.ID, name, changedSince)
		}
	}
	if next.IsComplete {
		u.differs(next.ID, "is_complete", changedSince)
	}
	if next.Occurrence != nil {
		at, err := recurrence.Resolve(*next.Occurrence, next.Timezone, next.AllDay)
		if err != nil {
			return fmt.Errorf("work out the next occurrence's time: %w", err)
		}
		if next.DueAt == nil || !next.DueAt.Equal(at) {
			u.differs(next.ID, "due_at", changedSince)
		}
	}
	if len(u.fields) == n {
		u.differs(next.ID, "", "or what belongs to it has been changed since it came")
	}
	return nil
}

// putBack gives a task what it had before.
func (u *undoing) putBack(ctx context.Context, tx *change.Tx, p *Past) error {
	parts := differing(*p.After, *p.Before)
	if len(parts) == 0 {
		return nil // it was only deleted
	}
	changed := func(part string) bool { return slices.Contains(parts, part) }
	t := u.tasks[p.ID]
	if t == nil {
		return errNotFound
	}
	had, was := answered(*p.Before), t.clone()
	for name, put := range map[string]func(){
		"title":        func() { t.Title = had.Title },
		"description":  func() { t.Description = had.Description },
		"is_complete":  func() { t.IsComplete = had.IsComplete },
		"completed_at": func() { t.CompletedAt = had.CompletedAt },
		"priority":     func() { t.Priority = had.Priority },
		"tags":         func() { t.Tags = had.Tags },
		"due_at":       func() { t.DueAt = had.DueAt },
		"all_day":      func() { t.AllDay = had.AllDay },
		"timezone":     func() { t.Timezone = had.Timezone },
		"reminders":    func() { t.putReminders(p, had) },
		"recurrence":   func() { t.Recurrence = had.Recurrence },
		"list_id":      func() { t.ListID = had.ListID },
		"position":     func() { t.Position = had.Position },
		"assignee_id":  func() { t.AssigneeID = had.AssigneeID },
		"parent_id":    func() { t.ParentID = had.ParentID },
		"series_id":    func() { t.SeriesID = had.SeriesID },
		"occurrence":   func() { t.Occurrence = had.Occurrence },
	} {
		if changed(name) {
			put()
		}
	}
	if err := u.place(ctx, tx, was, t); err != nil {
		return err
	}
	if changed("list_id") || changed("assignee_id") || changed("reminders") {
		if err := leaveOthers(ctx, tx, t, t.AssigneeID); err != nil {
			return err
		}
		if changed("assignee_id") && !equal(t.AssigneeID, had.AssigneeID) {
			u.differs(t.ID, "assignee_id", "is no member of the list any more")
		}
		if changed("reminders") && t.tooManyReminders() {
			u.differs(t.ID, "reminders", "would be more than there can be")
		}
	}
	if err := u.rejoinSeries(ctx, tx, was, t); err != nil {
		return err
	}
	if len(u.fields) > 0 {
		return nil // it is refused in the end
	}
	kinds := []string{event.TaskUpdated}
	if !was.IsComplete && t.IsComplete {
		if kinds = updated(was, t); slices.Equal(differing(t.onTheWire(), was.onTheWire()), []string{"completed_at", "is_complete"}) {
			kinds = []string{event.TaskCompleted}
		}
	}
	if was.IsComplete && t.IsComplete && !was.recurs() && t.recurs() && !t.Followed {
		// It was completed without the rule. Whoever has completed tasks followed is told now.
		kinds = []string{event.TaskUpdated, event.TaskCompleted}
	}
	switch made, version := was.PristineVersion, was.Version+int64(len(kinds)); {
	case made != nil && *made == p.Before.Version: // nobody has touched it once more
		t.madeBySeries(version)
	case made != nil && *made == -p.Before.Version: // but its checklist
		t.madeBySeries(-version)
	case len(u.past) > 1 && tookAlong(parts):
		t.carriedOn(version)
	}
	if err := t.armQuietly(was, tx.Now); err != nil {
		return err
	}
	return save(ctx, tx, was, t, kinds...)
}

// tookAlong says whether these parts of a task may be what becomes of it with another, which
// is no edit of its own: what a user has made of it, and makes of it again, is more.
func tookAlong(parts []string) bool {
	with := []string{"list_id", "parent_id", "position"}
	if slices.Contains(parts, "list_id") {
		with = append(with, "assignee_id", "reminders", "series_id") // which some lose there
	}
	return !slices.ContainsFunc(parts, func(part string) bool { return !slices.Contains(with, part) })
}

// putReminders gives the task the reminders back that the request has changed or taken
// away, and takes those away that it has added. Others stay.
func (t *Task) putReminders(p *Past, had *Task) {
	t.Reminders = slices.DeleteFunc(t.Reminders, func(r Reminder) bool {
		return reminderOf(p.Before.Reminders, r.ID) == nil && reminderOf(p.After.Reminders, r.ID) != nil
	})
	for i, r := range had.Reminders {
		k := slices.IndexFunc(t.Reminders, func(is Reminder) bool { return is.ID == r.ID })
		if k < 0 {
			if reminderOf(p.After.Reminders, r.ID) != nil {
				continue // somebody has taken away since what the request had left
			}
			t.Reminders = append(t.Reminders, Reminder{ID: r.ID, TaskID: t.ID, UserID: r.UserID})
			k = len(t.Reminders) - 1
		}
		is := &t.Reminders[k]
		if is.Ordinal = i; !sameReminder(reminderOf(p.Before.Reminders, r.ID), reminderOf(p.After.Reminders, r.ID)) {
			is.At, is.BeforeDue = r.At, r.BeforeDue
		}
	}
	slices.SortStableFunc(t.Reminders, func(a, b Reminder) int { return a.Ordinal - b.Ordinal })
}

// tooManyReminders says whether there are more than a member, or all of them, can have.
func (t *Task) tooManyReminders() bool {
	of := map[uuid.UUID]int{}
	for _, r := range t.Reminders {
		if of[r.Of(t)]++; of[r.Of(t)] > maxReminders {
			return true
		}
	}
	return len(t.Reminders) > maxRemindersOfAll
}

// armQuietly works out when the reminders fire. Of those that were put back none comes
// late: its time has passed.
func (t *Task) armQuietly(was *Task, now time.Time) error {
	if err := t.arm(was, now); err != nil {
		return err
	}
	for i := range t.Reminders {
		if r := &t.Reminders[i]; r.Armed && !r.RemindAt.After(now) && !slices.ContainsFunc(was.Reminders, func(w Reminder) bool { return w.ID == r.ID && w.Armed && equalTime(w.RemindAt, r.RemindAt) }) {
			r.Armed, r.PassedFor = false, r.RemindAt
		}
	}
	return nil
}

// place checks the parent and the list that a task has back.
func (u *undoing) place(ctx context.Context, tx *change.Tx, was, t *Task) error {
	if !equal(t.ParentID, was.ParentID) {
		for _, parent := range []*uuid.UUID{was.ParentID, t.ParentID} {
			if err := untouchParent(ctx, tx, parent); err != nil {
				return err
			}
			if parent == nil || u.tasks[*parent] == nil {
				continue
			}
			if is := u.tasks[*parent]; is.PristineVersion != nil && *is.PristineVersion < 0 {
				is.madeBySeries(-*is.PristineVersion) // it may be about to be written
			}
		}
		if t.ParentID != nil {
			list, err := checkParent(ctx, tx, t)
			if err := u.refused(err, t.ID); err != nil {
				return err
			}
			if err == nil && list != t.ListID {
				u.differs(t.ID, "parent_id", "is in another list now")
			}
		}
	}
	if t.ListID == was.ListID {
		return nil
	}
	tx.EnsureInbox()
	if err := tx.TakeRoom(ctx, t.ListID); err != nil {
		return err
	}
	if err := u.refused(checkList(ctx, tx, t.ListID), t.ID); err != nil || t.ParentID == nil {
		return err
	}
	var list uuid.UUID
	if err := tx.NewRaw("SELECT list_id FROM task.tasks WHERE id = ?", *t.ParentID).Scan(ctx, &list); err != nil {
		return fmt.Errorf("read the list of the parent: %w", err)
	}
	if list != t.ListID {
		u.differs(t.ID, "parent_id", "is in another list")
	}
	return nil
}

// refused notes what a refusal says of a task: what it had it can not have any more.
func (u *undoing) refused(err error, id uuid.UUID) error {
	var no *refuse.Error
	if !errors.As(err, &no) || no.Code != refuse.Invalid {
		return err
	}
	for _, f := range no.Fields {
		u.differs(id, f.Name, f.Message)
	}
	return nil
}

// rejoinSeries checks that nobody else stands for what a task stood for in its series.
func (u *undoing) rejoinSeries(ctx context.Context, tx *change.Tx, was, t *Task) error {
	if t.SeriesID == nil || equal(t.SeriesID, was.SeriesID) && equal(t.Occurrence, was.Occurrence) {
		return nil
	}
	var taken bool
	ids := slices.Collect(maps.Keys(u.past)) // these go back, too
	reopened := was.IsComplete && !t.IsComplete
	err := tx.NewRaw(`SELECT EXISTS (SELECT FROM task.tasks WHERE series_id = ?0 AND id NOT IN (?1) AND (occurrence = ?2 OR list_id <> ?3)
			AND NOT (?4 AND (follows_id = ?5) IS TRUE)) -- which goes when the task is reopened
		OR EXISTS (SELECT FROM task.gone_occurrences WHERE series_id = ?0 AND occurrence = ?2 AND task_id NOT IN (?1) AND NOT taken_back)`,
		*t.SeriesID, bun.List(ids), t.Occurrence, t.ListID, reopened, t.ID).Scan(ctx, &taken)
	if err != nil {
		return fmt.Errorf("look for the occurrence that the task was: %w", err)
	}
	if taken {
		u.differs(t.ID, "occurrence", "is another task's now, or the series is in another list")
		return nil
	}
	// It has not left the series, then; but it has been in the other one.
	tx.Queue("DELETE FROM task.gone_occurrences WHERE series_id = ? AND task_id = ?", *t.SeriesID, t.ID)
	if was.SeriesID != nil && !equal(was.SeriesID, t.SeriesID) {
		leftSeries(tx, *was.SeriesID, was)
	}
	return nil
}

// rejoinGone has tasks that are back from the trash be of the series that they were of,
// where they are of another because some of that are in another list, but go back as well.
func (u *undoing) rejoinGone(ctx context.Context, tx *change.Tx, all []*Past) error {
	for _, p := range all {
		t := u.tasks[p.ID]
		if t == nil || !p.Gone || p.Before == nil || equal(t.SeriesID, p.After.SeriesID) {
			continue
		}
		elsewhere, err := tx.NewSelect().Model((*Task)(nil)).Where("series_id = ?", p.After.SeriesID).Where("list_id <> ?", p.After.ListID).
			Where("id NOT IN (?)", bun.List(slices.Collect(maps.Keys(u.past)))).Exists(ctx)
		if err != nil {
			return fmt.Errorf("look where the series is: %w", err)
		}
		if !elsewhere {
			after := *p.After
			after.SeriesID, p.After = t.SeriesID, &after
		}
	}
	return nil
}

// followPast does what comes with what a task has back: of a task in another list what
// belongs to it, of a completed one what follows it, and of a reopened one what followed.
func followPast(ctx context.Context, tx *change.Tx, p *Past) error {
	moved, done := p.Before.ListID != p.After.ListID, p.Before.IsComplete != p.After.IsComplete && (p.Before.SeriesID != nil || p.After.SeriesID != nil)
	begun := false // by what follows a task that was done before it had a rule
	if p.begunDone() {
		var err error
		if begun, err = p.followedSince(ctx, tx); err != nil {
			return err
		}
	}
	if !moved && !done && !begun {
		return nil
	}
	t, err := lock(ctx, tx, p.ID)
	if errors.Is(err, errNotFound) {
		return nil // it has gone with what it followed
	}
	if err != nil {
		return err
	}
	if moved {
		if err := takeAlong(ctx, tx, t); err != nil {
			return err
		}
	}
	switch {
	case begun || done && !t.IsComplete:
		return takeBack(ctx, tx, t, p.After.ListID)
	case !done:
		return nil
	case t.SeriesID == nil:
		return nil
	}
	next, err := openAfter(ctx, tx, t)
	if err != nil {
		return err
	}
	if next == nil || !t.recurs() {
		// Whoever has completed tasks followed is told of it, unless it had been followed: by
		// one that is done, gone, or of another series by now.
		tx.Queue(`UPDATE task.tasks t SET followed = true WHERE id = ? AND (
			EXISTS (SELECT FROM task.tasks n WHERE n.series_id = t.series_id AND n.created_at > t.created_at)
			OR EXISTS (SELECT FROM task.tasks n WHERE n.follows_id = t.id)
			OR EXISTS (SELECT FROM task.gone_occurrences g WHERE g.series_id = t.series_id AND g.created_at > t.created_at AND NOT g.taken_back))`, t.ID)
		return nil
	}
	// What has come under it since, and goes on by itself, does so under what follows. Where
	// the others were the request says.
	if err := moveAll(ctx, tx, t.ID, next.ID, "NOT is_complete AND created_at > ?", p.At); err != nil {
		return err
	}
	return markFollowed(ctx, tx, t)
}

// takeAway removes a task that the request has made or brought back. What its series had
// made then is let go; all else goes into the trash.
func (u *undoing) takeAway(ctx context.Context, tx *change.Tx, p *Past) error {
	t, err := lock(ctx, tx, p.ID)
	if errors.Is(err, errNotFound) {
		return nil // with its parent
	}
	if err != nil {
		return err
	}
	other := u.comesBack(t)
	switch {
	case p.Series && other != nil: // undoes a skip
		if err := moveAll(ctx, tx, t.ID, *other, "true"); err != nil {
			return err
		}
		return remove(ctx, tx, t, removal{event.TakenBack, t.ID, true})
	case p.Series:
		return nil // it follows one that stands again, and would come at once
	case other != nil: // skips again
		return letSkip(ctx, tx, t, *other)
	case p.Skipped && t.recurs() && !t.IsComplete: // likewise, where another stood already
		next, err := openAfter(ctx, tx, t)
		if err != nil {
			return err
		}
		if next != nil {
			return letSkip(ctx, tx, t, next.ID)
		}
	case t.IsComplete && t.Followed && p.Back == nil: // it was made done
		if err := takeBack(ctx, tx, t, t.ListID); err != nil {
			return err
		}
		return remove(ctx, tx, t, removal{root: t.ID})
	}
	if err := moveToTrash(ctx, tx, p.ID, nil); err != nil || t.Recurrence != nil {
		return err
	}
	return untouchParent(ctx, tx, t.ParentID)
}

// comesBack is the occurrence of a task's series that the same request had let go; nil for
// none.
func (u *undoing) comesBack(t *Task) *uuid.UUID {
	if t.SeriesID == nil {
		return nil
	}
	for id, p := range u.past {
		if p.Gone && p.Before != nil && p.Series && equal(p.Before.SeriesID, t.SeriesID) && id != t.ID {
			return &id
		}
	}
	return nil
}
