package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
)

// laws makes a time zone database of made-up laws (POSIX TZ, by zone) and returns the
// setting that has a process look there first.
func laws(t *testing.T, rules map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for zone, rule := range rules {
		// TZif (RFC 9636) without a single listed change: the rule alone is the zone.
		const name = "LMT\x00"
		file := append([]byte("TZif2"), make([]byte, 15+6*4)...)
		file = append(file, "TZif2"...)
		file = append(file, make([]byte, 15+4*4)...)
		file = binary.BigEndian.AppendUint32(file, 1) // one type of local time
		file = binary.BigEndian.AppendUint32(file, uint32(len(name)))
		file = append(file, 0, 0, 0, 0, 0, 0) // at UTC, no summer time, the first name
		file = append(file, name+"\n"+rule+"\n"...)
		path := filepath.Join(dir, filepath.FromSlash(zone))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, file, 0o600))
	}
	return "ZONEINFO=" + dir
}

const european = "CET-1CEST,M3.5.0,M10.5.0/3"

var (
	oldLaws = map[string]string{
		"Europe/Berlin": european, "Europe/Paris": european, "Europe/Madrid": european, "Europe/Oslo": european,
		"Europe/Rome": "AAA-1", "Europe/Vienna": "AAA-1",
	}
	newLaws = map[string]string{
		"Europe/Berlin": "CET-1",                        // no summer time any more
		"Europe/Paris":  "CET-1CEST,M4.1.0,M11.1.0/3",   // a week later both ways
		"Europe/Madrid": "EET-2EEST,M3.5.0/3,M10.5.0/4", // an hour further east
		"Europe/Oslo":   european,
		"Europe/Rome":   "AAA-2",
		"Europe/Vienna": "AAA0",
	}
)

// under is the service with other laws, for its commands.
func (s *running) under(law string) *running {
	other := *s
	other.env = append(append([]string{}, s.env...), law)
	return &other
}

// wall is what the store knows of a task's due time.
func (s *running) wall(id uuid.UUID) string {
	s.t.Helper()
	var wall string
	require.NoError(s.t, s.db.NewRaw("SELECT coalesce(due_wall, '') FROM task.tasks WHERE id = ?", id).Scan(s.t.Context(), &wall))
	return wall
}

func (s *running) position() (last int64) {
	s.t.Helper()
	require.NoError(s.t, s.db.NewRaw("SELECT coalesce(max(position), 0) FROM task.events").Scan(s.t.Context(), &last))
	return last
}

func moments(reminders []event.Reminder) []string {
	out := []string{}
	for _, r := range reminders {
		if r.At != nil {
			out = append(out, r.At.Format(time.RFC3339))
		} else {
			out = append(out, r.BeforeDue)
		}
	}
	return out
}

