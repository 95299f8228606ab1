package web

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/test/suite"
)

// What somebody does on the first day, without a manual.
func TestTheFirstDay(t *testing.T) {
	b := open(t)
	b.see("heading", "Sign in")
	b.click("button", "Create an account")
	email := fmt.Sprintf("newcomer%d@example.org", time.Now().UnixNano())
	b.fill("textbox", "E-mail address", email)
	b.fill("textbox", "Name (optional)", "Robin")
	b.fill("textbox", "Password", "password12")
	b.click("button", "Create an account")
	b.see("alert", "")
	b.fill("textbox", "Password", suite.Password)
	b.click("button", "Create an account")
	b.see("heading", "Today")

	b.add("Add a task for today", "Water the orchids")
	b.reads("Added: Water the orchids")
	b.see("heading", "Today")

	// Done, and not done after all.
	b.click("checkbox", "Complete: Water the orchids")
	b.reads("Completed: Water the orchids")
	b.gone("button", "Water the orchids")
	b.click("button", "Undo")
	b.reads("Undone.")
	b.see("button", "Water the orchids")
	b.click("button", "Redo")
	b.gone("button", "Water the orchids")
	b.click("button", "Undo")
	b.see("button", "Water the orchids")

	// All that there is to change.
	b.click("button", "Water the orchids")
	b.fill("textbox", "Title", "Water all orchids")
	b.fill("textbox", "Description", "Not too much.")
	b.set("due", time.Now().UTC().AddDate(0, 0, 2).Format(time.DateOnly))
	b.set("time", "09:30")
	b.set("priority", "high")
	b.set("repeat", "weekly")
	b.fill("textbox", "Tags", "home, green")
	b.click("button", "Save")
	b.reads("Saved.")
	b.gone("dialog", "Edit task")
	b.gone("button", "Water all orchids")
	b.click("link", "Upcoming")
	b.see("button", "Water all orchids")
	for _, want := range []string{"9:30", "High", "#home", "#green", "Every week"} {
		b.reads(want)
	}

	// What became of it.
	b.click("button", "Actions for Water all orchids")
	b.click("button", "History")
	b.see("dialog", "History of Water all orchids")
	b.reads("Water all orchids")
	b.see("deletion", "")
	pairs := func() string {
		return evaluate[string](b, `[...document.querySelectorAll("dialog dd")].map((d) => d.innerText.replace(/\s+/g, " ")).join("|")`)
	}
	b.eventually(func() error {
		if said := pairs(); !strings.Contains(said, "before: Water the orchids after: Water all orchids") || !strings.Contains(said, "before: None after: High") {
			return fmt.Errorf("the history says %s", said)
		}
		return nil
	})
	b.click("button", "Close")
	b.gone("dialog", "History of Water all orchids")

	// Gone, and back.
	b.click("button", "Delete, and end the series")
	b.gone("button", "Water all orchids")
	b.click("link", "Trash")
	b.click("button", "Restore: Water all orchids")
	b.reads("Restored: Water all orchids")
	b.see("StaticText", "The trash is empty.")
	b.click("link", "Upcoming")
	b.see("button", "Water all orchids")

	b.click("button", "Sign out")
	b.see("heading", "Sign in")
	b.fill("textbox", "E-mail address", email)
	b.fill("textbox", "Password", "wrong horse battery")
	b.click("button", "Sign in")
	b.see("alert", "")
	b.fill("textbox", "Password", suite.Password)
	b.click("button", "Sign in")
	b.see("heading", "Upcoming")
	b.see("button", "Water all orchids")
	b.visit("/?again")
	b.see("heading", "Today")
}

