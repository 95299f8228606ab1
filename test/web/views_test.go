package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/test/suite"
)

// titles waits until the tasks of the view are these, in this order.
func (b *tab) titles(want ...string) {
	b.t.Helper()
	b.eventually(func() error {
		if got := evaluate[[]string](b, `[...document.querySelectorAll("main .title")].map((e) => e.innerText)`); !slices.Equal(got, want) {
			return fmt.Errorf("the tasks are %q, not %q", got, want)
		}
		return nil
	})
}

// at waits until a task has the focus.
func (b *tab) at(title string) {
	b.t.Helper()
	b.eventually(func() error {
		if got := evaluate[string](b, `document.activeElement.innerText`); got != title {
			return fmt.Errorf("the focus is at %q, not at %q", got, title)
		}
		return nil
	})
}

// middleOf is where something is seen.
func (b *tab) middleOf(selector string) (x, y float64) {
	b.t.Helper()
	at := evaluate[[]float64](b, fmt.Sprintf(`(() => { const r = document.querySelector(%q).getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2] })()`, selector))
	return at[0], at[1]
}

// row is a selector of a task's row.
func row(id thing) string { return fmt.Sprintf(`[data-task="%s"]`, id.ID) }

func (b *tab) mouse(kind input.DispatchMouseEventType, x, y float64) {
	b.t.Helper()
	call(b, input.DispatchMouseEvent, input.DispatchMouseEventParams{Type: kind, X: x, Y: y, Button: input.MouseButtonLeft, Buttons: 1, ClickCount: 1})
}

// drag takes one thing by the mouse to a place of another one.
func (b *tab) drag(from, to string, down float64) {
	b.t.Helper()
	x, y := b.middleOf(from)
	b.mouse(input.DispatchMouseEventTypeMousePressed, x, y)
	b.mouse(input.DispatchMouseEventTypeMouseMoved, x, y+3)
	x, y = b.middleOf(to)
	b.mouse(input.DispatchMouseEventTypeMouseMoved, x, y+down)
	b.eventually(func() error {
		if !evaluate[bool](b, `!!document.querySelector(".drop-before, .drop-after, .drop")`) {
			return errors.New("nothing shows where it goes")
		}
		return nil
	})
	b.mouse(input.DispatchMouseEventTypeMouseReleased, x, y+down)
}

// touch moves a finger over the page, by steps, from where something is.
func (b *tab) touch(from string, dx, dy float64) {
	b.t.Helper()
	x, y := b.middleOf(from)
	at := func(part float64) []*input.TouchPoint {
		return []*input.TouchPoint{{X: x + dx*part, Y: y + dy*part}}
	}
	call(b, input.DispatchTouchEvent, input.DispatchTouchEventParams{Type: input.DispatchTouchEventTypeTouchStart, TouchPoints: at(0)})
	for i := range 10 {
		call(b, input.DispatchTouchEvent, input.DispatchTouchEventParams{Type: input.DispatchTouchEventTypeTouchMove, TouchPoints: at(float64(i+1) / 10)})
	}
	call(b, input.DispatchTouchEvent, input.DispatchTouchEventParams{Type: input.DispatchTouchEventTypeTouchEnd, TouchPoints: []*input.TouchPoint{}})
}

// atRest waits until the page does not scroll any more.
func (b *tab) atRest() {
	b.t.Helper()
	evaluate[bool](b, `(async () => {
		for (let still = 0, was = NaN; still < 5; was = scrollY) {
			still = scrollY === was ? still + 1 : 0;
			await new Promise(requestAnimationFrame);
		}
		return true;
	})()`)
}

// taskNow is a task as the API has it.
type taskNow struct {
	Title      string
	IsComplete bool `json:"is_complete"`
	Priority   string
	Tags       []string
	ListID     string  `json:"list_id"`
	ParentID   *string `json:"parent_id"`
	DueAt      *string `json:"due_at"`
	Version    int
}

func taskOf(t *testing.T, c *suite.Client, id thing) taskNow {
	t.Helper()
	return ask[taskNow](t, c, http.MethodGet, "/api/tasks/"+id.ID, nil)
}

