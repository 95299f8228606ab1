package task

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/recurrence"
)

// reminders sets a user's reminders of t to what he wants; those of others stay. One that
// is named by its id, or says the same as one he has, stays that reminder: it keeps
// its id, and does not fire again for a time it has fired for.
func (p *problems) reminders(t *Task, user uuid.UUID, in []ReminderDraft) {
	var had, others []Reminder
	for _, r := range t.Reminders {
		if r.Of(t) == user {
			had = append(had, r)
		} else {
			others = append(others, r)
		}
	}
	t.Reminders = make([]Reminder, 0, len(in)+len(others))
	for i, wanted := range in {
		if wanted.UserID != nil && *wanted.UserID != user {
			continue // another's, sent back as it was read
		}
		where := fmt.Sprintf("reminders[%d]", i)
		if (wanted.At == nil) == (wanted.BeforeDue == "") {
			p.add(where, "needs either at or before_due")
			continue
		}
		at := p.moment(where+".at", wanted.At)
		var before *string
		if wanted.BeforeDue != "" {
			if _, err := recurrence.ParseBefore(wanted.BeforeDue); err != nil {
				p.addErr(where+".before_due", err)
				continue
			}
			before = &wanted.BeforeDue
		}
		r := Reminder{TaskID: t.ID, UserID: user}
		same := func(h Reminder) bool {
			if wanted.ID != nil {
				return h.ID == *wanted.ID
			}
			return equal(h.BeforeDue, before) && equalTime(h.At, at)
		}
		if k := slices.IndexFunc(had, same); k >= 0 {
			r = had[k]
			had = slices.Delete(had, k, k+1)
		} else if wanted.ID != nil {
			p.add(where+".id", "is no reminder of yours of this task; leave it out to add one")
			continue
		} else {
			r.ID = uuid.Must(uuid.NewV7())
		}
		r.Ordinal, r.At, r.BeforeDue = i, at, before
		t.Reminders = append(t.Reminders, r)
	}
	if len(t.Reminders) > maxReminders {
		p.add("reminders", fmt.Sprintf("there can be %d", maxReminders))
	}
	if t.Reminders = append(t.Reminders, others...); len(t.Reminders) > maxRemindersOfAll {
		p.add("reminders", fmt.Sprintf("there can be %d of all members together", maxRemindersOfAll))
	}
}

// arm works out when each reminder is to fire. A reminder whose time moved is
// armed anew. Of those whose new time has already passed the latest fires, at
// once, and the others are passed over: one request is at most one reminder of
// the past. So are all but the first of one moment, which would say the same twice. Each
// member's count for themselves.
// A task that is done reminds of nothing, and when it is reopened only what still
// lies ahead is armed again.
func (t *Task) arm(before *Task, now time.Time) error {
	type moment struct {
		of uuid.UUID
		at int64
	}
	latest := map[uuid.UUID]*Reminder{} // of those that are past and were set or moved now
	moments := map[moment]bool{}
	for i := range t.Reminders {
		r := &t.Reminders[i]
		of, was := r.Of(t), r.RemindAt
		r.RemindAt = r.At
		if r.BeforeDue != nil {
			r.RemindAt = nil
			if t.DueAt != nil {
				at, err := recurrence.RemindAt(*t.DueAt, t.Timezone, *r.BeforeDue)
				if err != nil {
					return fmt.Errorf("work out a reminder's time: %w", err)
				}
				at = at.UTC()
				r.RemindAt = &at
			}
		}
		if t.reminded != nil && r.RemindAt != nil && !r.RemindAt.After(*t.reminded) {
			r.Armed, r.PassedFor = false, r.RemindAt
			continue
		}
		moved := !equalTime(was, r.RemindAt)
		if moved {
			r.PassedFor = nil
		}
		if r.RemindAt != nil && moments[moment{of, r.RemindAt.UnixMicro()}] {
			// Until the other one is moved or taken away.
			r.Armed, r.PassedFor = false, r.RemindAt
			continue
		}
		if r.RemindAt != nil {
			moments[moment{of, r.RemindAt.UnixMicro()}] = true
		}
		switch {
		case t.IsComplete || r.RemindAt == nil:
			r.Armed = false
		case equalTime(r.FiredFor, r.RemindAt):
			r.Armed = false
		case !moved && !r.Armed:
			// The task is open again, or no other reminder is of this moment any more.
			r.PassedFor = nil
			if r.Armed = r.RemindAt.After(now); !r.Armed {
				r.PassedFor = r.RemindAt
			}
		case moved:
			r.Armed = true
			if r.RemindAt.After(now) {
				continue
			}
			passed := latest[of]
			if passed == nil || r.RemindAt.After(*passed.RemindAt) {
				latest[of] = r
			} else {
				passed = r
			}
			if passed != nil {
				passed.Armed, passed.PassedFor = false, passed.RemindAt
			}
		}
	}
	return nil
}

// same says whether both are stored alike. A time that was read is in another
// location than one that was worked out, so it is compared as a moment.
func (r Reminder) same(b Reminder) bool {
	times := equalTime(r.At, b.At) && equalTime(r.RemindAt, b.RemindAt) && equalTime(r.FiredFor, b.FiredFor)
	before := equal(r.BeforeDue, b.BeforeDue)
	r.At, r.RemindAt, r.FiredFor, r.BeforeDue = b.At, b.RemindAt, b.FiredFor, b.BeforeDue
	return times && before && r == b
}

func equal[T comparable](a, b *T) bool {
	return a == b || a != nil && b != nil && *a == *b
}

func equalTime(a, b *time.Time) bool {
	return a == b || a != nil && b != nil && a.Equal(*b)
}