// What somebody who has never seen taskwire does first, without a manual: register, add a
// task that comes back, complete it, take that back, and read what became of it.
func TestANewcomer(t *testing.T) {
	b := open(t)
	b.click("button", "Create an account")
	b.fill("textbox", "E-mail address", fmt.Sprintf("orchids%d@example.org", time.Now().UnixNano()))
	b.fill("textbox", "Password", suite.Password)
	b.click("button", "Create an account")
	b.see("heading", "Today")
	b.see("StaticText", "Nothing is due. Add a task above, or press n.")
	b.click("button", "+ New list")
	b.fill("textbox", "Name of the list", "home")
	b.press("\r")
	b.see("heading", "home")

	// It is seen as it is understood, before it is there.
	b.click("link", "Upcoming")
	b.fill("textbox", "Add a task for tomorrow", "Water the orchids every friday 9:00 #home !high")
	for _, part := range []string{"every friday 9:00", "#home", "!high"} {
		b.see("button", "Keep as text: "+part)
	}
	b.press("\r")
	b.see("button", "Water the orchids")
	b.text("main [data-task]", "9:00", "Every week", "Fri", "High", "home")
	day := func() string { return evaluate[string](b, `document.querySelector("main h2")?.innerText ?? ""`) }
	first := day()

	// Done: the next one is there, a week later.
	b.click("checkbox", "Complete: Water the orchids")
	b.reads("Completed: Water the orchids")
	b.eventually(func() error {
		if next := evaluate[int](b, `document.querySelectorAll("main [data-task]").length`); next != 1 || day() == "" || day() == first {
			return fmt.Errorf("%d tasks, on %s as before", next, day())
		}
		return nil
	})

	// Not done after all: the one of this week is there, and it alone.
	b.press("u")
	b.reads("Undone.")
	b.eventually(func() error {
		if there := evaluate[int](b, `document.querySelectorAll("main [data-task]").length`); there != 1 || day() != first {
			return fmt.Errorf("%d tasks, on %s", there, day())
		}
		return nil
	})

	// What became of it.
	b.click("button", "Actions for Water the orchids")
	b.click("button", "History")
	b.see("dialog", "History of Water the orchids")
	b.reads("Created")
	b.reads("Completed")
}

func TestAForgottenPasswordIsMailed(t *testing.T) {
	c := newUser(t)
	b := open(t)
	b.click("button", "Forgot your password?")
	b.fill("textbox", "E-mail address", c.Email)
	b.click("button", "Send the link")
	b.reads("a mail is on its way to " + c.Email)
	b.eventually(func() error {
		mails, err := s.Mails(c.Email)
		if err == nil && !slices.ContainsFunc(mails, func(mail string) bool { return strings.Contains(mail, "/account/reset#") }) {
			err = fmt.Errorf("%d mails, and none with a link", len(mails))
		}
		return err
	})
}

// Where addresses have to be verified nobody is signed in before.
func TestAnAddressIsVerifiedFirst(t *testing.T) {
	dir, err := suite.NewDir("verified")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	strict, err := suite.Start(t.Context(), dir, append(suite.WithoutLimits(), "MAIL_VERIFICATION=required")...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, strict.Stop()) })
	b := openAt(t, strict.API)
	const email = "robin@example.org"
	b.click("button", "Create an account")
	b.fill("textbox", "E-mail address", email)
	b.fill("textbox", "Password", suite.Password)
	b.click("button", "Create an account")
	b.reads("a mail is on its way to " + email)
	b.click("button", "Back to sign in")
	b.fill("textbox", "Password", suite.Password)
	b.click("button", "Sign in")
	b.click("button", "Send the mail again")
	b.reads("a mail is on its way to " + email)
	// The second mail may have ended what the first was good for.
	link := regexp.MustCompile(`/account/verify#\S+`)
	b.eventually(func() error {
		mails, err := strict.Mails(email)
		if err != nil || len(mails) < 2 {
			return fmt.Errorf("%d mails: %w", len(mails), err)
		}
		for _, mail := range mails {
			mail = strings.NewReplacer("=\r\n", "", "=\n", "", "=3D", "=").Replace(mail) // quoted-printable
			b.visit("/")
			b.visit(link.FindString(mail))
			b.click("button", "Confirm")
			b.eventually(func() error {
				if said := evaluate[string](b, `document.querySelector("[role=status]").innerText`); said == "" || said == "…" {
					return errors.New("it says nothing yet")
				}
				return nil
			})
			a, err := (&suite.Client{Base: strict.API}).Do(t.Context(), http.MethodPost, "/api/auth/login", object{"email": email, "password": suite.Password})
			if err != nil || a.Status == http.StatusOK {
				return err
			}
		}
		return errors.New("no link is good")
	})
	b.visit("/")
	b.fill("textbox", "E-mail address", email)
	b.fill("textbox", "Password", suite.Password)
	b.click("button", "Sign in")
	b.see("heading", "Today")
}

