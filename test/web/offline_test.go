package web

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/test/suite"
)

// door stands between the browser and the server: it can be shut, for the service worker as
// for the page, lose what goes through it, and have the page of another version.
type door struct {
	*httptest.Server
	mu      sync.Mutex
	shut    bool
	lose    func(r *http.Request) bool // the server does it, and its answer is lost
	build   string                     // of the page instead of the server's own; "" for that
	other   func(path string) bool     // a replica of another version is asked for this one's file
	own     string                     // the server's build
	changes []string                   // method and path of what went through to the server
}

var errLost = errors.New("the answer is lost")

func newDoor(t *testing.T) *door {
	t.Helper()
	d := &door{}
	target, err := url.Parse(s.API)
	require.NoError(t, err)
	res, err := http.Get(s.API + "/sw.js")
	require.NoError(t, err)
	script, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	d.own = regexp.MustCompile(`[0-9a-f]{16}`).FindString(string(script))
	require.NotEmpty(t, d.own)
	proxy := &httputil.ReverseProxy{
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0), // connections end here as a test wants it
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
			if build := d.page(); build != "" {
				r.Out.URL.Path = strings.Replace(r.Out.URL.Path, "/assets/"+build, "/assets/"+d.own, 1)
				r.Out.Header.Del("Accept-Encoding")
				r.Out.Header.Del("If-None-Match")
			}
		},
		ModifyResponse: func(res *http.Response) error {
			d.mu.Lock()
			lost, build := d.shut || d.lose != nil && d.lose(res.Request), d.build
			d.mu.Unlock()
			if lost {
				return errors.Join(errLost, res.Body.Close())
			}
			if path := res.Request.URL.Path; build != "" && (path == "/" || path == "/sw.js" || path == "/manifest.webmanifest") {
				body, err := io.ReadAll(res.Body)
				if err != nil {
					return err
				}
				body = bytes.ReplaceAll(body, []byte(d.own), []byte(build))
				res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
				res.Header.Set("Content-Length", strconv.Itoa(len(body)))
				res.Header.Del("ETag")
			}
			return nil
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	d.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.mu.Lock()
		shut, build := d.shut, d.build
		other := d.other != nil && strings.HasPrefix(r.URL.Path, "/assets/") && d.other(r.URL.Path)
		if !shut && r.Method != http.MethodGet {
			d.changes = append(d.changes, r.Method+" "+r.URL.Path)
		}
		d.mu.Unlock()
		switch {
		case shut:
			panic(http.ErrAbortHandler)
		case other, build != "" && strings.HasPrefix(r.URL.Path, "/assets/"+d.own+"/"):
			http.NotFound(w, r) // a version has its own alone
		default:
			proxy.ServeHTTP(w, r)
		}
	}))
	d.Config.ErrorLog = log.New(io.Discard, "", 0)
	d.Start()
	t.Cleanup(func() {
		d.CloseClientConnections() // streams never end
		d.Close()
	})
	return d
}

func (d *door) page() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.build
}

func (d *door) set(change func()) {
	d.mu.Lock()
	change()
	d.mu.Unlock()
	d.CloseClientConnections()
}

func (d *door) close() { d.set(func() { d.shut = true }) }
func (d *door) open()  { d.set(func() { d.shut = false }) }

// upgrade has the server come back with another version of the page.
func (d *door) upgrade(build string) { d.set(func() { d.build = build }) }

// sent counts the requests for a change that went through.
func (d *door) sent(change string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for _, c := range d.changes {
		if c == change {
			n++
		}
	}
	return n
}

// signInAt signs in through a door, and waits until the browser has kept the page.
func signInAt(t *testing.T, d *door, c *suite.Client) *tab {
	t.Helper()
	b := openAt(t, d.URL)
	b.signIn(c)
	require.True(t, evaluate[bool](b, `navigator.serviceWorker.ready.then(() => true)`))
	b.kept()
	return b
}

func (b *tab) signIn(c *suite.Client) {
	b.t.Helper()
	b.fill("textbox", "E-mail address", c.Email)
	b.fill("textbox", "Password", suite.Password)
	b.click("button", "Sign in")
	b.see("heading", "Today")
}