func TestSearching(t *testing.T) {
	c := newUser(t)
	me := ask[thing](t, c, http.MethodGet, "/api/auth/me", nil)
	list := ask[thing](t, c, http.MethodPost, "/api/lists", object{"name": "Garden"})
	day := func(n int) string { return time.Now().UTC().AddDate(0, 0, n).Format(time.DateOnly) + "T00:00:00Z" }
	create(t, c, object{"title": "Crème brûlée", "priority": "high", "due_at": day(0), "all_day": true})
	create(t, c, object{"title": "Straße fegen", "description": "Vor dem ΟΔΥΣΣΕΥΣ", "list_id": list.ID, "tags": []string{"home"}, "due_at": day(3), "all_day": true})
	create(t, c, object{"title": "Café", "list_id": list.ID, "due_at": day(-2), "all_day": true, "assignee_id": me.ID})
	done := create(t, c, object{"title": "Creme bought"})
	ask[any](t, c, http.MethodPatch, "/api/tasks/"+done.ID+"/complete", object{"is_complete": true})

	b := signIn(t, c)
	b.press("/")
	b.see("heading", "Search")
	b.see("searchbox", "Words in the title or description")
	b.eventually(func() error {
		if evaluate[string](b, `document.activeElement.id`) != "search" {
			return errors.New("the field does not have the focus")
		}
		return nil
	})
	typed := func(text string) { b.fill("searchbox", "Words in the title or description", text) }
	for _, text := range []string{"CREME", "brulee crème", "crème b"} {
		typed(text)
		b.titles("Crème brûlée")
	}
	for _, text := range []string{"strasse", "οδυσσευς", "fegen STRA"} {
		typed(text)
		b.titles("Straße fegen")
	}
	typed("nothing of the kind")
	b.titles()
	b.reads("0 tasks")
	typed("cre")
	b.set("by-done", "any")
	b.titles("Crème brûlée", "Creme bought")
	b.set("by-done", "yes")
	b.titles("Creme bought")

	// One choice after another, and back to each.
	b.visit("/#/search")
	b.eventually(func() error {
		if text := b.value("search"); text != "" {
			return fmt.Errorf("%q is still searched for", text)
		}
		return nil
	})
	type choice struct {
		field, value string
		want         []string
	}
	choices := []choice{
		{"by-due", "week", []string{"Crème brûlée", "Straße fegen"}},
		{"by-list", list.ID, []string{"Straße fegen"}},
		{"by-due", "overdue", []string{"Café"}},
		{"by-assignee", "me", []string{"Café"}},
		{"by-assignee", "none", nil},
		{"by-due", "", []string{"Straße fegen"}},
		{"by-tag", "home", []string{"Straße fegen"}},
		{"by-priority", "high", nil},
		{"by-tag", "", nil},
		{"by-list", "", []string{"Crème brûlée"}},
	}
	var addresses []string
	for _, c := range choices {
		b.set(c.field, c.value)
		b.titles(c.want...)
		addresses = append(addresses, evaluate[string](b, "location.hash"))
	}
	for i := len(choices) - 2; i > 0; i-- {
		evaluate[bool](b, "history.back(), true")
		b.eventually(func() error {
			if at := evaluate[string](b, "location.hash"); at != addresses[i] {
				return fmt.Errorf("it is at %s, not at %s", at, addresses[i])
			}
			return nil
		})
		b.titles(choices[i].want...)
	}
	b.titles("Straße fegen")
	require.Equal(t, "week", b.value("by-due"))

	// It is where the address says, and has a name if it is given one.
	b.fill("textbox", "Name of this search", "This week outside")
	b.press("\r")
	b.see("button", "Forget the search “This week outside”")
	b.click("link", "Assigned to me")
	b.see("heading", "Assigned to me")
	b.titles("Café")
	b.visit("/?again")
	b.see("heading", "Today")
	b.click("link", "This week outside")
	b.titles("Straße fegen")
	b.click("button", "Forget the search “This week outside”")
	b.gone("link", "This week outside")
}