func TestLists(t *testing.T) {
	c := newUser(t)
	b := signIn(t, c)
	b.click("button", "+ New list")
	b.fill("textbox", "Name of the list", "Garden")
	b.press("\r")
	b.see("heading", "Garden")
	b.add("Add a task to Garden", "Plant beans")
	b.add("Add a task to Garden", "Weed")
	b.click("button", "Actions for Weed")
	b.click("button", "Delete")
	b.gone("button", "Weed")
	b.click("button", "List settings")
	b.fill("textbox", "Name of the list", "Allotment")
	b.press("\r")
	b.see("heading", "Allotment")
	b.see("button", "Plant beans")
	b.click("button", "Delete list")
	b.see("heading", "Today")
	b.gone("link", "Allotment 1 open task")
	b.click("button", "Undo")
	b.click("link", "Allotment 1 open task")
	b.see("button", "Plant beans")

	// A list that somebody may read alone offers nothing to change.
	owner := newUser(t)
	list := ask[thing](t, owner, http.MethodPost, "/api/lists", object{"name": "Theirs"})
	task := create(t, owner, object{"title": "Look", "list_id": list.ID})
	invitation := ask[thing](t, owner, http.MethodPost, "/api/lists/"+list.ID+"/members", object{"email": c.Email, "role": "viewer"})
	ask[any](t, c, http.MethodPost, "/api/invitations/"+invitation.ID+"/accept", nil)
	b.click("link", "Theirs 1 open task")
	b.see("button", "Look")
	b.gone("textbox", "Add a task to Theirs")
	b.gone("button", "Delete list")
	b.click("button", "Look")
	b.reads("You may read this list, not change it.")
	b.press("\x1b")

	// And it is gone with the membership, with what is open of it.
	me := ask[struct{ ID string }](t, c, http.MethodGet, "/api/auth/me", nil)
	ask[any](t, owner, http.MethodDelete, "/api/lists/"+list.ID+"/members/"+me.ID, nil)
	b.see("heading", "Today")
	b.gone("link", "Theirs 1 open task")
	ask[any](t, owner, http.MethodDelete, "/api/tasks/"+task.ID, nil)
}

// Who is fast makes a list while the first answer, which does not have it, is on its way.
func TestWhatIsMadeBeforeThePageIsReadStays(t *testing.T) {
	c := newUser(t)
	b := open(t)
	held := make(chan fetch.RequestID, 1)
	require.NoError(t, chromedp.Listen(b.ctx, func(ev any) {
		if paused, ok := ev.(*fetch.EventRequestPaused); ok {
			held <- paused.RequestID
		}
	}))
	call(b, fetch.Enable, fetch.EnableParams{Patterns: []*fetch.RequestPattern{{URLPattern: "*/api/snapshot", RequestStage: fetch.RequestStageResponse}}})
	b.fill("textbox", "E-mail address", c.Email)
	b.fill("textbox", "Password", suite.Password)
	b.click("button", "Sign in")
	snapshot := arrives(t, held)
	b.click("button", "+ New list")
	b.fill("textbox", "Name of the list", "Early")
	b.press("\r")
	b.see("heading", "Early")
	call(b, fetch.ContinueRequest, fetch.ContinueRequestParams{RequestID: snapshot})
	b.add("Add a task to Early", "First")
	b.see("heading", "Early")
}