// stored is a number that JavaScript reads from the database of who is signed in; 0 where
// there is none.
func (b *tab) stored(expression string) int {
	b.t.Helper()
	return evaluate[int](b, `(async () => {
		const {id} = JSON.parse(localStorage.getItem("taskwire.user") ?? "{}");
		if (!id || !(await indexedDB.databases()).some((d) => d.name === "taskwire." + id)) return 0;
		const db = await new Promise((done) => { const o = indexedDB.open("taskwire." + id); o.onsuccess = () => done(o.result); });
		const read = (store, ask) => new Promise((done) => { const r = ask(db.transaction(store).objectStore(store)); r.onsuccess = () => done(r.result); });
		try { return await (`+expression+`); } finally { db.close(); }
	})()`)
}

// kept waits until the browser has kept what the page knows.
func (b *tab) kept() {
	b.t.Helper()
	b.eventually(func() error {
		if b.stored(`read("meta", (s) => s.count("place"))`) == 0 {
			return errors.New("the browser has not kept what the page knows")
		}
		return nil
	})
}

// online has the page look at once whether the server is there: the system says that there
// is a network again.
func (b *tab) online() {
	b.t.Helper()
	evaluate[bool](b, `dispatchEvent(new Event("online"))`)
}

// settled waits until nothing waits, with the server there.
func (b *tab) settled() {
	b.t.Helper()
	b.eventually(func() error {
		if n := b.stored(`read("outbox", (s) => s.count())`); n > 0 {
			return fmt.Errorf("%d changes wait", n)
		}
		if strings.Contains(evaluate[string](b, `document.querySelector("main").innerText`), "Not connected") {
			return errors.New("the server is away")
		}
		return nil
	})
}

// does runs the steps of somebody who is quick: it clicks on what has a label, fills fields,
// and lets the page draw meanwhile.
func (b *tab) does(steps string) {
	b.t.Helper()
	require.True(b.t, evaluate[bool](b, `(async () => {
		const until = async (what) => {
			for (let n = 0; n < 500; n++) {
				const found = what();
				if (found) return found;
				await new Promise((r) => setTimeout(r, 10));
			}
			throw new Error("there is no " + what);
		};
		const row = (title) => [...document.querySelectorAll("main .title")].find((e) => e.textContent === title)?.closest("[data-task]");
		const fill = (e, text) => {
			Object.getOwnPropertyDescriptor(Object.getPrototypeOf(e), "value").set.call(e, text);
			e.dispatchEvent(new Event("input", {bubbles: true}));
		};
		const add = async (text) => {
			fill(document.getElementById("add"), text);
			await new Promise((r) => setTimeout(r));
			document.querySelector("main form.add").requestSubmit();
			await until(() => row(text));
		};
		const edit = async (title, fields) => {
			(await until(() => row(title))).querySelector(".title").click();
			for (const id in fields) fill(await until(() => document.querySelector("dialog #" + id)), fields[id]);
			await new Promise((r) => setTimeout(r, 20));
			document.querySelector("dialog form").requestSubmit();
			await until(() => !document.querySelector("dialog"));
		};
		const complete = async (title) => { (await until(() => row(title))).querySelector("input").click(); await until(() => !row(title)); };
		const key = async (title, init) => {
			const at = (await until(() => row(title))).querySelector(".title");
			at.focus();
			at.dispatchEvent(new KeyboardEvent("keydown", {bubbles: true, cancelable: true, ...init}));
		};
		const remove = async (title) => { await key(title, {key: "#"}); await until(() => !row(title)); };
		const order = () => [...document.querySelectorAll("main .title")].map((e) => e.textContent).join();
		const up = async (title) => { const was = order(); await key(title, {key: "ArrowUp", altKey: true}); await until(() => order() !== was); };
		`+steps+`
		return true;
	})()`))
}

type savedRow struct {
	ID, Title, Description string
	Position               int64
	Version                int64
	IsComplete             bool `json:"is_complete"`
}

