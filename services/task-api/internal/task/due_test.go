package task

import (
	"bytes"
	"cmp"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
	"github.com/taskwire/taskwire/services/task-api/internal/search"
)

// is makes it a moment for the store of an account.
func (a account) is(now time.Time) { a.Changes.Now = func() time.Time { return now } }

// inZone is a new user in a zone.
func inZone(t testing.TB, s *Store, zone string) account {
	a := newAccount(t, s)
	_, err := s.DB.NewRaw("INSERT INTO task.users (id, email, timezone, created_at, updated_at) VALUES (?, '', ?, now(), now())", a.id, zone).Exec(a.ctx)
	require.NoError(t, err)
	return a
}

func TestDaysAreThoseOfTheZone(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	const day, µs = 24 * time.Hour, time.Microsecond
	type due struct {
		at     string
		plus   time.Duration
		allDay string // the zone of an all-day task
	}
	for name, c := range map[string]struct {
		zone, now string
		tasks     map[string]due      // by name
		want      map[string][]string // the names, by Due
	}{
		"UTC, at a time": {
			"UTC", "2026-06-10T12:00:00Z",
			map[string]due{
				"yesterday's last": {"2026-06-10T00:00:00Z", -µs, ""}, "today's first": {"2026-06-10T00:00:00Z", 0, ""},
				"just past": {"2026-06-10T12:00:00Z", -µs, ""}, "now": {"2026-06-10T12:00:00Z", 0, ""}, "today's last": {"2026-06-11T00:00:00Z", -µs, ""},
				"tomorrow's first": {"2026-06-11T00:00:00Z", 0, ""}, "tomorrow's last": {"2026-06-12T00:00:00Z", -µs, ""},
				"the week's last": {"2026-06-17T00:00:00Z", -µs, ""}, "behind it": {"2026-06-17T00:00:00Z", 0, ""},
			},
			map[string][]string{
				DueOverdue: {"yesterday's last", "today's first", "just past"}, DueToday: {"today's first", "just past", "now", "today's last"},
				DueTomorrow: {"tomorrow's first", "tomorrow's last"},
				DueWeek:     {"today's first", "just past", "now", "today's last", "tomorrow's first", "tomorrow's last", "the week's last"},
			},
		},
		"UTC, all day": {
			"UTC", "2026-06-10T23:59:59Z",
			map[string]due{
				"yesterday": {"2026-06-09T00:00:00Z", 0, "UTC"}, "today": {"2026-06-10T00:00:00Z", 0, "UTC"}, "tomorrow": {"2026-06-11T00:00:00Z", 0, "UTC"},
				"last": {"2026-06-16T00:00:00Z", 0, "UTC"}, "behind": {"2026-06-17T00:00:00Z", 0, "UTC"},
			},
			map[string][]string{DueOverdue: {"yesterday"}, DueToday: {"today"}, DueTomorrow: {"tomorrow"}, DueWeek: {"today", "tomorrow", "last"}},
		},
		// Both ends of the world: where it is the 10th in Chicago, it is the 11th in Auckland.
		"a user in the west and tasks in the east": {
			"America/Chicago", "2026-06-10T20:00:00-05:00",
			map[string]due{
				"Auckland's 9th": {"2026-06-09T00:00:00Z", 0, "Pacific/Auckland"}, "Auckland's 10th": {"2026-06-10T00:00:00Z", 0, "Pacific/Auckland"},
				"Auckland's 11th": {"2026-06-11T00:00:00Z", 0, "Pacific/Auckland"}, "Kiritimati's 10th": {"2026-06-10T00:00:00Z", 0, "Pacific/Kiritimati"},
				"Kiritimati's 16th": {"2026-06-16T00:00:00Z", 0, "Pacific/Kiritimati"}, "Kiritimati's 17th": {"2026-06-17T00:00:00Z", 0, "Pacific/Kiritimati"},
				"noon in Auckland": {"2026-06-11T12:00:00+12:00", 0, ""}, "the last": {"2026-06-11T00:00:00-05:00", -µs, ""}, "the first of the 11th": {"2026-06-11T00:00:00-05:00", 0, ""},
			},
			map[string][]string{
				DueOverdue: {"Auckland's 9th", "noon in Auckland"}, DueToday: {"Auckland's 10th", "Kiritimati's 10th", "noon in Auckland", "the last"},
				DueTomorrow: {"Auckland's 11th", "the first of the 11th"},
				DueWeek:     {"Auckland's 10th", "Auckland's 11th", "Kiritimati's 10th", "Kiritimati's 16th", "noon in Auckland", "the last", "the first of the 11th"},
			},
		},
		"a user in the east and tasks in the west": {
			"Pacific/Auckland", "2026-06-11T08:00:00+12:00",
			map[string]due{
				"Chicago's 10th": {"2026-06-10T00:00:00Z", 0, "America/Chicago"}, "Chicago's 11th": {"2026-06-11T00:00:00Z", 0, "America/Chicago"},
				"Pago Pago's 11th": {"2026-06-11T00:00:00Z", 0, "Pacific/Pago_Pago"}, "Pago Pago's 12th": {"2026-06-12T00:00:00Z", 0, "Pacific/Pago_Pago"},
				"Pago Pago's 17th": {"2026-06-17T00:00:00Z", 0, "Pacific/Pago_Pago"}, "Pago Pago's 18th": {"2026-06-18T00:00:00Z", 0, "Pacific/Pago_Pago"},
				"the first": {"2026-06-11T00:00:00+12:00", 0, ""}, "before it": {"2026-06-11T00:00:00+12:00", -µs, ""},
			},
			map[string][]string{
				DueOverdue: {"Chicago's 10th", "the first", "before it"}, DueToday: {"Chicago's 11th", "Pago Pago's 11th", "the first"},
				DueTomorrow: {"Pago Pago's 12th"}, DueWeek: {"Chicago's 11th", "Pago Pago's 11th", "Pago Pago's 12th", "Pago Pago's 17th", "the first"},
			},
		},
		// Now is later than any zone's beginning of the day.
		"an evening in the far west": {
			"Etc/GMT+12", "2026-06-10T23:00:00-12:00",
			map[string]due{
				"an hour ago": {"2026-06-10T22:00:00-12:00", 0, ""}, "in half an hour": {"2026-06-10T23:30:00-12:00", 0, ""},
				"the 10th": {"2026-06-10T00:00:00Z", 0, "Pacific/Kiritimati"}, "the 11th, begun there": {"2026-06-11T00:00:00Z", 0, "Pacific/Kiritimati"},
			},
			map[string][]string{
				DueOverdue: {"an hour ago"}, DueToday: {"an hour ago", "in half an hour", "the 10th"}, DueTomorrow: {"the 11th, begun there"},
				DueWeek: {"an hour ago", "in half an hour", "the 10th", "the 11th, begun there"},
			},
		},
		"a quarter hour in Kathmandu": {
			"Asia/Kathmandu", "2026-06-10T00:00:00+05:45",
			map[string]due{
				"last": {"2026-06-09T18:15:00Z", -µs, ""}, "first": {"2026-06-09T18:15:00Z", 0, ""}, "tomorrow": {"2026-06-10T18:15:00Z", 0, ""},
				"the 9th": {"2026-06-09T00:00:00Z", 0, "Asia/Kathmandu"}, "the 10th": {"2026-06-10T00:00:00Z", 0, "Asia/Kathmandu"},
			},
			map[string][]string{DueOverdue: {"last", "the 9th"}, DueToday: {"first", "the 10th"}, DueTomorrow: {"tomorrow"}, DueWeek: {"first", "tomorrow", "the 10th"}},
		},
		"a day of 23 hours": {
			"America/Chicago", "2026-03-08T00:30:00-06:00",
			map[string]due{
				"first": {"2026-03-08T00:00:00-06:00", 0, ""}, "last": {"2026-03-09T00:00:00-05:00", -µs, ""}, "tomorrow": {"2026-03-09T00:00:00-05:00", 0, ""},
				"the 8th": {"2026-03-08T00:00:00Z", 0, "America/Chicago"}, "the 9th": {"2026-03-09T00:00:00Z", 0, "America/Chicago"},
			},
			map[string][]string{DueOverdue: {"first"}, DueToday: {"first", "last", "the 8th"}, DueTomorrow: {"tomorrow", "the 9th"}, DueWeek: {"first", "last", "tomorrow", "the 8th", "the 9th"}},
		},
		"a day of 25 hours": {
			"America/Chicago", "2026-11-01T23:30:00-06:00",
			map[string]due{
				"first": {"2026-11-01T00:00:00-05:00", 0, ""}, "last": {"2026-11-02T00:00:00-06:00", -µs, ""}, "tomorrow": {"2026-11-02T00:00:00-06:00", 0, ""},
				"the 1st": {"2026-11-01T00:00:00Z", 0, "America/Chicago"}, "the 2nd": {"2026-11-02T00:00:00Z", 0, "America/Chicago"},
			},
			map[string][]string{DueOverdue: {"first"}, DueToday: {"first", "last", "the 1st"}, DueTomorrow: {"tomorrow", "the 2nd"}, DueWeek: {"first", "last", "tomorrow", "the 1st", "the 2nd"}},
		},
		"a day without midnight": {
			"America/Santiago", "2026-09-06T12:00:00-03:00",
			map[string]due{
				"last of the 5th": {"2026-09-06T01:00:00-03:00", -µs, ""}, "first": {"2026-09-06T01:00:00-03:00", 0, ""},
				"the 5th": {"2026-09-05T00:00:00Z", 0, "America/Santiago"}, "the 6th": {"2026-09-06T00:00:00Z", 0, "America/Santiago"}, "the 7th": {"2026-09-07T00:00:00Z", 0, "America/Santiago"},
			},
			map[string][]string{DueOverdue: {"last of the 5th", "the 5th", "first"}, DueToday: {"first", "the 6th"}, DueTomorrow: {"the 7th"}, DueWeek: {"first", "the 6th", "the 7th"}},
		},
		// Apia went from the end of the 29th to the beginning of the 31st.
		"a date that was left out": {
			"Pacific/Apia", "2011-12-31T08:00:00+14:00",
			map[string]due{
				"last of the 29th": {"2011-12-30T10:00:00Z", -µs, ""}, "first of the 31st": {"2011-12-30T10:00:00Z", 0, ""},
				"Apia's 29th": {"2011-12-29T00:00:00Z", 0, "Pacific/Apia"}, "Apia's 31st": {"2011-12-31T00:00:00Z", 0, "Pacific/Apia"},
				"Auckland's 30th": {"2011-12-30T00:00:00Z", 0, "Pacific/Auckland"}, "Auckland's 31st": {"2011-12-31T00:00:00Z", 0, "Pacific/Auckland"}, "Auckland's 1st": {"2012-01-01T00:00:00Z", 0, "Pacific/Auckland"},
			},
			map[string][]string{
				DueOverdue: {"last of the 29th", "first of the 31st", "Apia's 29th", "Auckland's 30th"}, DueToday: {"first of the 31st", "Apia's 31st", "Auckland's 31st"},
				DueTomorrow: {"Auckland's 1st"}, DueWeek: {"first of the 31st", "Apia's 31st", "Auckland's 31st", "Auckland's 1st"},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, elsewhere := inZone(t, s, c.zone), newAccount(t, s)
			a.is(*at(c.now))
			for _, who := range []account{a, elsewhere} {
				who.create(Draft{Title: "undated"})
				for name, d := range c.tasks {
					due := at(d.at).Add(d.plus)
					who.create(Draft{Title: name, DueAt: &due, AllDay: d.allDay != "", Timezone: d.allDay})
					who.create(Draft{Title: "done", DueAt: &due, AllDay: d.allDay != "", Timezone: d.allDay, IsComplete: true})
				}
			}
			c.want[DueNone] = []string{"undated"}
			for _, due := range dues {
				require.ElementsMatch(t, c.want[due], a.titles(Query{Due: due}), due)
				require.ElementsMatch(t, c.want[due], elsewhere.titles(Query{Due: due, Timezone: c.zone, IsComplete: ptr(false)}), "%s, of a user elsewhere", due)
			}
		})
	}
}