// Of several changes the usual one is seen elsewhere in half a second: one may meet a busy machine.
func TestTwoBrowsersSeeEachOthersChanges(t *testing.T) {
	c := newUser(t)
	list := ask[thing](t, c, http.MethodPost, "/api/lists", object{"name": "Shared"})
	one, other := signIn(t, c), signIn(t, c)
	for _, b := range []*tab{one, other} {
		b.click("link", "Shared")
		b.see("heading", "Shared")
	}
	var took []time.Duration
	for i := range 7 {
		title := fmt.Sprintf("Task %d", i)
		one.fill("textbox", "Add a task to Shared", title)
		began := time.Now()
		one.press("\r")
		require.True(t, evaluate[bool](other, fmt.Sprintf(`new Promise((seen, never) => {
			const look = () => [...document.querySelectorAll("main .title")].some((b) => b.innerText === %q) && seen(true);
			new MutationObserver(look).observe(document.body, {subtree: true, childList: true, characterData: true});
			look();
			setTimeout(() => never(new Error("not seen")), 10000);
		})`, title)))
		took = append(took, time.Since(began))
		one.see("button", title)
	}
	slices.Sort(took)
	t.Logf("seen by the other browser after %v", took)
	require.Less(t, took[len(took)/2], 2*time.Second, "who asks now and then would be later")

	// Both ways, and what is open in a form stays as it was typed.
	other.click("button", "Task 0")
	other.fill("textbox", "Description", "Typed here")
	one.click("button", "Task 0")
	one.fill("textbox", "Title", "Task zero")
	one.click("button", "Save")
	one.see("button", "Task zero")
	other.eventually(func() error {
		if titles := evaluate[[]string](other, `[...document.querySelectorAll("main .title")].map((e) => e.innerText)`); !slices.Contains(titles, "Task zero") {
			return fmt.Errorf("behind the form there are %q", titles)
		}
		return nil
	})
	other.see("button", "Save")
	other.click("button", "Save")
	var got struct{ Title, Description string }
	other.eventually(func() error {
		tasks := ask[struct {
			Items []struct{ Title, Description string }
		}](t, c, http.MethodGet, "/api/tasks?sort=position&list_id="+list.ID, nil)
		if got = tasks.Items[0]; got.Description == "" {
			return fmt.Errorf("%+v", got)
		}
		return nil
	})
	require.Equal(t, "Task zero", got.Title)
	require.Equal(t, "Typed here", got.Description)
}

func TestThePageComesBackWithTheServer(t *testing.T) {
	c := newUser(t)
	b := signIn(t, c)
	b.click("link", "Inbox")
	b.fill("textbox", "Add a task to Inbox", "Half of a ti")
	require.NoError(t, s.Signal("task-api", syscall.SIGKILL))
	b.reads("Not connected. Trying again …")
	b.eventually(func() error {
		a, err := c.Do(t.Context(), http.MethodPost, "/api/tasks", object{"title": "Made meanwhile"})
		if err == nil && a.Status != http.StatusCreated {
			err = fmt.Errorf("%d", a.Status)
		}
		return err
	})
	b.see("button", "Made meanwhile")
	require.Equal(t, "Half of a ti", evaluate[string](b, `document.getElementById("add").value`))
	b.gone("StaticText", "Not connected. Trying again …")

	// And a session that has ended elsewhere ends here.
	ask[any](t, c, http.MethodDelete, "/api/auth/sessions", nil)
	b.see("heading", "Sign in")
}

// naughty are texts that others have written, as bad as they can be.
var naughty = []string{
	`<script>window.pwned = 1</script>`, `<img src=x onerror="window.pwned = 1">`, `"><svg onload=window.pwned=1>`, `javascript:window.pwned=1`,
	`{{constructor.constructor('window.pwned=1')()}}`, `'; DROP TABLE tasks; --`, "\u202Eright to left override", "\u2066\u2067 isolates", "שלום עולם", "Z̸̢a̷l̴g̵o", "🏳️‍🌈👩‍👩‍👧‍👦",
	"__proto__", "constructor", strings.Repeat("W", 200), "&lt;b&gt;", "a\tb",
}