func rowsOf(t *testing.T, c *suite.Client) map[string]savedRow {
	t.Helper()
	rows := map[string]savedRow{}
	for _, r := range ask[struct{ Items []savedRow }](t, c, http.MethodGet, "/api/tasks?limit=100", nil).Items {
		require.NotContains(t, rows, r.Title, "made twice")
		rows[r.Title] = r
	}
	return rows
}

// Fifty changes in flight mode, a reload, and somebody else at the same tasks: back online
// all is there once, field by field.
func TestFiftyChangesWithoutAServer(t *testing.T) {
	c, d := newUser(t), newDoor(t)
	ids := map[string]string{}
	for _, kind := range []string{"edit", "done", "move", "gone"} {
		for i := range 10 {
			title := fmt.Sprintf("%s %d", kind, i)
			ids[title] = create(t, c, object{"title": title, "description": "as it was"}).ID
		}
	}
	b := signInAt(t, d, c)
	b.click("link", "Inbox 40 open tasks")
	b.see("button", "gone 9")
	b.kept()
	d.close()
	b.reads("Not connected")
	b.does(`for (let i = 0; i < 10; i++) {
		await add("new " + i);
		await edit("edit " + i, {description: "mine " + i});
		await complete("done " + i);
		await up("move " + i);
		await remove("gone " + i);
	}`)
	b.reads("50 changes are waiting.")
	b.visit("/?again")
	b.see("heading", "Today")
	b.reads("50 changes are waiting.")
	b.click("link", "Inbox 30 open tasks")
	b.does(`for (let i = 0; i < 10; i++) for (const kind of ["new ", "edit ", "move "]) await until(() => row(kind + i));
		await until(() => row("new 3").textContent.includes("waiting"));
		if (row("done 3") || row("gone 3")) throw new Error("it is there again");`)

	// Meanwhile, elsewhere.
	change := func(title string, patch object) {
		t.Helper()
		ask[any](t, c, http.MethodPatch, "/api/tasks/"+ids[title], patch)
	}
	for i := range 5 {
		change(fmt.Sprintf("edit %d", i), object{"title": fmt.Sprintf("theirs %d", i), "priority": "high"})
		change(fmt.Sprintf("done %d", i), object{"description": "still to say"})
	}
	change("edit 5", object{"description": "mine 5"}) // the same
	change("edit 6", object{"description": "theirs 6"})
	ask[any](t, c, http.MethodDelete, "/api/tasks/"+ids["edit 7"], nil)
	ask[any](t, c, http.MethodDelete, "/api/tasks/"+ids["gone 0"], nil)
	ask[any](t, c, http.MethodPatch, "/api/tasks/"+ids["done 9"]+"/complete", object{"is_complete": true})

	d.open()
	b.online()
	b.reads("2 changes need you")
	b.settled()
	got := rowsOf(t, c)
	for i := range 10 {
		require.Contains(t, got, fmt.Sprintf("new %d", i))
		require.NotContains(t, got, fmt.Sprintf("gone %d", i))
		require.True(t, got[fmt.Sprintf("done %d", i)].IsComplete)
		if i < 5 {
			require.Equal(t, fmt.Sprintf("mine %d", i), got[fmt.Sprintf("theirs %d", i)].Description)
			require.Equal(t, "still to say", got[fmt.Sprintf("done %d", i)].Description)
		}
	}
	require.EqualValues(t, 2, got["done 8"].Version, "once")
	require.Equal(t, "mine 9", got["edit 9"].Description)
	require.EqualValues(t, 2, got["edit 9"].Version, "once")
	require.Equal(t, "theirs 6", got["edit 6"].Description, "nothing is written over silently")
	require.Equal(t, "mine 5", got["edit 5"].Description)
	moved := slices.SortedFunc(maps.Values(got), func(a, b savedRow) int { return int(a.Position - b.Position) })
	var order []string
	for _, r := range moved {
		if strings.HasPrefix(r.Title, "move") {
			order = append(order, r.Title)
		}
	}
	// Each goes before the open one above it; the last, with nothing done any more between.
	require.Equal(t, "move 0,move 1,move 2,move 3,move 4,move 5,move 6,move 7,move 9,move 8", strings.Join(order, ","))

	// What two have written is there for who decides.
	b.click("button", "2 changes need you")
	b.see("dialog", "Changes that need you")
	b.accessible("decisions")
	text := func(label string) string {
		return evaluate[string](b, fmt.Sprintf(`[...document.querySelectorAll("dialog textarea")].filter((e) => e.labels[0].innerText === %q).map((e) => e.value).sort().join("|")`, label))
	}
	require.Equal(t, "mine 6|mine 7", text("Your text"))
	require.Equal(t, "theirs 6", text("The other text"))
	b.does(`[...document.querySelectorAll("dialog textarea")].filter((e) => e.value === "mine 6").forEach((e) => fill(e, "mine 6, and theirs"));
		await new Promise((r) => setTimeout(r, 20));
		[...document.querySelectorAll("dialog button")].find((e) => e.innerText === "Use your text").click();`)
	b.click("button", "Discard")
	b.gone("dialog", "Changes that need you")
	b.eventually(func() error {
		if is := rowsOf(t, c)["edit 6"].Description; is != "mine 6, and theirs" {
			return fmt.Errorf("it is %q", is)
		}
		return nil
	})
}

