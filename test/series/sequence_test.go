package series

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/recurrence"
)

// What becomes of a call that the delivery of an event makes.
const (
	refused = "refused" // answered 500, without task-api having heard of it
	lost    = "lost"    // task-api has acted, and its answer does not arrive
	killed  = "killed"  // so too, since recurring-task is killed
)

type object = map[string]any

// sequence is one user with one recurring task, and all that he does and that is
// delivered. It says what it does in steps, which are lines of text, so that what
// is found can be read, and repeated.
type sequence struct {
	pair  *pair
	user  uuid.UUID
	token string
	model *model
	today time.Time

	steps    []string
	ending   bool // nothing is done any more
	loose    bool // a service was killed meanwhile: what it had begun may be seen later
	findings []string

	events  map[uuid.UUID]*told
	waiting []*told // not delivered yet, in the order of the log
	handled []*told // answered SUCCESS

	mu       sync.Mutex
	fault    string
	calls    sync.WaitGroup
	answered []string           // what task-api answered to calls, for who reads a finding
	seenTo   map[uuid.UUID]bool // what calls of this step were about, and whether they were answered
}

// told is an event of the log.
type told struct {
	position int64
	id       uuid.UUID
	kind     string
	at       time.Time
	data     event.TaskEvent
	raw      []byte // as it goes over the wire
	name     string // of its task and version
	done     bool   // recurring-task has answered SUCCESS
}

func newSequence(p *pair) (*sequence, error) {
	user := uuid.New()
	token, err := tokenFor(user)
	if err != nil {
		return nil, err
	}
	return &sequence{
		pair: p, user: user, token: token, model: newModel(), today: time.Now(), events: map[uuid.UUID]*told{}, seenTo: map[uuid.UUID]bool{},
	}, nil
}

// close gives up what others know of the sequence.
func (q *sequence) close() {
	for id := range q.model.tasks {
		q.pair.sidecar.forget(id)
	}
}

func (q *sequence) fail(format string, args ...any) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.findings = append(q.findings, fmt.Sprintf("after step %d (%s): ", len(q.steps), q.last())+fmt.Sprintf(format, args...))
}

func (q *sequence) last() string {
	if q.ending {
		return "at the end"
	}
	if len(q.steps) == 0 {
		return "none"
	}
	return q.steps[len(q.steps)-1]
}

func (q *sequence) failed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.findings) > 0
}

func (q *sequence) calling() (done func()) {
	q.calls.Add(1)
	return q.calls.Done
}

func (q *sequence) takeFault() string {
	q.mu.Lock()
	defer q.mu.Unlock()
	f := q.fault
	q.fault = ""
	return f
}

func (q *sequence) called(path string, body []byte, status int, answer []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if id, err := aboutTask(body); err == nil && status < 300 {
		q.seenTo[id] = status != 0
	}
	q.loose = q.loose || status == 0
	q.answered = append(q.answered, fmt.Sprintf("%s %s: %d %s", path, body, status, answer))
	if status >= 500 {
		q.findings = append(q.findings, fmt.Sprintf("after step %d: task-api answered recurring-task %d %s", len(q.steps), status, answer))
	}
}

// answer is what an API said; status 0: nothing, its process was killed.
type answer struct {
	status int
	body   []byte
}

func (q *sequence) api(method, path string, body any) answer {
	var reader io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			q.fail("%v", err)
		}
		reader = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(context.Background(), method, q.pair.api.base+path, reader)
	if err != nil {
		q.fail("%v", err)
		return answer{}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+q.token)
	return q.send(q.pair.api, req)
}

func (q *sequence) send(to *process, req *http.Request) answer {
	res, err := client.Do(req)
	if err == nil {
		defer res.Body.Close()
		var raw []byte
		if raw, err = io.ReadAll(res.Body); err == nil {
			if res.StatusCode >= 500 {
				q.fail("%s %s: %d %s", req.Method, req.URL.Path, res.StatusCode, raw)
			}
			return answer{res.StatusCode, raw}
		}
	}
	to.await()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.loose = true
	return answer{}
}