// Of new laws of a zone only what shows another time on the wall is moved, and that to
// the time that was meant.
func TestNewLawsMoveWhatLiesAhead(t *testing.T) {
	t.Parallel()
	s := start(t, laws(t, oldLaws))
	u := s.newUser()
	type kase struct {
		name      string
		task      object
		prepare   func(id uuid.UUID)
		due       string // afterwards; "" where it stays
		reminders []string
		fireAt    []string // the moments that wait
		wall      string
	}
	daily := object{"rrule": "FREQ=DAILY"}
	sql := func(statement string) func(uuid.UUID) {
		return func(id uuid.UUID) { s.execute(statement, id) }
	}
	cases := []kase{
		{name: "in summer", task: object{"due_at": "2090-07-01T09:00:00.123456+02:00", "timezone": "Europe/Berlin"},
			due: "2090-07-01T08:00:00.123456Z", wall: "2090-07-01T09:00:00.123456+01:00[Europe/Berlin]"},
		{name: "in winter, where nothing changes", task: object{"due_at": "2090-01-15T09:00:00+01:00", "timezone": "Europe/Berlin"}},
		{name: "written in UTC", task: object{"due_at": "2090-07-01T07:00:00Z", "timezone": "Europe/Berlin"}, due: "2090-07-01T08:00:00Z"},
		{name: "in a zone whose laws stay", task: object{"due_at": "2090-07-01T09:00:00+09:00", "timezone": "Asia/Tokyo"}},
		{name: "all day", task: object{"due_at": "2090-07-01T00:00:00+02:00", "all_day": true, "timezone": "Europe/Berlin"},
			due: "2090-06-30T23:00:00Z", wall: "2090-07-01T00:00:00+01:00[Europe/Berlin]"},
		{name: "all day, earlier", task: object{"due_at": "2090-01-15T00:00:00Z", "all_day": true, "timezone": "Europe/Madrid"}, due: "2090-01-14T22:00:00Z"},
		{name: "into a gap", task: object{"due_at": "2090-04-02T02:30:00+02:00", "timezone": "Europe/Paris"},
			due: "2090-04-02T01:30:00Z", wall: "2090-04-02T02:30:00+01:00[Europe/Paris]"},
		{name: "into an hour that comes twice: the first", task: object{"due_at": "2090-10-29T03:30:00+01:00", "timezone": "Europe/Madrid"},
			due: "2090-10-29T00:30:00Z"},
		{name: "in an hour that comes twice now: it stays", task: object{"due_at": "2090-11-05T02:30:00+01:00", "timezone": "Europe/Paris"}},
		{name: "in the second of an hour that came twice", task: object{"due_at": "2090-10-29T02:30:00+01:00", "timezone": "Europe/Paris"},
			due: "2090-10-29T00:30:00Z"},
		{name: "in the second of an hour that comes twice", task: object{"due_at": "2090-10-29T02:30:00+01:00", "timezone": "Europe/Oslo"}},
		{name: "complete", task: object{"due_at": "2090-07-01T09:00:00+02:00", "timezone": "Europe/Berlin", "is_complete": true}},
		{name: "past", task: object{"due_at": time.Now().Add(-time.Minute), "timezone": "Europe/Vienna"}},
		{name: "with reminders", task: object{"due_at": "2090-07-01T09:00:00+02:00", "timezone": "Europe/Berlin",
			"reminders": []object{{"before_due": "PT1H"}, {"at": "2090-06-30T18:00:00+02:00"}, {"at": "2090-02-01T08:00:00+01:00"}}},
			due: "2090-07-01T08:00:00Z", reminders: []string{"PT1H", "2090-06-30T17:00:00Z", "2090-02-01T07:00:00Z"},
			fireAt: []string{"2090-02-01T07:00:00Z", "2090-06-30T17:00:00Z", "2090-07-01T07:00:00Z"}},
		{name: "in winter, with a reminder in summer", task: object{"due_at": "2090-12-01T09:00:00+01:00", "timezone": "Europe/Berlin",
			"reminders": []object{{"at": "2090-09-01T08:00:00+02:00"}}},
			due: "2090-12-01T08:00:00Z", reminders: []string{"2090-09-01T07:00:00Z"}, fireAt: []string{"2090-09-01T07:00:00Z"}},
		{name: "without a due time, with a reminder", task: object{"timezone": "Europe/Berlin", "reminders": []object{{"at": "2090-09-01T08:00:00+02:00"}}},
			reminders: []string{"2090-09-01T07:00:00Z"}, fireAt: []string{"2090-09-01T07:00:00Z"}},
		{name: "past, with a reminder ahead", task: object{"due_at": time.Now().Add(-time.Minute), "timezone": "Europe/Berlin", "reminders": []object{{"at": "2090-09-01T08:00:00+02:00"}}},
			reminders: []string{"2090-09-01T07:00:00Z"}, fireAt: []string{"2090-09-01T07:00:00Z"}},
		{name: "recurring", task: object{"due_at": "2090-07-01T09:00:00+02:00", "timezone": "Europe/Berlin", "recurrence": daily}, due: "2090-07-01T08:00:00Z"},
		{name: "edited", task: object{"due_at": "2090-07-01T09:00:00+02:00", "timezone": "Europe/Berlin"},
			prepare: func(id uuid.UUID) {
				u.task(http.StatusOK, http.MethodPatch, at(id), object{"due_at": "2090-08-01T10:00:00+02:00", "timezone": "Europe/Madrid"})
			}, due: "2090-08-01T07:00:00Z"},
		{name: "of a version that did not know", task: object{"due_at": "2090-07-01T09:00:00+02:00", "timezone": "Europe/Berlin"},
			prepare: sql("UPDATE task.tasks SET due_wall = NULL WHERE id = ?"), wall: "2090-07-01T08:00:00+01:00[Europe/Berlin]"},
		{name: "moved by a version that did not know", task: object{"due_at": "2090-07-01T09:00:00+02:00", "timezone": "Europe/Berlin"},
			prepare: sql("UPDATE task.tasks SET due_at = '2090-12-01 08:00Z' WHERE id = ?"), wall: "2090-12-01T09:00:00+01:00[Europe/Berlin]"},
		{name: "brought to another zone by a version that did not know", task: object{"due_at": "2090-07-01T09:00:00+02:00", "timezone": "Europe/Berlin"},
			prepare: sql("UPDATE task.tasks SET timezone = 'Asia/Tokyo' WHERE id = ?"), wall: "2090-07-01T16:00:00+09:00[Asia/Tokyo]"},
		{name: "of a version that did not know, its reminder", task: object{"timezone": "Europe/Berlin", "reminders": []object{{"at": "2090-09-01T08:00:00+02:00"}}},
			prepare: sql("UPDATE task.reminders SET at_wall = NULL WHERE task_id = ?"), fireAt: []string{"2090-09-01T06:00:00Z"}},
	}
	var before []event.Task
	for _, c := range cases {
		c.task["title"] = c.name
		task := u.create(c.task)
		if c.prepare != nil {
			c.prepare(task.ID)
			task = u.task(http.StatusOK, http.MethodGet, at(task.ID), nil)
		}
		before = append(before, task)
	}
	position := s.position()

	out, code := s.command("rezone")
	require.Zero(t, code, out)
	require.NotContains(t, out, "task ", "the same laws move nothing")
	require.Empty(t, s.toldSince(position))
	s.execute("UPDATE task.tasks SET due_wall = NULL WHERE title = 'of a version that did not know'")
	s.execute("UPDATE task.reminders SET at_wall = NULL WHERE task_id IN (SELECT id FROM task.tasks WHERE title = 'of a version that did not know, its reminder')")
	s.execute("UPDATE task.tasks SET due_wall = '2090-07-01T09:00:00+02:00[Europe/Berlin]' WHERE title LIKE '%by a version that did not know'")
	state := s.state()

	s = s.under(laws(t, newLaws))
	out, code = s.command("rezone", "--dry-run")
	require.Zero(t, code, out)
	require.Equal(t, state, s.state(), "a dry run writes nothing")
	require.Regexp(t, `(?m)^Europe/Berlin +5 +4 +3$`, out)
	require.Contains(t, out, fmt.Sprintf("task %s: due 2090-07-01T08:00:00Z instead of 2090-07-01T07:00:00Z\n", before[0].ID))
	require.Contains(t, out, "nothing was written\n")
	dry := out

	out, code = s.command("rezone")
	require.Zero(t, code, out)
	for _, line := range strings.Split(strings.TrimSuffix(dry, "nothing was written\n"), "\n") {
		if !strings.HasPrefix(line, "rezone: ") {
			require.Contains(t, out, line, "what was announced has happened")
		}
	}
	told := map[string][]told{}
	for _, e := range s.toldSince(position) {
		if e.Topic != event.TopicReminders {
			told[e.Key] = append(told[e.Key], e)
		}
	}
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			was := before[i]
			is := u.task(http.StatusOK, http.MethodGet, at(was.ID), nil)
			want := was
			if c.due != "" {
				due, err := time.Parse(time.RFC3339Nano, c.due)
				require.NoError(t, err)
				want.DueAt = &due
			}
			want.Reminders = is.Reminders
			if c.reminders != nil {
				require.Equal(t, c.reminders, moments(is.Reminders))
			} else {
				require.Equal(t, moments(was.Reminders), moments(is.Reminders))
			}
			if is.Version > was.Version {
				require.True(t, is.UpdatedAt.After(was.UpdatedAt))
				want.Version, want.UpdatedAt = was.Version+1, is.UpdatedAt
			}
			require.Equal(t, want, is, "nothing else")
			if moved := is.Version > was.Version; !moved {
				require.Empty(t, told[was.ID.String()])
			} else {
				require.Equal(t, []string{event.TaskUpdated, event.AuditPrefix + event.TaskUpdated}, types(told[was.ID.String()]))
			}
			if c.wall != "" {
				require.Equal(t, c.wall, s.wall(was.ID))
			}
			var waiting []string
			require.NoError(t, s.db.NewRaw(`SELECT to_char(remind_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"') FROM task.reminders
				WHERE task_id = ? AND armed ORDER BY remind_at`, was.ID).Scan(t.Context(), &waiting))
			require.Equal(t, c.fireAt, waiting)
		})
	}
	var audit event.AuditEvent
	require.NoError(t, json.Unmarshal([]byte(told[before[0].ID.String()][1].Data), &audit))
	require.Equal(t, []string{"due_at"}, audit.Changed)

	state = s.state()
	out, code = s.command("rezone")
	require.Zero(t, code, out)
	require.Regexp(t, `(?m)^all +0 +0 +0$`, out)
	require.Equal(t, state, s.state(), "a second run finds nothing to do")

	// The old laws again: everything is where it was, but for what is due the first time now.
	out, code = s.under(laws(t, oldLaws)).command("rezone")
	require.Zero(t, code, out)
	for i, c := range cases {
		if c.due != "" && !strings.Contains(c.name, "second") {
			require.Equal(t, before[i].DueAt, u.task(http.StatusOK, http.MethodGet, at(before[i].ID), nil).DueAt, c.name)
		}
	}
}