// The server has done it, and nobody heard: what is sent again changes nothing again.
func TestALostAnswerHasItsEffectOnce(t *testing.T) {
	c, d := newUser(t), newDoor(t)
	create(t, c, object{"title": "One"})
	b := signInAt(t, d, c)
	b.click("link", "Inbox 1 open task")
	lost := map[string]int{}
	d.set(func() {
		d.lose = func(r *http.Request) bool {
			what := r.Method + " " + r.URL.Path
			if r.Method == http.MethodGet || lost[what] > 0 {
				return false
			}
			lost[what]++
			return true
		}
	})
	b.does(`await add("Two tomorrow"); await edit("One", {title: "Uno", description: "Said"}); await complete("Uno");`)
	b.see("button", "Two")
	b.settled()
	got := rowsOf(t, c)
	require.Len(t, got, 2)
	require.Len(t, lost, 3)
	require.Equal(t, "Said", got["Uno"].Description)
	require.True(t, got["Uno"].IsComplete)
	require.EqualValues(t, 3, got["Uno"].Version, "edited once, completed once")
	require.EqualValues(t, 1, got["Two"].Version)
	require.Equal(t, 2, d.sent("POST /api/quick-add"))
}

// Undone before it was sent, it is not sent.
func TestWhatWaitsIsTakenBack(t *testing.T) {
	c, d := newUser(t), newDoor(t)
	b := signInAt(t, d, c)
	b.click("link", "Inbox")
	b.see("heading", "Inbox")
	d.close()
	b.reads("Not connected")
	b.add("Add a task to Inbox", "A")
	b.add("Add a task to Inbox", "B")
	b.reads("Will be saved when the server is there: B")
	b.click("button", "Undo")
	b.gone("button", "B")
	b.click("button", "Redo")
	b.see("button", "B")
	b.click("button", "Undo")
	b.gone("button", "B")
	d.open()
	b.online()
	b.settled()
	require.Len(t, rowsOf(t, c), 1)
	require.Equal(t, 1, d.sent("POST /api/quick-add"))
}

// Two pages of a browser show what waits in either, and one sends it.
func TestTwoPagesSendOnce(t *testing.T) {
	c, d := newUser(t), newDoor(t)
	one := signInAt(t, d, c)
	ctx, end := chromedp.NewContext(one.ctx)
	t.Cleanup(end)
	other := &tab{t, ctx, d.URL}
	call(other, network.Enable, network.EnableParams{})
	other.visit("/#/inbox")
	other.see("heading", "Inbox")
	one.click("link", "Inbox")
	one.see("heading", "Inbox")
	d.close()
	one.reads("Not connected")
	other.reads("Not connected")
	one.add("Add a task to Inbox", "Here")
	other.see("button", "Here")
	other.add("Add a task to Inbox", "There")
	one.see("button", "There")
	d.open()
	one.online()
	one.settled()
	other.settled()
	require.Len(t, rowsOf(t, c), 2)
	require.Equal(t, 2, d.sent("POST /api/quick-add"))

	// The page that sends is left: the other one does.
	one.visit("/openapi.json")
	other.add("Add a task to Inbox", "After")
	other.eventually(func() error {
		if _, ok := rowsOf(t, c)["After"]; !ok {
			return errors.New("it was not sent")
		}
		return nil
	})
}