func TestTextsAreShownAsTheyAre(t *testing.T) {
	c := newUser(t)
	ask[any](t, c, http.MethodPatch, "/api/auth/me", object{"name": naughty[0]})
	list := ask[thing](t, c, http.MethodPost, "/api/lists", object{"name": naughty[1]})
	today := time.Now().UTC().Format(time.DateOnly) + "T00:00:00Z"
	for _, text := range naughty {
		tag := []rune(text)
		create(t, c, object{"title": text, "description": text, "tags": []string{string(tag[:min(len(tag), 50)])}, "list_id": list.ID, "due_at": today, "all_day": true})
	}
	b := signIn(t, c)
	shown := func(where string) {
		t.Helper()
		b.eventually(func() error {
			titles := evaluate[[]string](b, `[...document.querySelectorAll("main .title")].map((e) => e.textContent)`)
			for _, text := range naughty {
				if !slices.Contains(titles, text) {
					return fmt.Errorf("%s: %q is not among %q", where, text, titles)
				}
			}
			return nil
		})
	}
	shown("Today")
	b.reads(naughty[0]) // who is signed in
	b.click("link", naughty[1]+fmt.Sprintf(" %d open tasks", len(naughty)))
	shown("the list")
	b.click("button", naughty[1])
	b.see("dialog", "Edit task")
	require.Equal(t, naughty[1], evaluate[string](b, `document.getElementById("description").value`))
	b.press("\x1b")
	b.click("button", "Actions for "+naughty[1])
	b.click("button", "History")
	b.see("insertion", "")
	b.reads(naughty[1])
	b.press("\x1b")
	b.click("button", "Delete")
	b.reads("Deleted: " + naughty[1])
	b.click("link", "Trash")
	b.see("button", "Restore: "+naughty[1])
	require.False(t, evaluate[bool](b, `"pwned" in window || "pwned" in {}`))
	require.Equal(t, 2, evaluate[int](b, `document.querySelectorAll("script").length`), "those of the page")
	require.Zero(t, evaluate[int](b, `document.querySelectorAll("main img, main svg").length`))
}

func TestTheKeyboardIsEnough(t *testing.T) {
	c := newUser(t)
	b := open(t)
	b.see("heading", "Sign in")
	// tabTo presses Tab until something has the focus.
	tabTo := func(name string) {
		t.Helper()
		for range 40 {
			b.press("\t")
			if evaluate[string](b, `(() => { const e = document.activeElement; return e.labels?.[0]?.innerText ?? e.getAttribute("aria-label") ?? e.innerText })()`) == name {
				return
			}
		}
		t.Fatalf("Tab does not lead to %q", name)
	}
	focus := func() string { return evaluate[string](b, `document.activeElement.innerText`) }
	at := func(title string) {
		t.Helper()
		b.eventually(func() error {
			if got := focus(); got != title {
				return fmt.Errorf("the focus is at %q, not at %q", got, title)
			}
			return nil
		})
	}
	tabTo("E-mail address")
	b.insert(c.Email)
	tabTo("Password")
	b.insert(suite.Password)
	b.press("\r")
	b.see("heading", "Today")
	b.press("g")
	b.press("i")
	b.see("heading", "Inbox")
	b.see("textbox", "Add a task to Inbox")
	b.press("n")
	for _, title := range []string{"One", "Two", "Three"} {
		b.insert(title)
		b.press("\r")
		b.see("button", title)
	}
	b.press("\x1b") // out of the field
	b.press("j")
	at("One")
	b.press("j")
	at("Two")
	b.press("k")
	at("One")
	order := func(want ...string) {
		t.Helper()
		b.eventually(func() error {
			if got := evaluate[[]string](b, `[...document.querySelectorAll("main .title")].map((e) => e.innerText)`); !slices.Equal(got, want) {
				return fmt.Errorf("%v", got)
			}
			return nil
		})
	}
	b.press(kb.ArrowDown, chromedp.ModifierAlt)
	order("Two", "One", "Three")
	at("One")
	b.press(kb.ArrowDown, chromedp.ModifierAlt)
	order("Two", "Three", "One")
	at("One")
	b.press(kb.ArrowUp, chromedp.ModifierAlt)
	order("Two", "One", "Three")
	at("One")
	b.press("u")
	order("Two", "Three", "One")
	at("One")

	b.press("e")
	b.see("dialog", "Edit task")
	b.eventually(func() error { // the browser has put the focus into the dialog
		if !evaluate[bool](b, `!!document.activeElement.closest("dialog")`) {
			return fmt.Errorf("the focus is outside")
		}
		return nil
	})
	tabTo("Title")
	evaluate[bool](b, "document.activeElement.select(), true")
	b.insert("Number one")
	b.press("\r")
	b.gone("dialog", "Edit task")
	at("Number one")
	b.press("x")
	order("Two", "Three")
	at("Three")
	b.press("u")
	b.see("button", "Number one")
	at("Three")
	b.press("#")
	b.gone("button", "Three")
	b.press("?")
	b.see("dialog", "Keyboard shortcuts")
	tabTo("Shortcuts of a single key are on")
	b.press(" ")
	b.press("\x1b")
	b.gone("dialog", "Keyboard shortcuts")
	b.press("g")
	b.press("t")
	b.press("?")
	require.Equal(t, "#/inbox", evaluate[string](b, "location.hash"))
	b.see("heading", "Inbox")
	b.gone("dialog", "Keyboard shortcuts")
}