// Any days of any zone, beside other filters and in every order, answer what reading
// all tasks and their dates would.
func TestEveryDueListIsWhatReadingAllWouldAnswer(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	zones := []string{
		"UTC", "Pacific/Auckland", "America/Chicago", "Asia/Kathmandu", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Etc/GMT+12",
		"Pacific/Chatham", "America/Santiago", "Europe/Berlin", "Africa/Cairo", "Australia/Lord_Howe", "Asia/Tehran", "Pacific/Apia",
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	// Days with and without a change of clocks in one zone or the other.
	for _, base := range []string{"2026-06-10T00:00:00Z", "2026-03-29T00:00:00Z", "2026-09-06T00:00:00Z", "2011-12-30T00:00:00Z"} {
		a := inZone(t, s, zones[random.IntN(len(zones))])
		for i := range 150 {
			d := Draft{
				Title: []string{"b", "A", "c"}[random.IntN(3)] + strings.Repeat("x", i), IsComplete: random.IntN(6) == 0, AllDay: random.IntN(2) == 0,
				Timezone: zones[random.IntN(len(zones))], Priority: []string{"low", "none", "urgent"}[random.IntN(3)], Tags: []string{"even", "odd"}[i%2 : i%2+1],
			}
			if random.IntN(8) > 0 {
				// Half of them at an hour, where days begin.
				due := at(base).Add(time.Duration(random.IntN(24*14)-24*4) * time.Hour)
				if random.IntN(2) == 0 {
					due = due.Add(time.Duration(random.Int64N(int64(2*time.Hour))) - time.Hour)
				}
				d.DueAt = &due
			}
			a.create(d)
		}
		var all []*Task
		require.NoError(t, s.DB.NewSelect().Model(&all).Where("user_id = ?", a.id).Scan(t.Context()))
		for range 40 {
			now := at(base).Add(time.Duration(random.IntN(24*4)-24) * time.Hour).Add([]time.Duration{0, -time.Microsecond, 17 * time.Minute}[random.IntN(3)])
			a.is(now)
			in := Query{Due: dues[random.IntN(len(dues))], Sort: []string{"", "-"}[random.IntN(2)] + orders[random.IntN(len(orders))], Limit: 1 + random.IntN(20)}
			zone := zones[random.IntN(len(zones))]
			if in.Timezone = zone; random.IntN(4) == 0 {
				in.Timezone = ""
				_, err := s.DB.NewRaw("UPDATE task.users SET timezone = ? WHERE id = ?", zone, a.id).Exec(t.Context())
				require.NoError(t, err)
			}
			switch random.IntN(5) {
			case 0:
				in.Priorities = []string{"low", "urgent"}
			case 1:
				in.Tags = []string{"odd"}
			case 2:
				in.DueAfter = at(base)
			case 3:
				in.Text, in.TopLevel = "X", true
			}
			var want []*Task
			for _, task := range all {
				if !task.IsComplete && dueThen(t, task, in.Due, now, zone) &&
					(in.Priorities == nil || task.Priority > 0) && (in.Tags == nil || task.Tags[0] == "odd") &&
					(in.DueAfter == nil || task.DueAt != nil && !task.DueAt.Before(*in.DueAfter)) && strings.Contains(strings.ToUpper(task.Title), in.Text) {
					want = append(want, task)
				}
			}
			column, descending := strings.CutPrefix(in.Sort, "-")
			slices.SortFunc(want, func(x, y *Task) int {
				order := cmp.Or(compare(column, x, y), bytes.Compare(x.ID[:], y.ID[:]))
				if descending {
					return -order
				}
				return order
			})
			titles := []string{}
			for _, task := range want {
				titles = append(titles, task.Title)
			}
			require.Equal(t, titles, a.titles(in), "%+v at %s in %s", in, now, zone)
		}
	}
}

// dueThen says by the dates themselves what a list narrowed to some days has.
func dueThen(t *testing.T, task *Task, due string, now time.Time, zone string) bool {
	if task.DueAt == nil || due == DueNone {
		return task.DueAt == nil && due == DueNone
	}
	load := func(name string) *time.Location {
		loc, err := time.LoadLocation(name)
		require.NoError(t, err)
		return loc
	}
	today, date := now.In(load(zone)), task.DueAt.In(load(zone)).Format(time.DateOnly)
	if task.AllDay {
		date = task.DueAt.In(load(task.Timezone)).Format(time.DateOnly)
	}
	on := func(days int) string {
		return time.Date(today.Year(), today.Month(), today.Day()+days, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
	}
	switch {
	case due == DueOverdue && task.AllDay:
		return date < on(0)
	case due == DueOverdue:
		return task.DueAt.Before(now)
	case due == DueToday:
		return date == on(0)
	case due == DueTomorrow:
		return date == on(1)
	default:
		return date >= on(0) && date <= on(6)
	}
}

func compare(column string, x, y *Task) int {
	switch column {
	case "created_at":
		return x.CreatedAt.Compare(y.CreatedAt)
	case "updated_at":
		return x.UpdatedAt.Compare(y.UpdatedAt)
	case "due_at":
		if x.DueAt == nil || y.DueAt == nil {
			return 0 // none of the list has one
		}
		return x.DueAt.Compare(*y.DueAt)
	case "priority":
		return cmp.Compare(x.Priority, y.Priority)
	case "position":
		return cmp.Compare(x.Position, y.Position)
	default:
		return bytes.Compare(search.TitleKey(x.Title), search.TitleKey(y.Title))
	}
}

// The due times in the index tell of all tasks but those near midnight.
func TestADueListReadsFewTasks(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	const tasks, limit = 4000, 5
	a := many(t, s, tasks)
	// One is due each hour, in an order that follows no other; every second is for all day.
	_, err := s.DB.NewRaw(`UPDATE task.tasks t SET is_complete = false, all_day = n % 2 = 0, timezone = (ARRAY['UTC', 'Pacific/Auckland', 'America/Chicago'])[n % 3 + 1],
			due_at = CASE WHEN n % 5 > 0 THEN timestamptz '2027-01-01' + n * interval '1 hour' END
		FROM (SELECT id, row_number() OVER (PARTITION BY user_id ORDER BY id) AS n FROM task.tasks) numbered WHERE numbered.id = t.id`).Exec(t.Context())
	require.NoError(t, err)
	a.tidy()
	a.is(*at("2027-03-25T12:00:00Z"))
	hook := &plans{}
	s.DB = s.DB.WithQueryHook(hook)
	for _, due := range dues {
		for _, sort := range []string{"created_at", "-created_at", "updated_at", "due_at", "-due_at", "priority", "-title", "position"} {
			in := Query{Due: due, Sort: sort, Limit: limit}
			for page := range 2 {
				hook.statements = nil
				_, next := a.page(in)
				var visited float64
				for _, statement := range hook.statements {
					plan := planOf(t, s, statement)
					_, whole := plan.read()
					require.False(t, whole, "%s by %s reads a whole table: %s", due, sort, statement)
					visited += plan.visited()
				}
				// What is due in a week is walked to in the order of titles, which
				// the index of due times lacks.
				require.LessOrEqual(t, visited, float64(60*limit), "%s by %s, page %d: %s", due, sort, page, strings.Join(hook.statements, "\n"))
				in.Cursor = *next
			}
		}
	}
}

// A page that is asked for after midnight is one of the new day.
func TestADueListGoesOnWithTheDay(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	a := inZone(t, s, "Europe/Berlin")
	for _, hour := range []string{"2026-06-10T08:00:00+02:00", "2026-06-10T09:00:00+02:00", "2026-06-11T08:00:00+02:00", "2026-06-11T10:00:00+02:00"} {
		a.create(Draft{Title: hour, DueAt: at(hour)})
	}
	a.is(*at("2026-06-10T23:59:59+02:00"))
	in := Query{Due: DueToday, Sort: "due_at", Limit: 1}
	_, next := a.page(in)
	a.is(*at("2026-06-11T00:00:00+02:00"))
	in.Cursor = *next
	require.Equal(t, []string{"2026-06-11T08:00:00+02:00", "2026-06-11T10:00:00+02:00"}, a.titles(in))
	// Behind any place of a due time are the tasks without one.
	a.create(Draft{Title: "undated"})
	in.Due = DueNone
	require.Equal(t, []string{"undated"}, a.titles(in))
}

// Zones come and go, and what is stored was known to whoever stored it.
func TestAZoneThatIsNotKnownIsTakenForUTC(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	a := inZone(t, s, "Mars/Olympus")
	a.is(*at("2026-06-10T12:00:00Z"))
	a.create(Draft{Title: "all day", Timezone: "UTC", AllDay: true, DueAt: at("2026-06-10T00:00:00Z")})
	a.create(Draft{Title: "timed", Timezone: "UTC", DueAt: at("2026-06-10T23:00:00Z")})
	_, err := s.DB.NewRaw("UPDATE task.tasks SET timezone = 'Mars/Olympus' WHERE user_id = ?", a.id).Exec(t.Context())
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"all day", "timed"}, a.titles(Query{Due: DueToday}))
	require.Empty(t, a.titles(Query{Due: DueOverdue}))
}

func TestADueListThatCanNotBeIsRefused(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	a := newAccount(t, s)
	for name, c := range map[string]struct {
		in     Query
		fields []string
	}{
		"another day":          {Query{Due: "yesterday"}, []string{"due"}},
		"complete tasks":       {Query{Due: DueNone, IsComplete: ptr(true)}, []string{"is_complete"}},
		"no zone":              {Query{Due: DueToday, Timezone: "Mars/Olympus"}, []string{"timezone"}},
		"a zone of a machine":  {Query{Due: DueToday, Timezone: "Local"}, []string{"timezone"}},
		"no zone, for nothing": {Query{Timezone: "UTC+25"}, []string{"timezone"}},
		"all at once":          {Query{Due: "x", Timezone: "x", IsComplete: ptr(true)}, []string{"due", "is_complete", "timezone"}},
	} {
		c.in.Sort, c.in.Limit = "due_at", 1
		_, err := a.List(t.Context(), a.actor, c.in)
		var no *refuse.Error
		require.ErrorAs(t, err, &no, name)
		var fields []string
		for _, f := range no.Fields {
			fields = append(fields, f.Name)
		}
		require.Equal(t, c.fields, fields, name)
	}
}