// deliver hands events to recurring-task as the sidecar does, several in bulk,
// and says of each whether it was taken.
func (q *sequence) deliver(events []*told) []bool {
	post := func(body []byte) answer {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, q.pair.consumer.base+"/events/"+event.TopicTasks, bytes.NewReader(body))
		if err != nil {
			q.fail("%v", err)
			return answer{}
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("dapr-api-token", tokenOfConsumer)
		return q.send(q.pair.consumer, req)
	}
	taken := make([]bool, len(events))
	if len(events) == 1 {
		a := post(events[0].raw)
		var said struct{ Status string }
		if a.status == http.StatusOK && json.Unmarshal(a.body, &said) != nil {
			q.fail("recurring-task answered %s", a.body)
		}
		taken[0] = said.Status == "SUCCESS"
		return taken
	}
	var bulk struct {
		Entries []object `json:"entries"`
	}
	for i, e := range events {
		bulk.Entries = append(bulk.Entries, object{
			"entryId": strconv.Itoa(i), "event": base64.StdEncoding.EncodeToString(e.raw), "contentType": "application/octet-stream",
			"metadata": map[string]string{"partitionKey": e.data.TaskID.String()},
		})
	}
	raw, err := json.Marshal(bulk)
	if err != nil {
		q.fail("%v", err)
		return taken
	}
	a := post(raw)
	if a.status != http.StatusOK {
		return taken
	}
	var said struct {
		Statuses []struct{ EntryID, Status string }
	}
	if err := json.Unmarshal(a.body, &said); err != nil || len(said.Statuses) != len(events) {
		q.fail("recurring-task answered %s", a.body)
		return taken
	}
	for i, s := range said.Statuses {
		taken[i] = s.Status == "SUCCESS"
	}
	return taken
}

// read takes in what the log has got since the last time.
func (q *sequence) read() []*told {
	q.calls.Wait()
	known := make([]uuid.UUID, 0, len(q.events))
	for id := range q.events {
		known = append(known, id)
	}
	rows, err := q.pair.db.Query(context.Background(), `
		SELECT position, id, type, occurred_at, data FROM task.events
		WHERE topic = 'task-events' AND data::jsonb ->> 'user_id' = $1 AND id <> ALL ($2) ORDER BY position`, q.user.String(), known)
	if err != nil {
		q.fail("read the log: %v", err)
		return nil
	}
	defer rows.Close()
	var fresh []*told
	for rows.Next() {
		e := &told{}
		var data string
		if err := rows.Scan(&e.position, &e.id, &e.kind, &e.at, &data); err != nil {
			q.fail("read the log: %v", err)
			return nil
		}
		if err := json.Unmarshal([]byte(data), &e.data); err != nil {
			q.fail("read the log: %v", err)
			return nil
		}
		e.raw, err = event.Encode(event.Header{
			ID: e.id, Topic: event.TopicTasks, Type: e.kind, Subject: e.data.TaskID.String(), Time: e.at,
			PartitionKey: e.data.TaskID.String(), Sequence: e.position,
		}, json.RawMessage(data))
		if err != nil {
			q.fail("encode an event: %v", err)
			return nil
		}
		fresh = append(fresh, e)
	}
	if err := rows.Err(); err != nil {
		q.fail("read the log: %v", err)
		return nil
	}
	return fresh
}