// By keyboard alone: several tasks are selected and changed by one request, which is undone as one.
func TestSeveralTasksAtOnce(t *testing.T) {
	c := newUser(t)
	list := ask[thing](t, c, http.MethodPost, "/api/lists", object{"name": "Garden"})
	one := create(t, c, object{"title": "One", "tags": []string{"old", "kept"}})
	two := create(t, c, object{"title": "Two", "due_at": "2031-02-03T09:30:00Z"})
	sub := create(t, c, object{"title": "Sub", "parent_id": two.ID})
	three := create(t, c, object{"title": "Three"})
	b := signIn(t, c)
	b.press("g")
	b.press("i")
	b.see("heading", "Inbox")
	b.titles("One", "Two", "Sub", "Three")
	b.press("j")
	b.at("One")
	b.press("J")
	b.at("Two")
	b.press("J")
	b.at("Sub")
	b.reads("3 selected")
	b.press("m")
	b.see("dialog", "Change 3 tasks")
	b.set("change-list", list.ID)
	b.set("change-priority", "urgent")
	b.set("change-due", "on")
	b.set("change-day", "2031-05-06")
	b.fill("textbox", "Add tags", "New, #more")
	b.fill("textbox", "Take away tags", "old")
	b.press("\r")
	b.reads("Changed 3 tasks.")
	b.titles("Three")
	got := taskOf(t, c, one)
	require.Equal(t, taskNow{Title: "One", Priority: "urgent", Tags: []string{"kept", "new", "more"}, ListID: list.ID, DueAt: got.DueAt, Version: got.Version}, got)
	require.Equal(t, "2031-05-06T00:00:00Z", *got.DueAt)
	require.Equal(t, "2031-05-06T09:30:00Z", *taskOf(t, c, two).DueAt)
	require.Equal(t, two.ID, *taskOf(t, c, sub).ParentID)
	b.press("u")
	b.titles("One", "Two", "Sub", "Three")
	require.Equal(t, []string{"old", "kept"}, taskOf(t, c, one).Tags)

	// A subtask without its task is one of its own where it goes.
	b.press("j")
	b.at("One")
	b.press(kb.End)
	b.at("Three")
	b.press(kb.Home)
	b.at("One")
	b.press(kb.End)
	b.at("Three")
	b.press("k")
	b.at("Sub")
	b.press("v")
	b.press("m")
	b.see("dialog", "Change Sub")
	b.set("change-list", list.ID)
	b.click("button", "Save")
	b.titles("One", "Two", "Three")
	require.Nil(t, taskOf(t, c, sub).ParentID)
	b.press("u")
	b.titles("One", "Two", "Sub", "Three")

	b.press("*")
	b.reads("4 selected")
	b.press("x")
	b.reads("Completed 4 tasks.")
	b.titles()
	b.press("u")
	b.titles("One", "Two", "Sub", "Three")
	b.press("*")
	b.press("#")
	b.reads("Deleted 3 tasks.") // the subtask goes with its task
	b.titles()
	b.press("u")
	b.titles("One", "Two", "Sub", "Three")
	b.press("*")
	b.press("\x1b")
	b.gone("button", "End the selection")

	// What somebody else has changed meanwhile is not overwritten, and named.
	held := make(chan fetch.RequestID, 1)
	require.NoError(t, chromedp.Listen(b.ctx, func(ev any) {
		if paused, ok := ev.(*fetch.EventRequestPaused); ok {
			held <- paused.RequestID
		}
	}))
	call(b, fetch.Enable, fetch.EnableParams{Patterns: []*fetch.RequestPattern{{URLPattern: "*/bulk", RequestStage: fetch.RequestStageRequest}}})
	b.click("button", "Select")
	b.click("checkbox", "Select: One")
	b.click("checkbox", "Select: Three")
	b.reads("2 selected")
	b.click("button", "Change or move …")
	b.fill("textbox", "Add tags", "late")
	b.press("\r")
	bulk := arrives(t, held)
	ask[any](t, c, http.MethodPatch, "/api/tasks/"+three.ID, object{"tags": []string{"theirs"}})
	call(b, fetch.ContinueRequest, fetch.ContinueRequestParams{RequestID: bulk})
	b.reads("Changed 1 task. Not 1: Three (")
	b.reads("1 selected")
	require.Equal(t, []string{"theirs"}, taskOf(t, c, three).Tags)
	require.Equal(t, []string{"old", "kept", "late"}, taskOf(t, c, one).Tags)
}