// A reminder fires once for each time on the wall that was meant, though the moment of it
// is another now.
func TestNewLawsFireNoReminderTwice(t *testing.T) {
	t.Parallel()
	s := start(t, laws(t, oldLaws))
	u := s.newUser()
	const earlier, later = "Europe/Rome", "Europe/Vienna" // by an hour
	now := time.Now()
	in := func(d time.Duration) string { return now.Add(d).UTC().Format(time.RFC3339) }
	cases := []struct {
		name, zone string
		reminders  []object
		fired      int // before
		fireNow    int // by the new laws
		waiting    int // afterwards
	}{
		{name: "fired long before", zone: earlier, reminders: []object{{"before_due": "PT2H"}}, fired: 1},
		{name: "fired long before, and due later", zone: later, reminders: []object{{"before_due": "PT48H"}}, fired: 1},
		{name: "fired, and ahead again", zone: later, reminders: []object{{"before_due": "PT2H"}}, fired: 1, waiting: 1},
		{name: "passed over", zone: later, reminders: []object{{"before_due": "PT48H"}, {"before_due": "PT72H"}}, fired: 1},
		{name: "ahead", zone: later, reminders: []object{{"before_due": "PT15M"}, {"at": in(80 * time.Minute)}}, waiting: 2},
		{name: "ahead, and past now", zone: earlier, reminders: []object{{"before_due": "PT45M"}}, fireNow: 1},
		{name: "several ahead, and past now", zone: earlier, reminders: []object{{"before_due": "PT45M"}, {"before_due": "PT50M"}, {"at": in(50 * time.Minute)}}, fireNow: 1},
		{name: "one that fired beside one that is past now", zone: earlier, reminders: []object{{"before_due": "PT2H"}, {"before_due": "PT45M"}}, fired: 1, fireNow: 1},
	}
	fired := func(id uuid.UUID) (n int) {
		require.NoError(t, s.db.NewRaw("SELECT count(*) FROM task.events WHERE topic = 'reminders' AND key = ?", id.String()).Scan(t.Context(), &n))
		return n
	}
	// settled waits until all that is due has fired, and says how many wait.
	settled := func(id uuid.UUID) (waiting int) {
		require.Eventually(t, func() bool {
			var due int
			err := s.db.NewRaw("SELECT count(*) FILTER (WHERE remind_at <= now()), count(*) FROM task.reminders WHERE task_id = ? AND armed", id).Scan(t.Context(), &due, &waiting)
			require.NoError(t, err)
			return due == 0
		}, patience+30*time.Second, 10*time.Millisecond)
		return waiting
	}
	ids := make([]uuid.UUID, len(cases))
	for i, c := range cases {
		ids[i] = u.create(object{"title": c.name, "due_at": in(90 * time.Minute), "timezone": c.zone, "reminders": c.reminders}).ID
		settled(ids[i])
		require.Equal(t, c.fired, fired(ids[i]), c.name)
	}
	out, code := s.under(laws(t, newLaws)).command("rezone")
	require.Zero(t, code, out)
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.waiting, settled(ids[i]))
			require.Equal(t, c.fired+c.fireNow, fired(ids[i]))
			u.task(http.StatusOK, http.MethodPatch, at(ids[i]), object{"title": "edited"})
			require.Equal(t, c.waiting, settled(ids[i]), "and an edit changes nothing in that")
			require.Equal(t, c.fired+c.fireNow, fired(ids[i]))
		})
	}
}