// An all-day task is of its date, wherever somebody is.
func TestAnAllDayTaskIsOfItsDate(t *testing.T) {
	for _, zone := range []string{"Pacific/Auckland", "Europe/Berlin", "America/Los_Angeles"} {
		t.Run(zone, func(t *testing.T) {
			in, err := time.LoadLocation(zone)
			require.NoError(t, err)
			c := newUser(t)
			ask[any](t, c, http.MethodPatch, "/api/auth/me", object{"timezone": zone})
			today := time.Now().In(in).Format(time.DateOnly)
			later := time.Now().In(in).AddDate(0, 0, 20)
			create(t, c, object{"title": "Today's", "all_day": true, "due_at": today + "T00:00:00Z", "timezone": zone})
			create(t, c, object{"title": "Later", "all_day": true, "due_at": later.Format(time.DateOnly) + "T00:00:00Z", "timezone": zone})
			b := signIn(t, c)
			b.add("Add a task for today", "Added")
			b.see("button", "Today's")
			b.gone("heading", "Overdue")
			b.click("link", "Upcoming")
			day := later.Format("Mon, Jan 2")
			if later.Year() != time.Now().In(in).Year() {
				day += later.Format(", 2006")
			}
			b.see("heading", day)
			b.click("button", "Later")
			b.see("dialog", "Edit task")
			require.Equal(t, later.Format(time.DateOnly), evaluate[string](b, `document.getElementById("due").value`))
			require.Empty(t, evaluate[string](b, `document.getElementById("time").value`))
		})
	}
}

// Who is fast undoes what he has just done, not what he did before.
func TestUndoMeansTheChangeThatIsUnderWay(t *testing.T) {
	c := newUser(t)
	create(t, c, object{"title": "One"})
	b := signIn(t, c)
	held := make(chan fetch.RequestID, 1)
	require.NoError(t, chromedp.Listen(b.ctx, func(ev any) {
		if paused, ok := ev.(*fetch.EventRequestPaused); ok {
			held <- paused.RequestID
		}
	}))
	// Long before it is needed: a page that is busy learns of it later than this returns.
	call(b, fetch.Enable, fetch.EnableParams{Patterns: []*fetch.RequestPattern{{URLPattern: "*/complete", RequestStage: fetch.RequestStageResponse}}})
	b.click("link", "Inbox 1 open task")
	b.click("button", "One")
	b.fill("textbox", "Title", "Uno")
	b.click("button", "Save")
	b.gone("dialog", "Edit task")
	b.titles("Uno")
	// One key after the other: none waits for what the one before it leads to.
	b.press("jx")
	b.gone("button", "Uno")
	b.press("u")
	call(b, fetch.ContinueRequest, fetch.ContinueRequestParams{RequestID: arrives(t, held)})
	b.see("button", "Uno")
}