// What takes several requests, since there are so many or the server is busy, is undone as one
// all the same. The test answers for the server, which would be at it for long.
func TestMoreTasksThanARequestTakes(t *testing.T) {
	c := newUser(t)
	fillList(t, c, nil, 502)
	b := signIn(t, c)
	asked := make(chan *fetch.EventRequestPaused, 1)
	require.NoError(t, chromedp.Listen(b.ctx, func(ev any) {
		if paused, ok := ev.(*fetch.EventRequestPaused); ok {
			asked <- paused
		}
	}))
	call(b, fetch.Enable, fetch.EnableParams{Patterns: []*fetch.RequestPattern{{URLPattern: "*/api/tasks/bulk"}, {URLPattern: "*/undo"}}})
	b.click("link", "Inbox 502 open tasks")
	b.see("button", "Task 0")
	b.press("*")
	b.reads("502 selected")
	next := func() *fetch.EventRequestPaused {
		t.Helper()
		return arrives(t, asked)
	}
	answer := func(to *fetch.EventRequestPaused, request string, body any) {
		t.Helper()
		content, err := json.Marshal(body)
		require.NoError(t, err)
		call(b, fetch.FulfillRequest, fetch.FulfillRequestParams{RequestID: to.RequestID, ResponseCode: http.StatusOK, Body: content, ResponseHeaders: []*fetch.HeaderEntry{{Name: "Content-Type", Value: "application/json"}, {Name: "X-Request-Id", Value: request}}})
	}
	// The last of the first request is asked for again.
	b.press("#")
	for request, n := range []int{500, 2, 1} {
		paused := next()
		var in struct{ Operations []struct{ Op, ID string } }
		var body []byte
		for _, part := range paused.Request.PostDataEntries {
			body = append(body, part.Bytes...)
		}
		require.NoError(t, json.Unmarshal(body, &in))
		require.Len(t, in.Operations, n)
		results := make([]object, n)
		for i := range results {
			results[i] = object{"status": http.StatusNoContent}
		}
		if request == 0 {
			results[n-1] = object{"status": http.StatusServiceUnavailable, "problem": object{"status": http.StatusServiceUnavailable, "type": "/problems/unavailable", "title": "busy"}}
		}
		answer(paused, fmt.Sprintf("request-%d", request), object{"results": results})
	}
	b.reads("Deleted 502 tasks.")
	b.see("StaticText", "Nothing here yet. Add a task above, or press n.")
	for _, turn := range []struct {
		from string
		want []int
		says string
	}{{"request", []int{2, 1, 0}, "Undone."}, {"undo", []int{0, 1, 2}, "Done again."}} {
		b.press("u")
		for _, n := range turn.want {
			paused := next()
			require.True(t, strings.HasSuffix(paused.Request.URL, fmt.Sprintf("/api/operations/%s-%d/undo", turn.from, n)), paused.Request.URL)
			answer(paused, "", object{"request_id": fmt.Sprintf("undo-%d", n), "undoes": "", "changed": []string{}})
		}
		b.reads(turn.says)
	}
}

