package web

import (
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// quickly presses keys one right after the other: what each leads to at once happens between
// them, and the browser draws only then.
func (b *tab) quickly(keys string) {
	b.t.Helper()
	require.True(b.t, evaluate[bool](b, fmt.Sprintf(`(async () => {
		for (const key of %q) {
			document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true, cancelable: true}));
			for (let i = 0; i < 5; i++) await null;
		}
		await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
		return true;
	})()`, keys)))
}

// Who is quicker than the page draws, or than the server answers, means what the keys before
// lead to.
func TestKeysThatComeOneRightAfterTheOther(t *testing.T) {
	c := newUser(t)
	for _, title := range []string{"One", "Two", "Three", "Four"} {
		create(t, c, object{"title": title})
	}
	b := signIn(t, c)
	b.see("link", "Inbox 4 open tasks")
	b.quickly("gin")
	require.Equal(t, "Add a task to Inbox", evaluate[string](b, `document.activeElement.ariaLabel ?? document.activeElement.outerHTML`))
	b.press("\x1b")
	b.titles("One", "Two", "Three", "Four")
	b.quickly("jjx")
	b.titles("One", "Three", "Four")
	b.quickly("jn")
	require.Equal(t, "Add a task to Inbox", evaluate[string](b, `document.activeElement.ariaLabel ?? document.activeElement.outerHTML`))
	evaluate[bool](b, `[...document.querySelectorAll("main .title")].find((e) => e.innerText === "Three").focus() ?? true`)

	// What is answered late takes the focus away from nobody.
	held := make(chan fetch.RequestID, 1)
	require.NoError(t, chromedp.Listen(b.ctx, func(ev any) {
		if paused, ok := ev.(*fetch.EventRequestPaused); ok {
			held <- paused.RequestID
		}
	}))
	call(b, fetch.Enable, fetch.EnableParams{Patterns: []*fetch.RequestPattern{{URLPattern: "*/move", RequestStage: fetch.RequestStageResponse}}})
	b.at("Three")
	b.press(kb.ArrowUp, chromedp.ModifierAlt)
	b.titles("Three", "One", "Four")
	b.at("Three")
	b.press("j")
	b.at("One")
	call(b, fetch.ContinueRequest, fetch.ContinueRequestParams{RequestID: arrives(t, held)})
	b.reads("Moved: Three")
	evaluate[bool](b, `new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(() => drawn(true))))`)
	b.at("One")

	// What was typed a moment before somebody goes elsewhere is kept.
	b.press("n")
	require.True(t, evaluate[bool](b, `(async () => {
		const field = document.getElementById("add");
		Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(field, "Half of a ti");
		field.dispatchEvent(new Event("input", {bubbles: true}));
		for (let i = 0; i < 5; i++) await null;
		document.querySelector("a[href='#/today']").click();
		return true;
	})()`))
	b.see("heading", "Today")
	b.click("link", "Inbox 3 open tasks")
	b.see("textbox", "Add a task to Inbox")
	require.Equal(t, "Half of a ti", b.value("add"))
}