// sync has the model learn what the log has got, which must be one of what was
// expected; nil expects nothing in particular. atOnce says that the step did two
// things, of which nobody knows the order. From a kill on nobody knows when what was
// under way is seen: then only what holds at any time and at the end is looked at.
func (q *sequence) sync(expected []outcome, atOnce bool) {
	fresh := q.read()
	got := q.model.learn(fresh, q.fail)
	q.mu.Lock()
	loose := q.loose
	for id, answered := range q.seenTo {
		q.model.answered(id, answered && !atOnce && !loose)
	}
	clear(q.seenTo)
	q.mu.Unlock()
	for _, e := range fresh {
		q.pair.sidecar.owns(e.data.TaskID, q)
		e.name = q.model.tasks[e.data.TaskID].name + "." + strconv.FormatInt(e.data.TaskData.Version, 10)
		q.events[e.id] = e
		q.waiting = append(q.waiting, e)
	}
	if expected == nil || loose || slices.ContainsFunc(expected, func(o outcome) bool { return o.is(got) }) {
		return
	}
	var texts []string
	for _, o := range expected {
		texts = append(texts, o.String())
	}
	q.fail("the log got\n      %s\n    not\n      %s", got, strings.Join(texts, "\n    or\n      "))
}

// step does one step. It says whether there was something to do it to: a step
// that was left out before may have taken away what it is about.
func (q *sequence) step(line string) bool {
	first, second, both := strings.Cut(line, " || ")
	do := q.action(first)
	if do == nil {
		return false
	}
	if !both {
		q.steps = append(q.steps, line)
		q.sync(do(), false)
		return true
	}
	beside := q.action(second)
	if beside == nil {
		return false
	}
	q.steps = append(q.steps, line)
	var running sync.WaitGroup
	running.Go(func() { beside() })
	do()
	running.Wait()
	q.sync(nil, true) // either order is one
	return true
}

// action is what a step does; it returns what the log may get of it. nil: nothing.
func (q *sequence) action(line string) func() []outcome {
	words := strings.Fields(line)
	if len(words) == 0 {
		return nil
	}
	switch words[0] {
	case "create":
		return func() []outcome { return q.create(words[1:], nil) }
	case "drain":
		return q.drain
	case "kill":
		p := q.pair.consumer
		if words[1] == "task-api" {
			p = q.pair.api
		}
		return func() []outcome {
			if err := p.kill(); err != nil {
				q.fail("%v", err)
			}
			return nothing
		}
	case "deliver", "twice":
		return q.deliverStep(words)
	case "crash":
		do := q.action(strings.Join(words[1:], " "))
		if do == nil {
			return nil
		}
		return func() []outcome {
			var running sync.WaitGroup
			running.Go(func() {
				if err := q.pair.api.kill(); err != nil {
					q.fail("%v", err)
				}
			})
			expected := do()
			running.Wait()
			return expected
		}
	}
	t := q.model.named(words[1])
	if t == nil || t.deleted {
		return nil
	}
	return func() []outcome { return q.operate(t, words) }
}

// wall is a time such as -5d09:00, as wall time counted from today in a zone.
func (q *sequence) wall(text, zone string) string {
	days, clock, _ := strings.Cut(text, "d")
	n, err := strconv.Atoi(days)
	loc, zoneErr := recurrence.Location(zone)
	if err != nil || zoneErr != nil {
		q.fail("%s in %s is no time", text, zone)
		return ""
	}
	return q.today.In(loc).AddDate(0, 0, n).Format(time.DateOnly) + "T" + clock + ":00"
}

// rule replaces UNTIL=10d by the end of the tenth day from today.
func (q *sequence) rule(text string) string {
	before, after, found := strings.Cut(text, "UNTIL=")
	if !found {
		return text
	}
	days, rest, _ := strings.Cut(after, "d")
	n, err := strconv.Atoi(days)
	if err != nil {
		return text
	}
	return before + "UNTIL=" + q.today.UTC().AddDate(0, 0, n).Format("20060102") + "T235959Z" + rest
}

// instant is a wall time as a request says it.
func instant(wall, zone string, allDay bool) string {
	at, err := recurrence.Resolve(wall, zone, allDay)
	if err != nil {
		return wall // the service says what is wrong with it
	}
	if loc, err := recurrence.Location(zone); err == nil {
		at = at.In(loc)
	}
	return at.Format(time.RFC3339)
}