func TestDragging(t *testing.T) {
	c := newUser(t)
	list := ask[thing](t, c, http.MethodPost, "/api/lists", object{"name": "Garden"})
	one, two := create(t, c, object{"title": "One"}), create(t, c, object{"title": "Two"})
	sub := create(t, c, object{"title": "Sub", "parent_id": two.ID})
	three := create(t, c, object{"title": "Three"})
	b := signIn(t, c)
	b.click("link", "Inbox 4 open tasks")
	b.titles("One", "Two", "Sub", "Three")
	b.drag(row(three)+" .handle", row(one), -5)
	b.titles("Three", "One", "Two", "Sub")
	b.reads("Moved: Three")
	b.click("button", "Undo")
	b.titles("One", "Two", "Sub", "Three")

	// Below a task with subtasks is among them; what has some itself stays beside.
	b.drag(row(three)+" .handle", row(two), 8)
	b.titles("One", "Two", "Three", "Sub")
	require.Equal(t, two.ID, *taskOf(t, c, three).ParentID)
	b.drag(row(sub)+" .handle", row(one), -5)
	b.titles("Sub", "One", "Two", "Three")
	require.Nil(t, taskOf(t, c, sub).ParentID)

	// Escape leaves everything as it is.
	x, y := b.middleOf(row(sub) + " .handle")
	b.mouse(input.DispatchMouseEventTypeMousePressed, x, y)
	x, y = b.middleOf(row(two))
	b.mouse(input.DispatchMouseEventTypeMouseMoved, x, y)
	b.press("\x1b")
	b.mouse(input.DispatchMouseEventTypeMouseReleased, x, y)
	b.titles("Sub", "One", "Two", "Three")

	// What is selected goes together, onto a list too.
	b.click("button", "Select")
	b.click("checkbox", "Select: Sub")
	b.click("checkbox", "Select: One")
	b.drag(row(sub)+" .handle", `[data-list="`+list.ID+`"]`, 0)
	b.titles("Two", "Three")
	b.click("link", "Garden 2 open tasks")
	b.titles("Sub", "One")

	// Menus do the same.
	b.click("link", "Inbox 2 open tasks")
	b.click("button", "Actions for Three")
	b.click("button", "Make it a task of its own")
	b.see("button", "Make it part of the one above")
	require.Nil(t, taskOf(t, c, three).ParentID)
	b.click("button", "Make it part of the one above")
	b.see("button", "Subtasks of Two: 1")
	b.click("button", "Subtasks of Two: 1")
	b.titles("Two")
	b.press("j")
	b.press(kb.ArrowRight)
	b.titles("Two", "Three")
	b.at("Two")
	b.press("j")
	b.at("Three")
	b.press("<")
	b.gone("button", "Subtasks of Two: 1")
	b.at("Three")
	b.press(">")
	b.see("button", "Subtasks of Two: 1")
}

func TestAFinger(t *testing.T) {
	c := newUser(t)
	some := make([]thing, 30)
	for i := range some {
		some[i] = create(t, c, object{"title": fmt.Sprintf("Task %d", i)})
	}
	b := signIn(t, c)
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: 360, Height: 640, DeviceScaleFactor: 1, Mobile: true})
	call(b, emulation.SetTouchEmulationEnabled, emulation.SetTouchEmulationEnabledParams{Enabled: true})
	b.visit("/#/inbox")
	b.see("button", "Task 0")
	version := taskOf(t, c, some[1]).Version
	b.touch(row(some[1])+" .what", 60, 4) // not far enough
	b.touch(row(some[1])+" .what", 30, -200)
	b.eventually(func() error {
		if evaluate[float64](b, "scrollY") == 0 {
			return errors.New("it has not scrolled")
		}
		return nil
	})
	require.Equal(t, version, taskOf(t, c, some[1]).Version)
	b.atRest()
	b.touch(row(some[6])+" .what", 220, 6)
	b.reads("Completed: Task 6")
	b.gone("button", "Task 6")
	b.click("button", "Undo")
	b.see("button", "Task 6")
	b.atRest()
	b.touch(row(some[7])+" .what", -220, -6)
	b.reads("Deleted: Task 7")
	b.gone("button", "Task 7")
	b.click("button", "Undo")
	b.see("button", "Task 7")

	// By its handle a task goes to another place, also where the page has to scroll for it.
	evaluate[bool](b, "scrollTo({top: 0, behavior: 'instant'}), true")
	b.atRest()
	x, y := b.middleOf(row(some[0]) + " .handle")
	finger := func(kind input.DispatchTouchEventType, y float64) {
		points := []*input.TouchPoint{}
		if kind != input.DispatchTouchEventTypeTouchEnd {
			points = append(points, &input.TouchPoint{X: x, Y: y})
		}
		call(b, input.DispatchTouchEvent, input.DispatchTouchEventParams{Type: kind, TouchPoints: points})
	}
	finger(input.DispatchTouchEventTypeTouchStart, y)
	finger(input.DispatchTouchEventTypeTouchMove, y+40)
	finger(input.DispatchTouchEventTypeTouchMove, 638)
	b.eventually(func() error {
		if !evaluate[bool](b, "scrollY + innerHeight > document.documentElement.scrollHeight - 2") {
			return errors.New("it does not scroll to the end")
		}
		return nil
	})
	_, y = b.middleOf(row(some[29]))
	finger(input.DispatchTouchEventTypeTouchMove, y+5)
	finger(input.DispatchTouchEventTypeTouchEnd, 0)
	b.reads("Moved: Task 0")
	b.eventually(func() error {
		if got := evaluate[string](b, `[...document.querySelectorAll("main .title")].at(-1).innerText`); got != "Task 0" {
			return fmt.Errorf("the last one is %s", got)
		}
		return nil
	})
}