func TestASmallPhone(t *testing.T) {
	c := newUser(t)
	ask[any](t, c, http.MethodPost, "/api/lists", object{"name": strings.Repeat("Donaudampfschifffahrt", 4)})
	create(t, c, object{"title": strings.Repeat("W", 200), "tags": []string{strings.Repeat("t", 50), "x"}, "due_at": "2020-02-03T04:05:00Z", "priority": "urgent"})
	b := open(t)
	b.narrow()
	fits := func(where string) {
		t.Helper()
		require.LessOrEqual(t, evaluate[int](b, `document.documentElement.scrollWidth`), 320, where)
		require.LessOrEqual(t, evaluate[int](b, `Math.max(0, ...[...document.querySelectorAll("dialog[open]")].map((d) => d.scrollWidth))`), 320, where)
	}
	fits("sign-in")
	b.fill("textbox", "E-mail address", c.Email)
	b.fill("textbox", "Password", suite.Password)
	b.click("button", "Sign in")
	b.see("heading", "Today")
	b.see("heading", "Overdue")
	fits("Today")
	b.gone("link", "Trash")
	b.click("button", "Menu")
	b.see("link", "Trash")
	fits("the menu")
	b.click("link", "Inbox 1 open task")
	b.see("heading", "Inbox")
	b.gone("link", "Trash")
	b.click("button", "Actions for "+strings.Repeat("W", 200))
	fits("a list")
	b.click("button", "Edit")
	b.see("dialog", "Edit task")
	fits("a task")
	b.click("button", "Close")
	b.click("button", "History")
	b.see("insertion", "")
	fits("a history")
	b.click("button", "Close")
	b.click("button", "Delete")
	b.reads("Deleted")
	fits("what was done")
	b.click("button", "Close")
	b.click("button", "Menu")
	b.click("link", "Trash")
	b.see("button", "Restore: "+strings.Repeat("W", 200))
	fits("the trash")
}

func TestTheLanguageIsTheBrowsers(t *testing.T) {
	c := newUser(t)
	create(t, c, object{"title": "Gießen", "due_at": "2031-03-04T15:30:00Z", "priority": "high"})
	b := open(t)
	b.asksFor("fr-FR,de-AT,en")
	call(b, emulation.SetLocaleOverride, emulation.SetLocaleOverrideParams{Locale: "de_AT"})
	b.visit("/")
	b.fill("textbox", "E-Mail-Adresse", c.Email)
	b.fill("textbox", "Passwort", "falsches Passwort")
	b.click("button", "Anmelden")
	b.reads("E-Mail-Adresse oder Passwort stimmen nicht.")
	b.fill("textbox", "Passwort", suite.Password)
	b.click("button", "Anmelden")
	b.see("heading", "Heute")
	b.click("link", "Demnächst")
	b.reads("4. März 2031")
	b.reads("15:30")
	require.Equal(t, "de-AT", evaluate[string](b, "document.documentElement.lang"))
}

func TestNothingMovesForWhoWantsThat(t *testing.T) {
	b := signIn(t, newUser(t))
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: "reduce"}}})
	b.add("Add a task for today", "Quiet")
	b.reads("Added: Quiet")
	require.Equal(t, "none", evaluate[string](b, `getComputedStyle(document.querySelector(".toast")).animationName`))
	require.Equal(t, 0, evaluate[int](b, `document.getAnimations().length`))
}

// What is typed is not thrown away by a key.
func TestADraftIsNotLostByEscape(t *testing.T) {
	c := newUser(t)
	create(t, c, object{"title": "Draft", "due_at": time.Now().UTC().Format(time.DateOnly) + "T00:00:00Z", "all_day": true})
	b := signIn(t, c)
	answers := make(chan bool, 1)
	b.asked(func() bool { return <-answers })
	b.click("button", "Draft")
	b.fill("textbox", "Description", "A long text")
	answers <- false
	b.press("\x1b")
	b.see("dialog", "Edit task")
	require.Equal(t, "A long text", evaluate[string](b, `document.getElementById("description").value`))
	answers <- true
	b.press("\x1b")
	b.gone("dialog", "Edit task")
}