// Between an upgrade and the rezone users go on, and so does what follows.
func TestWhatIsMeantOutlivesAnEdit(t *testing.T) {
	t.Parallel()
	old, fresh := laws(t, oldLaws), laws(t, newLaws)
	s := start(t, old)
	u := s.newUser()
	timed := u.create(object{"title": "timed", "due_at": "2090-07-01T09:00:00+02:00", "timezone": "Europe/Berlin", "recurrence": object{"rrule": "FREQ=DAILY"}})
	dates := map[string]event.Task{}
	for _, how := range []string{"patched", "replaced", "left"} {
		dates[how] = u.create(object{"title": how, "due_at": "2090-07-01T00:00:00+02:00", "all_day": true, "timezone": "Europe/Berlin"})
	}
	upgraded := u
	upgraded.running = start(t, append(append([]string{}, s.env...), fresh)...)

	upgraded.task(http.StatusOK, http.MethodPatch, at(timed.ID), object{"title": "edited"})
	upgraded.task(http.StatusOK, http.MethodPatch, at(dates["patched"].ID), object{"title": "edited"})
	upgraded.task(http.StatusOK, http.MethodPut, at(dates["replaced"].ID), object{"title": "edited", "due_at": dates["replaced"].DueAt, "all_day": true, "timezone": "Europe/Berlin"})
	// What follows is created by a replica of before the upgrade, and by one of after it.
	follow := func(c client) event.Task {
		task := u.create(object{"title": "recurs", "due_at": "2090-07-01T09:00:00+02:00", "timezone": "Europe/Berlin", "recurrence": object{"rrule": "FREQ=DAILY"}})
		u.task(http.StatusOK, http.MethodPatch, at(task.ID)+"/complete", nil)
		return u.task(http.StatusOK, http.MethodGet, at(c.follow(task.ID).spawned(t)), nil)
	}
	follows := []event.Task{follow(u), follow(upgraded)}

	out, code := s.under(fresh).command("rezone")
	require.Zero(t, code, out)
	due := func(id uuid.UUID) string {
		return u.task(http.StatusOK, http.MethodGet, at(id), nil).DueAt.Format(time.RFC3339)
	}
	require.Equal(t, "2090-07-01T08:00:00Z", due(timed.ID))
	for how, task := range dates {
		require.Equal(t, "2090-06-30T23:00:00Z", due(task.ID), how)
	}
	for _, task := range follows {
		require.Equal(t, "2090-07-02T08:00:00Z", due(task.ID))
	}
	is := u.task(http.StatusOK, http.MethodGet, at(timed.ID), nil)
	require.Equal(t, "2090-07-01T09:00:00", *is.Occurrence)
	require.Equal(t, timed.Recurrence, is.Recurrence)
	require.Equal(t, timed.SeriesID, is.SeriesID)
}