// A session that ends meanwhile takes nothing away from who wrote, and gives nothing to
// somebody else; who signs out leaves nothing.
func TestWhatWaitsIsNobodyElses(t *testing.T) {
	c, stranger, d := newUser(t), newUser(t), newDoor(t)
	b := signInAt(t, d, c)
	d.close()
	b.reads("Not connected")
	b.add("Add a task for today", "Secret")
	ask[any](t, c, http.MethodDelete, "/api/auth/sessions", nil)
	d.open()
	b.online()
	b.see("heading", "Sign in")
	b.gone("button", "Secret")
	b.signIn(stranger)
	b.see("StaticText", "Nothing is due. Add a task above, or press n.")
	b.click("button", "Sign out")
	b.see("heading", "Sign in")
	b.signIn(c)
	b.see("button", "Secret")
	b.settled()
	d.close()
	b.reads("Not connected")
	b.add("Add a task for today", "Unsaid")
	d.open()
	b.online()
	b.settled()
	b.click("button", "Sign out")
	b.see("heading", "Sign in")
	b.eventually(func() error {
		if left := evaluate[int](b, `indexedDB.databases().then((d) => d.length + Object.keys(localStorage).filter((k) => k.startsWith("taskwire.user") || k.startsWith("taskwire.draft")).length)`); left > 0 {
			return fmt.Errorf("%d things are left", left)
		}
		return nil
	})
}

// The server is upgraded under an open page and its worker: no blank page, and no lost text.
func TestTheServerIsUpgradedUnderAnOpenPage(t *testing.T) {
	c, d := newUser(t), newDoor(t)
	create(t, c, object{"title": "Task"})
	b := signInAt(t, d, c)
	b.click("link", "Inbox 1 open task")
	b.fill("textbox", "Add a task to Inbox", "Half of a ti")
	build := func() string {
		return evaluate[string](b, `document.querySelector("script[type]")?.src.split("/")[4] ?? ""`)
	}
	is := func(want string) {
		t.Helper()
		b.eventually(func() error {
			if at := build(); at != want {
				return fmt.Errorf("the page is %q", at)
			}
			return nil
		})
	}
	is(d.own)
	const next = "0123456789abcdef"
	d.upgrade(next)
	b.reads("There is a new version of this page.")
	require.Equal(t, "Half of a ti", evaluate[string](b, `document.getElementById("add").value`))
	b.click("button", "Reload")
	is(next)
	b.see("textbox", "Add a task to Inbox")
	require.Equal(t, "Half of a ti", evaluate[string](b, `document.getElementById("add").value`))
	b.gone("button", "Reload")

	b.click("button", "Task")
	b.fill("textbox", "Description", "A long text")
	const another = "fedcba9876543210"
	d.upgrade(another)
	evaluate[bool](b, "location.reload(), true")
	is(another)
	b.see("dialog", "Edit task")
	require.Equal(t, "A long text", evaluate[string](b, `document.getElementById("description").value`))
	b.click("button", "Save")
	b.gone("dialog", "Edit task")
	require.Equal(t, "A long text", rowsOf(t, c)["Task"].Description)

	// Without a server the page is the last one that was kept as a whole.
	d.close()
	b.visit("/?again#/inbox")
	b.see("button", "Task")
	b.reads("Not connected")
}

