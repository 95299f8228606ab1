package web

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/test/suite"
)

// edited is a task as far as the dialog changes it.
type edited struct {
	ID, Title, Description, Timezone string
	Due                              string `json:"due_at"`
	AllDay                           bool   `json:"all_day"`
	Assignee                         string `json:"assignee_id"`
	Parent                           string `json:"parent_id"`
	Series                           string `json:"series_id"`
	Occurrence                       string
	Recurrence                       *struct{ RRule, Basis, Missed, Anchor string }
	Reminders                        []struct {
		ID, At string
		Before string `json:"before_due"`
		User   string `json:"user_id"`
	}
}

func read(t *testing.T, c *suite.Client, id string) edited {
	t.Helper()
	return ask[edited](t, c, http.MethodGet, "/api/tasks/"+id, nil)
}

// choose sets a field once it is there.
func (b *tab) choose(id, value string) {
	b.t.Helper()
	b.eventually(func() error {
		if !evaluate[bool](b, fmt.Sprintf(`document.getElementById(%q)?.disabled === false`, id)) {
			return fmt.Errorf("there is no field %s", id)
		}
		return nil
	})
	b.set(id, value)
}

// text waits until what a selector finds says something.
func (b *tab) text(selector string, want ...string) {
	b.t.Helper()
	b.eventually(func() error {
		said := evaluate[string](b, fmt.Sprintf(`document.querySelector(%q)?.innerText ?? "(nothing)"`, selector))
		for _, w := range want {
			if !strings.Contains(said, w) {
				return fmt.Errorf("%s says %q, and not %q", selector, said, w)
			}
		}
		return nil
	})
}

// focused waits until what has the focus has this accessible name.
func (b *tab) focused(name string) {
	b.t.Helper()
	b.eventually(func() error {
		at := evaluate[string](b, `document.activeElement.ariaLabel ?? document.activeElement.innerText`)
		if at != name {
			return fmt.Errorf("the focus is at %q, and not at %q", at, name)
		}
		return nil
	})
}

func (b *tab) value(id string) string {
	b.t.Helper()
	return evaluate[string](b, fmt.Sprintf(`document.getElementById(%q).value`, id))
}

// edit opens a task by the keyboard: what has just been said may lie over it.
func (b *tab) edit(title string) {
	b.t.Helper()
	b.do(title)
	b.see("dialog", "Edit task")
}

// special unfolds the special cases of a rule.
func (b *tab) special() {
	b.t.Helper()
	b.eventually(func() error {
		if !evaluate[bool](b, `!!document.querySelector("dialog summary")`) {
			return fmt.Errorf("there are no special cases")
		}
		return nil
	})
	evaluate[bool](b, `document.querySelector("dialog summary").click(), true`)
}

// save saves the dialog, and waits until it is closed.
func (b *tab) save() {
	b.t.Helper()
	b.do("Save")
	b.gone("dialog", "Edit task")
}

// do presses a button by the keyboard, whatever moves meanwhile.
func (b *tab) do(button string) {
	b.t.Helper()
	b.eventually(func() error {
		// It may be drawn anew between these.
		_, err := chromedp.Call(b.ctx, dom.Focus, dom.FocusParams{BackendNodeID: b.see("button", button)})
		return err
	})
	b.press("\r")
}