func TestGroupsInAList(t *testing.T) {
	c := newUser(t)
	create(t, c, object{"title": "Late", "due_at": "2020-02-03T04:05:00Z"})
	create(t, c, object{"title": "Never", "priority": "urgent"})
	create(t, c, object{"title": "Today", "due_at": time.Now().UTC().Format(time.DateOnly) + "T00:00:00Z", "all_day": true, "priority": "low"})
	b := signIn(t, c)
	b.click("link", "Inbox 3 open tasks")
	b.titles("Late", "Never", "Today")
	b.set("group-by", "due")
	b.titles("Late", "Today", "Never")
	b.see("heading", "Without a date")
	b.set("group-by", "priority")
	b.titles("Never", "Today", "Late")
	b.see("heading", "Urgent")
	b.visit("/?again#/inbox")
	b.titles("Never", "Today", "Late")
	b.set("group-by", "nothing")
	b.titles("Late", "Never", "Today")
}

func TestTheViewsOfTasksAreAccessible(t *testing.T) {
	c := newUser(t)
	me := ask[thing](t, c, http.MethodGet, "/api/auth/me", nil)
	parent := create(t, c, object{"title": "Beds", "priority": "urgent", "tags": []string{"green"}, "due_at": "2020-02-03T04:05:00Z", "assignee_id": me.ID})
	create(t, c, object{"title": "Dig", "parent_id": parent.ID})
	ask[any](t, c, http.MethodPost, "/api/lists", object{"name": strings.Repeat("Donaudampfschifffahrt", 4)})
	b := signIn(t, c)
	b.click("link", "Search")
	b.fill("searchbox", "Words in the title or description", "bed")
	b.see("button", "Beds")
	b.seemly("a search")
	b.fill("textbox", "Name of this search", "Beds everywhere")
	b.press("\r")
	b.see("link", "Beds everywhere")
	b.seemly("a search by name")
	b.click("link", "Assigned to me")
	b.see("button", "Beds")
	b.seemly("what is assigned")
	b.click("link", "Inbox 2 open tasks")
	b.see("button", "Subtasks of Beds: 1")
	b.click("button", "Select")
	b.click("checkbox", "Select: Dig")
	b.reads("1 selected")
	b.seemly("a selection")
	b.click("button", "Change or move …")
	b.see("dialog", "Change Dig")
	b.set("change-due", "on")
	b.see("Date", "Day")
	b.seemly("a change of several")
	b.press("\x1b")
	b.narrow()
	b.gone("dialog", "Change Dig")
	b.seemly("a selection on a phone")
	b.visit("/#/search?q=bed")
	b.see("heading", "Search")
	b.see("button", "Beds")
	b.seemly("a search on a phone")
}

// fillList makes open tasks in a list, or the inbox: Task 0, Task 1 and so on.
func fillList(t *testing.T, c *suite.Client, list *thing, n int) {
	t.Helper()
	for i := 0; i < n; i += 500 {
		var operations []object
		for j := i; j < min(n, i+500); j++ {
			task := object{"title": fmt.Sprintf("Task %d", j)}
			if list != nil {
				task["list_id"] = list.ID
			}
			if j%3 == 0 {
				task["due_at"], task["tags"] = time.Date(2031, 1, 1+j%300, 9, 0, 0, 0, time.UTC), []string{fmt.Sprintf("tag%d", j%20)}
			}
			operations = append(operations, object{"op": "create", "body": task})
		}
		ask[any](t, c, http.MethodPost, "/api/tasks/bulk", object{"operations": operations})
	}
}