// While a new version is rolled out the page of one replica asks another one for what it is
// made of, in vain: it is loaded anew until all of it is of one.
func TestThePageAndItsFilesAreOfTwoReplicas(t *testing.T) {
	for _, kind := range []string{"app.en.js", "app.css"} {
		t.Run(kind, func(t *testing.T) {
			d := newDoor(t)
			lacks := 2
			d.set(func() {
				d.other = func(path string) bool {
					if !strings.HasSuffix(path, kind) || lacks == 0 {
						return false
					}
					lacks--
					return true
				}
			})
			b := openAt(t, d.URL)
			b.eventually(func() error {
				whole, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](`document.querySelector("#app > *") !== null && getComputedStyle(document.body).getPropertyValue("--back") !== "" && history.state === null`))
				if err == nil && !whole {
					err = errors.New("it is not whole")
				}
				return err // while it is being loaded nothing answers
			})
			b.see("button", "Sign in")
			d.mu.Lock()
			defer d.mu.Unlock()
			require.Zero(t, lacks)
		})
	}
}

// What several edits say is there once the server answers: a policy alone, and one reminder
// after the other.
func TestEditsThatWaitAreOneAfterTheOther(t *testing.T) {
	c, d := newUser(t), newDoor(t)
	id := create(t, c, object{"title": "Bins", "due_at": "2031-01-06T09:00:00Z", "recurrence": object{"rrule": "FREQ=WEEKLY"}, "reminders": []object{{"before_due": "PT1H"}}}).ID
	b := signInAt(t, d, c)
	b.click("link", "Inbox 1 open task")
	b.see("button", "Bins")
	d.close()
	b.edit("Bins")
	b.special()
	b.choose("basis", "completion")
	b.save()
	b.see("button", "Bins")
	for _, minutes := range []string{"30", "10"} {
		b.edit("Bins")
		b.choose("remind-n", minutes)
		b.click("button", "Add the reminder")
		b.save()
	}
	b.edit("Bins")
	b.text(".reminders", "1 hour before", "30 minutes before", "10 minutes before")
	b.do("Cancel")
	d.open()
	b.online()
	b.settled()
	is := read(t, c, id)
	require.Equal(t, "completion", is.Recurrence.Basis)
	require.Equal(t, "FREQ=WEEKLY", is.Recurrence.RRule)
	require.Len(t, is.Reminders, 3)
}

// Who signs in next in the same browser sees nothing that the one before had typed, and whoever
// comes back finds it again.
func TestWhatWasTypedIsNobodyElses(t *testing.T) {
	c, next := newUser(t), newUser(t)
	create(t, c, object{"title": "Mine"})
	b := signIn(t, c)
	b.fill("textbox", "Add a task for today", "Call the lawyer")
	b.click("link", "Inbox 1 open task")
	b.click("button", "Mine")
	b.fill("textbox", "Description", "A secret")
	b.fill("textbox", "Write a comment", "Another secret")
	ask[any](t, c, http.MethodDelete, "/api/auth/sessions", nil)
	b.see("heading", "Sign in")
	evaluate[bool](b, `location.hash = "#/today", true`)
	b.signIn(next)
	b.see("textbox", "Add a task for today")
	require.Empty(t, evaluate[string](b, `document.getElementById("add").value`))
	require.NotContains(t, evaluate[string](b, "document.body.innerHTML"), "secret")
	b.click("button", "Sign out")
	b.see("heading", "Sign in")
	b.fill("textbox", "E-mail address", c.Email)
	b.fill("textbox", "Password", suite.Password)
	b.click("button", "Sign in")
	b.see("dialog", "Edit task")
	require.Equal(t, "Call the lawyer", b.value("add"))
	require.Equal(t, "A secret", b.value("description"))
	b.eventually(func() error {
		if typed := evaluate[[]string](b, `[...document.querySelectorAll("textarea")].map((e) => e.value)`); !slices.Contains(typed, "Another secret") {
			return fmt.Errorf("the fields have %q", typed)
		}
		return nil
	})
}

// A part of the page that is gone with the version before says so.
func TestAPartOfAnotherVersion(t *testing.T) {
	c, d := newUser(t), newDoor(t)
	b := signInAt(t, d, c)
	d.upgrade("0123456789abcdef")
	b.click("link", "Settings")
	b.reads("This part can not be shown: the server is away, or has a new version of the page.")
	evaluate[bool](b, "location.reload(), true")
	b.see("heading", "Profile")
}
