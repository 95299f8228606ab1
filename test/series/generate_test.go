package series

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

var (
	zones = []string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland", "America/Santiago", "Asia/Tokyo"}
	rules = []string{
		"FREQ=DAILY", "FREQ=DAILY", "FREQ=DAILY;INTERVAL=3", "FREQ=DAILY;INTERVAL=5", "FREQ=WEEKLY", "FREQ=WEEKLY;BYDAY=MO,TH", "FREQ=WEEKLY;INTERVAL=2",
		"FREQ=MONTHLY", "FREQ=MONTHLY;BYMONTHDAY=31", "FREQ=MONTHLY;BYDAY=-1FR",
	}
	clocks = []string{"09:00", "09:00", "02:30", "00:00", "23:30"}
	shifts = []string{"-48h", "-24h", "-1h", "1h", "3h30m", "24h", "36h", "168h", "720h"}
)

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

func chance(r *rand.Rand, percent float64) bool { return r.Float64()*100 < percent }

// randomRule is one of a task that is due in so many days.
func randomRule(r *rand.Rand, due int) string {
	rule := pick(r, rules)
	switch {
	case chance(r, 35):
		rule += fmt.Sprintf(";COUNT=%d", 1+r.IntN(6))
	case chance(r, 25):
		rule += fmt.Sprintf(";UNTIL=%dd", due+1+r.IntN(60))
	}
	return rule
}

func randomSeries(r *rand.Rand) string {
	due := r.IntN(60) - 40
	return fmt.Sprintf("rule=%s due=%dd%s", randomRule(r, due), due, pick(r, clocks))
}

// first is the step that every sequence begins with.
func first(r *rand.Rand) string {
	words := []string{"create", randomSeries(r), "zone=" + pick(r, zones)}
	option := func(percent float64, word string) {
		if chance(r, percent) {
			words = append(words, word)
		}
	}
	option(25, "basis=completion")
	option(25, "missed=all")
	option(15, "month_end=skip")
	option(15, "dst_gap=skip")
	option(25, "allday")
	option(30, "reminder=PT15M")
	return strings.Join(words, " ")
}

// subtasks are the steps that make the subtasks.
func subtasks(r *rand.Rand) []string {
	var lines []string
	for range r.IntN(3) {
		line := "subtask A1"
		if chance(r, 40) {
			line += " " + randomSeries(r)
		}
		lines = append(lines, line)
	}
	return lines
}

// propose is a step that could come next.
func (q *sequence) propose(r *rand.Rand) string {
	switch {
	case chance(r, 0.05):
		return pick(r, []string{"kill recurring-task", "kill task-api"})
	case chance(r, 0.05):
		return "crash " + q.proposeChange(r)
	case chance(r, 4) && len(q.waiting) > 0:
		return q.proposeChange(r) + " || deliver " + pick(r, q.waiting).name
	case chance(r, 50):
		if line := q.proposeDelivery(r); line != "" {
			return line
		}
	}
	return q.proposeChange(r)
}

func (q *sequence) proposeDelivery(r *rand.Rand) string {
	if len(q.handled) > 0 && chance(r, 8) {
		return "deliver " + pick(r, q.handled).name
	}
	if len(q.waiting) == 0 {
		return ""
	}
	one := pick(r, q.waiting).name
	if chance(r, 40) {
		one = q.waiting[0].name
	}
	switch {
	case chance(r, 8):
		return "twice " + one
	case chance(r, 10):
		return "deliver lost " + one
	case chance(r, 6):
		return "deliver refused " + one
	case chance(r, 0.3):
		return "deliver killed " + one
	case chance(r, 35):
		some := make([]string, 0, len(q.waiting))
		for _, e := range q.waiting {
			some = append(some, e.name)
		}
		some = some[:min(len(some), 2+r.IntN(6))]
		if chance(r, 40) {
			r.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
		}
		if chance(r, 20) {
			some = append(some, some[0])
		}
		return "deliver " + strings.Join(some, " ")
	case chance(r, 15):
		return "drain"
	}
	return "deliver " + one
}

func (q *sequence) proposeChange(r *rand.Rand) string {
	standing := q.model.standing()
	if len(standing) == 0 {
		return "drain"
	}
	t := pick(r, standing)
	if chance(r, 60) {
		for _, o := range standing { // the latest that is open
			if o.recurs() && !o.IsComplete {
				t = o
			}
		}
	}
	if t.IsComplete && chance(r, 60) {
		return pick(r, []string{"reopen ", "reopen ", "delete ", "complete "}) + t.name
	}
	switch n := r.IntN(100); {
	case n < 42:
		return "complete " + t.name
	case n < 52:
		return "skip " + t.name
	case n < 57:
		return "delete " + t.name
	case n < 62:
		return "touch " + t.name
	case n < 68:
		return "due " + t.name + " " + pick(r, shifts)
	case n < 75:
		return "following " + t.name + " " + pick(r, shifts)
	case n < 80:
		return "rule " + t.name + " " + randomRule(r, r.IntN(40)-20)
	case n < 83:
		return "policy " + t.name + " " + pick(r, []string{"basis=completion", "basis=due"})
	case n < 87:
		return "policy " + t.name + " " + pick(r, []string{"missed=all", "missed=collapse", "dst_gap=skip", "month_end=skip"})
	case n < 88:
		return "norule " + t.name
	case n < 93:
		return "zone " + t.name + " " + pick(r, zones)
	case n < 96:
		return "allday " + t.name + " " + pick(r, []string{"on", "off"})
	case n < 97 && t.ParentID == nil:
		return "subtask " + t.name
	}
	return "reopen " + t.name
}