// A rule is what it was, whatever is saved beside it, and whether or not there are fields for it.
func TestARuleStaysAsItIsWritten(t *testing.T) {
	c := newUser(t)
	list := ask[thing](t, c, http.MethodPost, "/api/lists", object{"name": "Rules"})
	cases := []struct{ rule, opens, says string }{
		{"FREQ=DAILY", "daily", "Every day"},
		{"FREQ=DAILY;INTERVAL=3;COUNT=5", "daily", "Every 3 days, 5 times in all"},
		{"FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "weekdays", "Every weekday (Monday to Friday)"},
		{"FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TU,WE,TH,FR", "weekly", "Every 2 weeks on Mon, Tue, Wed, Thu, and Fri"},
		{"FREQ=WEEKLY;BYDAY=WE,MO", "weekly", "Every week on Mon and Wed"},
		{"freq=weekly;wkst=mo;interval=1", "weekly", "Every week"},
		{"FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=SU,MO", "other", "FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=SU,MO"},
		{"FREQ=MONTHLY", "monthly", "Every month"},
		{"UNTIL=20311231;FREQ=MONTHLY;BYMONTHDAY=15", "monthly", "Every month on day 15, until Wed, Dec 31, 2031"},
		{"FREQ=MONTHLY;BYMONTHDAY=-1", "monthly", "Every month on the last day"},
		{"FREQ=MONTHLY;BYDAY=2TU", "monthly", "Every month on the second Tuesday"},
		{"FREQ=MONTHLY;INTERVAL=2;BYDAY=-1FR", "monthly", "Every 2 months on the last Friday"},
		{"FREQ=YEARLY;INTERVAL=4", "yearly", "Every 4 years"},
		{"FREQ=MONTHLY;BYMONTHDAY=-2", "other", "FREQ=MONTHLY;BYMONTHDAY=-2"},
		{"FREQ=MONTHLY;BYMONTHDAY=1,15", "other", "FREQ=MONTHLY;BYMONTHDAY=1,15"},
		{"FREQ=MONTHLY;BYDAY=+1MO", "other", "FREQ=MONTHLY;BYDAY=+1MO"},
		{"FREQ=MONTHLY;BYDAY=MO,-1FR", "other", "FREQ=MONTHLY;BYDAY=MO,-1FR"},
		{"FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "other", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1"},
		{"FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=FR", "other", "FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=FR"},
		{"FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU", "other", "FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU"},
		{"FREQ=DAILY;UNTIL=20311231T230000Z", "other", "FREQ=DAILY;UNTIL=20311231T230000Z"},
		{"FREQ=DAILY;BYMONTH=1", "other", "FREQ=DAILY;BYMONTH=1"},
	}
	ids := make([]string, len(cases))
	for i, tc := range cases {
		ids[i] = create(t, c, object{"title": fmt.Sprintf("Rule %d.", i), "list_id": list.ID, "due_at": "2031-01-31T09:00:00Z", "recurrence": object{"rrule": tc.rule}}).ID
	}
	b := signIn(t, c)
	b.click("link", fmt.Sprintf("Rules %d open tasks", len(cases)))
	for i, tc := range cases {
		t.Run(tc.rule, func(t *testing.T) {
			at := b.t
			b.t = t
			defer func() { b.t = at }()
			title := fmt.Sprintf("Rule %d.", i)
			b.text(fmt.Sprintf(`[data-task=%q]`, ids[i]), "repeats: "+tc.says)
			b.edit(title)
			require.Equal(t, tc.opens, b.value("repeat"))
			b.fill("textbox", "Description", "looked at")
			b.save()
			is := read(t, c, ids[i])
			require.Equal(t, "looked at", is.Description)
			require.Equal(t, tc.rule, is.Recurrence.RRule)
			require.Equal(t, "2031-01-31T09:00:00", is.Recurrence.Anchor)
		})
	}
}

func TestRulesAreBuilt(t *testing.T) {
	c := newUser(t)
	id := create(t, c, object{"title": "Built", "due_at": "2031-01-31T09:00:00Z"}).ID
	b := signIn(t, c)
	b.click("link", "Inbox 1 open task")
	for _, tc := range []struct {
		name   string
		fields [][2]string
		days   []string
		want   string
		dates  []string
	}{
		{"every third day, five times", [][2]string{{"repeat", "daily"}, {"interval", "3"}, {"end", "count"}, {"count", "3"}}, nil, "FREQ=DAILY;INTERVAL=3;COUNT=3", []string{"Mon, Feb 3, 2031", "Thu, Feb 6, 2031"}},
		{"two days of every other week", [][2]string{{"repeat", "weekly"}, {"interval", "2"}, {"end", "never"}}, []string{"Sunday", "Tuesday"}, "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU", []string{"Sun, Feb 2, 2031", "Tue, Feb 11, 2031"}},
		{"weekdays", [][2]string{{"repeat", "weekdays"}}, nil, "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", []string{"Mon, Feb 3, 2031", "Fri, Feb 7, 2031"}},
		{"monthly, on the day of the date", [][2]string{{"repeat", "monthly"}, {"interval", "1"}}, nil, "FREQ=MONTHLY", []string{"Fri, Feb 28, 2031", "the month's last day", "Mon, Mar 31, 2031"}},
		{"a day of the month, to the end of the year", [][2]string{{"repeat", "monthly"}, {"month-on", "day"}, {"month-day", "30"}, {"end", "until"}, {"until", "2031-12-31"}}, nil, "FREQ=MONTHLY;BYMONTHDAY=30;UNTIL=20311231", []string{"Sun, Mar 30, 2031", "none in between"}},
		{"the last day", [][2]string{{"month-on", "last"}, {"end", "never"}}, nil, "FREQ=MONTHLY;BYMONTHDAY=-1", []string{"Fri, Feb 28, 2031"}},
		{"the second Tuesday", [][2]string{{"month-on", "nth"}, {"month-nth", "2"}, {"month-weekday", "TU"}}, nil, "FREQ=MONTHLY;BYDAY=2TU", []string{"Tue, Feb 11, 2031"}},
		{"yearly, from when it was done", [][2]string{{"repeat", "yearly"}, {"basis", "completion"}}, nil, "FREQ=YEARLY", []string{"Sat, Jan 31, 2032"}},
		{"another one", [][2]string{{"repeat", "other"}, {"rule", "FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU"}}, nil, "FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU", []string{"Sun, Mar 28, 2032"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			at := b.t
			b.t = t
			defer func() { b.t = at }()
			b.edit("Built")
			for _, f := range tc.fields {
				b.choose(f[0], f[1])
			}
			for _, day := range tc.days {
				b.click("checkbox", day)
			}
			b.text(".dates", tc.dates...)
			b.save()
			require.Equal(t, tc.want, read(t, c, id).Recurrence.RRule)
		})
	}
	is := read(t, c, id)
	require.Equal(t, "completion", is.Recurrence.Basis)
	b.edit("Built")
	b.choose("repeat", "never")
	b.save()
	require.Nil(t, read(t, c, id).Recurrence)
}

// gap is the day after tomorrow or later on which the clocks of Berlin go forward.
func gap(t *testing.T) time.Time {
	t.Helper()
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	for day := time.Now().In(berlin).AddDate(0, 0, 2); ; day = day.AddDate(0, 0, 1) {
		noon := time.Date(day.Year(), day.Month(), day.Day(), 12, 0, 0, 0, berlin)
		_, before := noon.AddDate(0, 0, -1).Zone()
		if _, after := noon.Zone(); after > before {
			return noon
		}
	}
}

func TestTheNextDatesAreExplained(t *testing.T) {
	c, err := s.Register(t.Context(), fmt.Sprintf("web%d@example.org", time.Now().UnixNano()), "Europe/Berlin")
	require.NoError(t, err)
	day := gap(t)
	eve := time.Date(day.Year(), day.Month(), day.Day()-1, 2, 30, 0, 0, day.Location())
	create(t, c, object{"title": "At night", "due_at": eve.Format(time.RFC3339), "recurrence": object{"rrule": "FREQ=DAILY"}})
	create(t, c, object{"title": "By day", "due_at": eve.Add(7 * time.Hour).Format(time.RFC3339), "recurrence": object{"rrule": "FREQ=DAILY"}})
	rent := create(t, c, object{"title": "Rent", "due_at": "2031-01-31T09:00:00+01:00", "recurrence": object{"rrule": "FREQ=MONTHLY;COUNT=3"}})
	create(t, c, object{"title": "Late", "due_at": "2021-01-31T00:00:00Z", "all_day": true, "recurrence": object{"rrule": "FREQ=DAILY"}})
	long := func(at time.Time) string { return at.Format("Mon, Jan 2, 2006") }

	b := signIn(t, c)
	b.click("link", "Inbox 4 open tasks")
	b.edit("At night")
	b.text(".dates li:nth-child(1)", long(day), "3:30", "the clocks jump over the time that day")
	b.text(".dates li:nth-child(2)", long(day.AddDate(0, 0, 1)), "2:30")
	b.special()
	b.choose("dst_gap", "skip")
	b.text(".dates li:nth-child(1)", long(day.AddDate(0, 0, 1)), "none in between")
	b.choose("repeat", "other")
	b.choose("rule", "FREQ=HOURLY")
	b.text("#rule-wrong", "FREQ must be DAILY, WEEKLY, MONTHLY or YEARLY")
	b.choose("rule", "FREQ=DAILY;INTERVAL=2")
	b.text(".dates li:nth-child(1)", long(day.AddDate(0, 0, 1)))
	b.text("#rule-wrong", "")
	b.save()

	b.edit("By day")
	b.text(".dates li:nth-child(1)", long(day), "9:30", "the clocks were changed, the time of day stays")
	b.do("Cancel")

	// What is late is followed by what lies ahead.
	b.edit("Late")
	today := time.Now().In(day.Location())
	b.text(".dates li:nth-child(1)", today.AddDate(0, 0, 1).Format("Mon, Jan 2, 2006"))
	b.do("Cancel")

	// A series goes on from its anchor, and COUNT has left what it had.
	b.click("checkbox", "Complete: Rent")
	var next edited
	b.eventually(func() error {
		found := ask[struct{ Items []edited }](t, c, http.MethodGet, "/api/tasks?is_complete=false&series_id="+read(t, c, rent.ID).Series, nil)
		if len(found.Items) != 1 || found.Items[0].ID == rent.ID {
			return fmt.Errorf("%d are open", len(found.Items))
		}
		next = found.Items[0]
		return nil
	})
	require.Equal(t, "2031-02-28T09:00:00", next.Occurrence)
	b.text(fmt.Sprintf(`[data-task=%q]`, next.ID), "Rent")
	b.edit("Rent")
	b.text("dialog", "Counted from Fri, Jan 31, 2031.")
	b.text(".dates", "Mon, Mar 31, 2031")
	require.Equal(t, 1, evaluate[int](b, `document.querySelectorAll(".dates li").length`))
	b.do("Cancel")
}

func TestThisOrFollowing(t *testing.T) {
	c := newUser(t)
	weekly := create(t, c, object{"title": "Bins", "due_at": "2031-01-06T09:00:00Z", "recurrence": object{"rrule": "FREQ=WEEKLY"}})
	b := signIn(t, c)
	b.click("link", "Inbox 1 open task")

	// One alone, and the following ones, too.
	b.edit("Bins")
	require.False(t, evaluate[bool](b, `document.getElementById("scope") !== null`))
	b.choose("due", "2031-01-07")
	b.text(".dates", "Mon, Jan 13, 2031")
	b.save()
	is := read(t, c, weekly.ID)
	require.Equal(t, "2031-01-07T09:00:00Z", is.Due)
	require.Equal(t, "2031-01-06T09:00:00", is.Recurrence.Anchor)
	b.edit("Bins")
	b.choose("due", "2031-01-08")
	b.choose("scope", "following")
	b.text(".dates", "Wed, Jan 15, 2031")
	b.save()
	is = read(t, c, weekly.ID)
	require.Equal(t, "2031-01-08T09:00:00", is.Recurrence.Anchor)

	// Skipped, and not skipped after all.
	b.edit("Bins")
	b.do("Skip this date")
	b.gone("dialog", "Edit task")
	b.reads("Skipped: Bins. Next: Wed, Jan 15, 2031, 9:00")
	b.click("button", "Undo")
	b.reads("Undone.")
	b.eventually(func() error {
		if due := evaluate[string](b, `[...document.querySelectorAll("[data-task]")].map((row) => row.innerText).join("|")`); !strings.Contains(due, "Jan 8") || strings.Contains(due, "Jan 15") {
			return fmt.Errorf("the rows say %q", due)
		}
		return nil
	})

	// Put off, by the same time of day.
	b.click("button", "Actions for Bins")
	b.see("button", "Delete, and end the series")
	b.click("button", "A week later")
	b.reads("Wed, Jan 15, 2031, 9:00")
	b.eventually(func() error {
		if due := read(t, c, weekly.ID).Due; due != "2031-01-15T09:00:00Z" {
			return fmt.Errorf("it is due %s", due)
		}
		return nil
	})
	b.click("button", "Undo")
	b.reads("Wed, Jan 8, 2031, 9:00")

	// The last one of a rule can not be skipped.
	b.edit("Bins")
	b.choose("end", "until")
	b.choose("until", "2031-01-10")
	b.text("dialog", "None: this one is the last.")
	b.save()
	b.do("Skip this date")
	b.reads("It is the last one of its rule")
}

func TestRemindersAndWhoIsToDoIt(t *testing.T) {
	c, other := newUser(t), newUser(t)
	list := ask[thing](t, c, http.MethodPost, "/api/lists", object{"name": "Shared"})
	invitation := ask[thing](t, c, http.MethodPost, "/api/lists/"+list.ID+"/members", object{"email": other.Email, "role": "editor"})
	ask[any](t, other, http.MethodPost, "/api/invitations/"+invitation.ID+"/accept", nil)
	me := ask[thing](t, c, http.MethodGet, "/api/auth/me", nil).ID
	you := ask[thing](t, other, http.MethodGet, "/api/auth/me", nil).ID
	id := create(t, c, object{"title": "Call", "list_id": list.ID, "due_at": "2031-03-31T09:00:00Z", "timezone": "Europe/Berlin", "reminders": []object{{"before_due": "P1DT2H"}, {"at": "2020-01-02T03:04:00Z"}}}).ID
	ask[any](t, other, http.MethodPatch, "/api/tasks/"+id, object{"reminders": []object{{"before_due": "PT1H"}}})
	before := read(t, c, id)
	yours := func(is edited) []string {
		var all []string
		for _, r := range is.Reminders {
			if r.User == you {
				all = append(all, r.ID)
			}
		}
		return all
	}
	mine := func(is edited) []string {
		var all []string
		for _, r := range is.Reminders {
			if r.User == me {
				all = append(all, r.Before+r.At)
			}
		}
		return all
	}
	b := signIn(t, c)
	b.click("link", "Shared 1 open task")
	b.edit("Call")
	b.text(".reminders", "1 day, 2 hours before", "Jan 2, 2020, 3:04", "(past)", "And 1 of somebody else.")
	b.choose("remind-n", "30")
	b.click("button", "Add the reminder")
	b.see("button", "Remove the reminder: 30 minutes before")
	b.click("button", "Add the reminder") // once is enough
	b.choose("remind", "due")
	b.click("button", "Add the reminder")
	b.see("button", "Remove the reminder: When it is due")
	b.choose("remind", "at")
	b.choose("remind-day", "2031-02-03")
	b.choose("remind-time", "04:05")
	b.click("button", "Add the reminder")
	// Browsers differ in the space before AM.
	evaluate[bool](b, `[...document.querySelectorAll(".reminders button")].find((e) => e.ariaLabel?.includes("2020")).click(), true`)
	b.choose("assignee", you)
	b.choose("zone", "America/New_York")
	b.see("textbox", "Description")
	b.reads("Time (America/New_York) (optional)")
	b.save()
	is := read(t, c, id)
	require.Equal(t, []string{"P1DT2H", "PT30M", "PT0S", "2031-02-03T04:05:00Z"}, mine(is))
	require.Equal(t, before.Reminders[0].ID, is.Reminders[0].ID, "a reminder that stays is the same one")
	for _, r := range yours(before) {
		require.Contains(t, yours(is), r)
	}
	require.Equal(t, you, is.Assignee)
	require.Equal(t, "America/New_York", is.Timezone)
	require.Equal(t, "2031-03-31T15:00:00Z", is.Due, "11:00 there")

	b.edit("Call")
	require.Equal(t, "11:00", b.value("time"))
	b.choose("zone", "Europe/Nowhere")
	b.do("Save")
	b.eventually(func() error {
		if evaluate[string](b, `document.getElementById("zone-wrong").innerText`) == "" {
			return fmt.Errorf("a zone that does not exist was taken")
		}
		return nil
	})
	b.choose("zone", "UTC")
	b.choose("due", "")
	b.text(".reminders", "rests, there is no due date")
	require.Equal(t, "at", b.value("remind"))
	b.save()
	require.Empty(t, read(t, c, id).Due)
}

func TestSubtasksByKeyboard(t *testing.T) {
	c := newUser(t)
	trip := create(t, c, object{"title": "Trip"})
	b := signIn(t, c)
	b.click("link", "Inbox 1 open task")
	b.see("button", "Trip")
	b.press("j")
	b.at("Trip")
	b.press("\r")
	b.see("dialog", "Edit task")
	for _, title := range []string{"Tickets", "Hotel", "Bag"} {
		b.fill("textbox", "Add a subtask", title)
		b.press("\r")
		b.see("button", title)
	}
	order := func() []string {
		return evaluate[[]string](b, `[...document.querySelectorAll("[data-subtask] .title")].map((e) => e.innerText)`)
	}
	ordered := func(want ...string) {
		t.Helper()
		b.eventually(func() error {
			if is := order(); !slices.Equal(is, want) {
				return fmt.Errorf("the order is %v", is)
			}
			return nil
		})
	}
	ordered("Tickets", "Hotel", "Bag")
	evaluate[bool](b, `[...document.querySelectorAll("[data-subtask] .title")].at(-1).focus(), true`)
	b.press(kb.ArrowUp, chromedp.ModifierAlt)
	ordered("Tickets", "Bag", "Hotel")
	b.focused("Bag")
	b.press(kb.ArrowUp, chromedp.ModifierAlt)
	ordered("Bag", "Tickets", "Hotel")
	b.focused("Bag")

	// Into one, and back where one was.
	b.press("\r")
	b.eventually(func() error {
		if is := b.value("title"); is != "Bag" {
			return fmt.Errorf("%q is open", is)
		}
		return nil
	})
	b.fill("textbox", "Description", "The red one")
	b.press("\r", chromedp.ModifierCtrl)
	ordered("Bag", "Tickets", "Hotel")
	require.Equal(t, "Trip", b.value("title"))
	b.focused("Bag")
	b.press("\r")
	b.see("heading", "Edit task")
	b.eventually(func() error {
		if is := b.value("description"); is != "The red one" {
			return fmt.Errorf("it says %q", is)
		}
		return nil
	})
	b.press("\x1b")
	b.focused("Bag")

	// What is done is said in the dialog, and undone there.
	b.click("checkbox", "Complete: Tickets")
	b.reads("Completed: Tickets")
	b.click("button", "Delete: Hotel")
	b.gone("button", "Hotel")
	b.focused("Tickets")
	b.reads("Deleted: Hotel")
	b.click("button", "Undo")
	ordered("Bag", "Tickets", "Hotel")
	b.press("\x1b")
	b.gone("dialog", "Edit task")
	found := ask[struct{ Items []edited }](t, c, http.MethodGet, "/api/tasks?parent_id="+trip.ID, nil)
	require.Len(t, found.Items, 3)

	// From the list, the way to the whole.
	b.click("button", "Bag")
	b.click("button", "Part of Trip")
	b.focused("Bag")
	require.Equal(t, "Trip", b.value("title"))
	b.press("\x1b")
	b.gone("dialog", "Edit task")

	// One that is done in its dialog.
	b.click("button", "Bag")
	b.click("checkbox", "Done")
	b.save()
	b.gone("button", "Bag")
}

// What is typed stays where somebody goes to another task by mistake.
func TestAnUnsavedDraftIsNotLeftForASubtask(t *testing.T) {
	c := newUser(t)
	parent := create(t, c, object{"title": "Whole"})
	create(t, c, object{"title": "Half", "parent_id": parent.ID})
	b := signIn(t, c)
	asked := make(chan struct{}, 1)
	b.asked(func() bool {
		asked <- struct{}{}
		return false
	})
	b.click("link", "Inbox 2 open tasks")
	b.click("button", "Whole")
	b.fill("textbox", "Description", "Not yet saved")
	evaluate[bool](b, `setTimeout(() => document.querySelector("[data-subtask] .title").click()), true`)
	arrives(t, asked)
	require.Equal(t, "Not yet saved", b.value("description"))
	b.save()
	require.Equal(t, "Not yet saved", read(t, c, parent.ID).Description)
}

// The dialog with all that it can show, in German, for whoever can not see, and on a phone.
func TestTheWholeDialogIsAccessible(t *testing.T) {
	c, other := newUser(t), newUser(t)
	list := ask[thing](t, c, http.MethodPost, "/api/lists", object{"name": "Garten"})
	invitation := ask[thing](t, c, http.MethodPost, "/api/lists/"+list.ID+"/members", object{"email": other.Email, "role": "editor"})
	ask[any](t, other, http.MethodPost, "/api/invitations/"+invitation.ID+"/accept", nil)
	whole := create(t, c, object{
		"title": "Gießen", "list_id": list.ID, "due_at": "2031-01-31T09:00:00Z", "timezone": "Europe/Berlin", "recurrence": object{"rrule": "FREQ=MONTHLY;INTERVAL=2;BYDAY=-1FR;COUNT=9", "basis": "completion"},
		"reminders": []object{{"before_due": "P1W"}, {"before_due": "PT0S"}, {"at": "2020-01-02T03:04:00Z"}},
	})
	ask[any](t, other, http.MethodPatch, "/api/tasks/"+whole.ID, object{"reminders": []object{{"before_due": "PT1H"}}})
	for _, title := range []string{"Kanne füllen", "Schlauch"} {
		create(t, c, object{"title": title, "parent_id": whole.ID})
	}
	b := open(t)
	b.asksFor("de-DE")
	call(b, emulation.SetLocaleOverride, emulation.SetLocaleOverrideParams{Locale: "de_DE"})
	b.visit("/")
	b.fill("textbox", "E-Mail-Adresse", c.Email)
	b.fill("textbox", "Passwort", suite.Password)
	b.click("button", "Anmelden")
	b.click("link", "Garten 3 offene Aufgaben")
	b.reads("Alle 2 Monate am letzten Freitag, gezählt vom Erledigen, insgesamt 9-mal")
	b.click("button", "Gießen")
	b.text(".dates", "2031")
	b.choose("due", "2031-02-01")
	b.choose("repeat", "weekly")
	b.click("checkbox", "Montag")
	b.choose("due", "2031-01-31")
	b.choose("repeat", "monthly")
	b.special()
	b.see("combobox", "Wenn der Monat den Tag nicht hat")
	b.choose("remind", "at")
	b.text(".reminders", "1 Woche vorher", "Wenn es fällig ist", "vorbei", "Und 1 von jemand anderem.")
	b.choose("end", "until")
	b.choose("until", "2031-12-31")
	b.text(".dates", "2031")
	b.accessible("a monthly rule")
	b.choose("repeat", "weekly")
	b.see("checkbox", "Montag")
	b.narrow()
	b.accessible("a weekly rule on a phone")
	require.LessOrEqual(t, evaluate[int](b, `document.querySelector("dialog").scrollWidth - document.querySelector("dialog").clientWidth`), 0, "it is too wide")
}
