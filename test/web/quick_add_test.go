package web

import (
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

func TestQuickAddShowsWhatItUnderstands(t *testing.T) {
	c := newUser(t)
	ask[any](t, c, http.MethodPost, "/api/lists", object{"name": "Home"})
	b := signIn(t, c)
	// From the beginning: a page learns of it later than this returns.
	var holding atomic.Bool
	held := make(chan fetch.RequestID, 4)
	require.NoError(t, chromedp.Listen(b.ctx, func(ev any) {
		e, ok := ev.(*fetch.EventRequestPaused)
		if !ok {
			return
		}
		if holding.Load() {
			held <- e.RequestID
			return
		}
		go func() {
			_, _ = chromedp.Call(b.ctx, fetch.ContinueRequest, fetch.ContinueRequestParams{RequestID: e.RequestID})
		}() // the test sees what comes of it
	}))
	call(b, fetch.Enable, fetch.EnableParams{Patterns: []*fetch.RequestPattern{{URLPattern: "*/api/quick-add"}}})
	next := func() fetch.RequestID {
		t.Helper()
		return arrives(t, held)
	}
	b.click("link", "Inbox")
	const field = "Add a task to Inbox"
	b.see("textbox", field)
	chips := func(want ...string) {
		t.Helper()
		b.eventually(func() error {
			got := evaluate[[]string](b, `[...document.querySelectorAll(".chips li")].map((li) => [...li.querySelectorAll("span")].map((s) => s.innerText).join(" "))`)
			if !slices.Equal(got, want) {
				return fmt.Errorf("the chips are %q, not %q", got, want)
			}
			return nil
		})
	}
	text := func(want string) {
		t.Helper()
		b.eventually(func() error {
			if got := evaluate[string](b, `document.getElementById("add").value`); got != want {
				return fmt.Errorf("the field has %q, not %q", got, want)
			}
			return nil
		})
	}
	b.fill("textbox", field, "Water the orchids every friday 9:00 #home !high")
	chips("Repeats every friday 9:00", "List #home", "Priority !high")
	b.reads("Understood: every friday 9:00, #home, !high")
	b.accessible("quick add")

	// A button keeps a part as text, and the focus goes back to the field.
	b.click("button", "Keep as text: #home")
	text(`Water the orchids every friday 9:00 \#home !high`)
	chips("Repeats every friday 9:00", "Priority !high")
	require.Equal(t, "add", evaluate[string](b, `document.activeElement.id`))
	// So does Backspace right behind it; behind that again it deletes.
	evaluate[bool](b, `document.activeElement.setSelectionRange(99, 99), true`)
	b.press("\b")
	text(`Water the orchids every friday 9:00 \#home \!high`)
	chips("Repeats every friday 9:00")
	b.press("\b")
	text(`Water the orchids every friday 9:00 \#home \!hig`)
	b.insert("h")
	chips("Repeats every friday 9:00")
	b.click("button", "Keep as text: every friday 9:00")
	text(`Water the orchids \every \friday \9:00 \#home \!high`)
	chips()
	b.press("\r")
	b.see("button", "Water the orchids every friday 9:00 #home !high")
	chips()

	// What is between quotes is one word; a tag is no list.
	b.fill("textbox", field, `Paint #"garden shed" *15m tomorrow 9:00`)
	chips(`Tag #"garden shed"`, "Reminder *15m", "Due tomorrow 9:00")
	b.click("button", `Keep as text: #"garden shed"`)
	chips("Reminder *15m", "Due tomorrow 9:00")
	text(`Paint \#"garden shed" *15m tomorrow 9:00`)
	b.fill("textbox", field, "")
	chips()

	// An answer that comes too late is left aside, and nothing waits for it.
	holding.Store(true)
	b.fill("textbox", field, "Call Ada tomorrow")
	first := next()
	b.fill("textbox", field, "Call Bob !low")
	second := next()
	call(b, fetch.ContinueRequest, fetch.ContinueRequestParams{RequestID: second})
	chips("Priority !low")
	answered := evaluate[int](b, `performance.getEntriesByType("resource").filter((e) => e.name.endsWith("/api/quick-add")).length`)
	call(b, fetch.ContinueRequest, fetch.ContinueRequestParams{RequestID: first})
	b.eventually(func() error {
		if now := evaluate[int](b, `performance.getEntriesByType("resource").filter((e) => e.name.endsWith("/api/quick-add")).length`); now == answered {
			return fmt.Errorf("the late answer has not come")
		}
		return nil
	})
	chips("Priority !low")

	// Without an answer there are no chips, and the task can be added.
	b.fill("textbox", field, "Call Eve !low")
	call(b, fetch.FailRequest, fetch.FailRequestParams{RequestID: next(), ErrorReason: network.ErrorReasonConnectionRefused})
	chips()
	b.press("\r")
	call(b, fetch.ContinueRequest, fetch.ContinueRequestParams{RequestID: next()})
	b.see("button", "Call Eve")
	holding.Store(false)

	b.fill("textbox", field, "Water the orchids every friday 9:00 #home !high")
	chips("Repeats every friday 9:00", "List #home", "Priority !high")
	b.narrow()
	require.LessOrEqual(t, evaluate[int](b, `document.documentElement.scrollWidth`), 320)
}