// create makes the task, or a subtask of it.
func (q *sequence) create(words []string, parent *task) []outcome {
	o := options(words)
	zone := o["zone"]
	if zone == "" {
		zone = "UTC"
	}
	body := object{"title": q.model.nextFamily(), "timezone": zone}
	if parent != nil {
		body["parent_id"] = parent.ID
		body["timezone"] = parent.Timezone
		zone = parent.Timezone
	}
	_, allDay := o["allday"]
	if due := o["due"]; due != "" {
		body["due_at"], body["all_day"] = instant(q.wall(due, zone), zone, allDay), allDay
	}
	if rule := o["rule"]; rule != "" {
		r := object{"rrule": q.rule(rule)}
		for _, policy := range []string{"basis", "missed", "month_end", "dst_gap"} {
			if v := o[policy]; v != "" {
				r[policy] = v
			}
		}
		body["recurrence"] = r
	}
	if before := o["reminder"]; before != "" {
		body["reminders"] = []object{{"before_due": before}}
	}
	a := q.api(http.MethodPost, "/api/tasks", body)
	return q.must(a, http.StatusCreated, []outcome{{line{"created", body["title"].(string)}}})
}

// must is what is expected of a request that has to succeed.
func (q *sequence) must(a answer, status int, expected []outcome) []outcome {
	switch a.status {
	case status:
		return expected
	case 0:
		return append(slices.Clone(nothing), expected...)
	}
	q.fail("answered %d %s, not %d", a.status, a.body, status)
	return nil
}

// may is what is expected of a request that may be refused.
func (q *sequence) may(a answer, expected []outcome) []outcome {
	if a.status == http.StatusUnprocessableEntity || a.status == http.StatusConflict {
		return nothing
	}
	return q.must(a, http.StatusOK, expected)
}

func options(words []string) map[string]string {
	o := map[string]string{}
	for _, w := range words {
		name, value, _ := strings.Cut(w, "=")
		o[name] = value
	}
	return o
}

// operate does what a user does to a task.
func (q *sequence) operate(t *task, words []string) []outcome {
	path := "/api/tasks/" + t.ID.String()
	rest := words[2:]
	patch := func(query string, body object) answer { return q.api(http.MethodPatch, path+query, body) }
	switch words[0] {
	case "subtask":
		return q.create(rest, t)
	case "complete":
		expected := q.model.afterComplete(t)
		return q.must(q.api(http.MethodPatch, path+"/complete", object{"is_complete": true}), http.StatusOK, expected)
	case "reopen":
		expected := q.model.afterReopen(t)
		return q.must(q.api(http.MethodPatch, path+"/complete", object{"is_complete": false}), http.StatusOK, expected)
	case "skip":
		expected, status := q.model.afterSkip(t)
		if q.model.pending(t) {
			expected = nil
		}
		a := q.api(http.MethodPost, path+"/skip", nil)
		if a.status == http.StatusConflict && slices.Contains(status, http.StatusConflict) {
			return nothing
		}
		if !slices.Contains(status, http.StatusOK) {
			if a.status == 0 {
				return nothing
			}
			q.fail("answered %d %s, not 409", a.status, a.body)
			return nil
		}
		return q.must(a, http.StatusOK, expected)
	case "delete":
		expected := q.model.afterDelete(t)
		return q.must(q.api(http.MethodDelete, path, nil), http.StatusNoContent, expected)
	case "touch":
		return q.must(patch("", object{"description": strconv.Itoa(len(q.steps))}), http.StatusOK, updated(t))
	case "due", "following":
		due, ok := shifted(t, rest[0])
		if !ok {
			return nothing
		}
		query := ""
		if words[0] == "following" {
			query = "?scope=following"
		} else if len(q.steps)%2 == 0 {
			query = "?scope=this"
		}
		a := patch(query, object{"due_at": due})
		if words[0] == "following" {
			return q.may(a, append(updated(t), nothing...))
		}
		return q.must(a, http.StatusOK, append(updated(t), nothing...))
	case "rule":
		return q.may(patch("", object{"recurrence": object{"rrule": q.rule(rest[0])}}), append(updated(t), nothing...))
	case "policy":
		name, value, _ := strings.Cut(rest[0], "=")
		if t.Recurrence == nil {
			return nothing
		}
		return q.may(patch("", object{"recurrence": object{name: value}}), append(updated(t), nothing...))
	case "norule":
		if t.Recurrence == nil {
			return nothing
		}
		return q.must(patch("", object{"recurrence": nil}), http.StatusOK, updated(t))
	case "zone":
		return q.may(patch("", object{"timezone": rest[0]}), append(updated(t), nothing...))
	case "allday":
		return q.may(patch("", object{"all_day": rest[0] == "on"}), append(updated(t), nothing...))
	}
	q.fail("nobody can %s", words[0])
	return nil
}