func TestARezoneThatIsKilledIsRunAgain(t *testing.T) {
	t.Parallel()
	s := start(t, laws(t, oldLaws))
	u := s.newUser()
	const tasks = 20
	var last event.Task
	for i := range tasks {
		last = u.create(object{"title": fmt.Sprint(i), "due_at": "2090-07-01T09:00:00+02:00", "timezone": "Europe/Berlin"})
	}
	moved := func() (n int) {
		require.NoError(t, s.db.NewRaw("SELECT count(*) FROM task.tasks WHERE due_at = '2090-07-01 08:00Z'").Scan(t.Context(), &n))
		return n
	}
	// It waits for the last one, which somebody has locked, and is killed there.
	tx, err := s.db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = tx.ExecContext(t.Context(), "SELECT FROM task.tasks WHERE id = ? FOR UPDATE", last.ID)
	require.NoError(t, err)
	fresh := s.under(laws(t, newLaws))
	cmd := exec.Command(os.Args[0], "rezone") //nolint:noctx,gosec // it is killed below; it is this test binary itself
	cmd.Env = fresh.env
	require.NoError(t, cmd.Start())
	require.Eventually(t, func() bool { return moved() == tasks-1 }, patience, 10*time.Millisecond)
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	require.NoError(t, tx.Rollback())

	out, code := fresh.command("rezone")
	require.Zero(t, code, out)
	require.Regexp(t, `(?m)^Europe/Berlin +1 +0 +0$`, out)
	require.Equal(t, tasks, moved())
	var versions, events int
	require.NoError(t, s.db.NewRaw("SELECT (SELECT sum(version) FROM task.tasks), (SELECT count(*) FROM task.events WHERE type = 'task.updated')").Scan(t.Context(), &versions, &events))
	require.Equal(t, []int{2 * tasks, tasks}, []int{versions, events}, "each once")
}