// shifted is a task's due time moved by so many hours on the wall of its zone.
func shifted(t *task, by string) (string, bool) {
	d, err := time.ParseDuration(by)
	if err != nil || t.DueAt == nil {
		return "", false
	}
	wall, err := recurrence.WallOf(*t.DueAt, t.Timezone, t.AllDay)
	if err != nil {
		return "", false
	}
	at, err := time.Parse(event.WallLayout, wall)
	if err != nil {
		return "", false
	}
	return instant(at.Add(d).Format(event.WallLayout), t.Timezone, t.AllDay), true
}

// deliverStep delivers events that are named by their task and its version.
func (q *sequence) deliverStep(words []string) func() []outcome {
	fault := ""
	var events []*told
	for _, w := range words[1:] {
		if w == refused || w == lost || w == killed {
			fault = w
			continue
		}
		for _, e := range q.events {
			if e.name == w {
				events = append(events, e)
			}
		}
	}
	if len(events) == 0 {
		return nil
	}
	if words[0] == "twice" {
		return func() []outcome {
			expected := q.model.afterEvents(events)
			var running sync.WaitGroup
			running.Go(func() { q.mark(events, q.deliver(events)) })
			taken := q.deliver(events)
			running.Wait()
			q.mark(events, taken)
			return maybe(expected, taken)
		}
	}
	return func() []outcome {
		expected := q.model.afterEvents(events)
		q.mu.Lock()
		q.fault = fault
		q.mu.Unlock()
		taken := q.deliver(events)
		q.calls.Wait()
		q.takeFault()
		q.mark(events, taken)
		return maybe(expected, taken)
	}
}

// maybe lets nothing have happened, where an event was not taken.
func maybe(expected []outcome, taken []bool) []outcome {
	if expected == nil || !slices.Contains(taken, false) {
		return expected
	}
	return append(slices.Clone(nothing), expected...)
}

func (q *sequence) mark(events []*told, taken []bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, e := range events {
		q.answered = append(q.answered, fmt.Sprintf("delivery of %s: %t", e.name, taken[i]))
		if taken[i] && !e.done {
			e.done = true
			q.waiting = slices.DeleteFunc(q.waiting, func(w *told) bool { return w == e })
			q.handled = append(q.handled, e)
		}
	}
}

// drain delivers until nothing waits. It learns after each event, so that what is
// found is found where it happened.
func (q *sequence) drain() []outcome {
	for tries := 0; len(q.waiting) > 0; tries++ {
		if tries > 500 {
			q.fail("still waiting: %s", q.waiting[0].name)
			return nothing
		}
		e := q.waiting[0]
		expected := q.model.afterEvents([]*told{e})
		taken := q.deliver([]*told{e})
		q.mark([]*told{e}, taken)
		if !taken[0] {
			time.Sleep(10 * time.Millisecond) // as a sidecar, before it delivers again
		}
		q.sync(maybe(expected, taken), false)
		if q.failed() {
			return nil
		}
	}
	return nothing
}
