package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	cdruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/test/suite"
	"github.com/taskwire/taskwire/test/suite/suitetest"
)

const patience = suitetest.Patience

// tab is a page in a browser of its own: it shares no cookie with another one.
type tab struct {
	t    *testing.T
	ctx  context.Context //nolint:containedctx // chromedp keeps a tab so
	base string
}

// open opens the page. When the test ends, the page must have kept to its policy, thrown
// nothing, and asked nobody else.
func open(t *testing.T) *tab {
	t.Helper()
	return openAt(t, s.API)
}

// openAt opens the page of another suite.
func openAt(t *testing.T, base string) *tab {
	t.Helper()
	ctx, end := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(end)
	b := &tab{t, ctx, base}
	var mu sync.Mutex
	var wrong []string
	require.NoError(t, chromedp.Do(ctx, chromedp.EmulateViewport(1280, 900)))
	require.NoError(t, chromedp.Listen(ctx, func(ev any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := ev.(type) {
		case *cdruntime.EventExceptionThrown:
			what := e.ExceptionDetails.Text
			if thrown := e.ExceptionDetails.Exception; thrown != nil {
				what += " " + thrown.Description
			}
			wrong = append(wrong, "exception: "+what)
		case *log.EventEntryAdded:
			if strings.Contains(e.Entry.Text, "Content Security Policy") || strings.Contains(e.Entry.Text, "Trusted") {
				wrong = append(wrong, e.Entry.Text)
			}
		case *network.EventRequestWillBeSent:
			if !strings.HasPrefix(e.Request.URL, base+"/") && !strings.HasPrefix(e.Request.URL, "data:") && // what the browser draws with
				!strings.HasPrefix(e.Request.URL, "blob:"+base+"/") && // what it saves
				!strings.HasPrefix(e.Request.URL, company.server.URL+"/") { // where somebody signs in
				wrong = append(wrong, "a request to "+e.Request.URL)
			}
		}
	}))
	t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		require.Empty(t, wrong)
	})
	call(b, network.Enable, network.EnableParams{})
	b.visit("/")
	return b
}

// call sends a command to the tab's browser.
func call[P, R any](b *tab, command cdp.Command[P, R], params P) R {
	b.t.Helper()
	out, err := chromedp.Call(b.ctx, command, params)
	require.NoError(b.t, err)
	return out
}

// asksFor has the browser ask for pages in languages, as Accept-Language has them.
func (b *tab) asksFor(languages string) {
	b.t.Helper()
	agent := evaluate[string](b, "navigator.userAgent")
	call(b, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: agent, AcceptLanguage: languages})
}

func (b *tab) visit(path string) {
	b.t.Helper()
	require.NoError(b.t, chromedp.Do(b.ctx, chromedp.Navigate(b.base+path)))
}

// evaluate runs JavaScript in the page; a promise is waited for. While a page is being loaded
// there is none to ask: then it is asked of the next one.
func evaluate[T any](b *tab, expression string) T {
	b.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(15 * time.Millisecond) {
		v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
		if err != nil && left(err) && time.Now().Before(end) {
			continue
		}
		require.NoError(b.t, err, expression)
		return v
	}
}

// left is whether the browser says that the page was left meanwhile, or is not there yet.
func left(err error) bool {
	for _, said := range []string{"Inspected target navigated or closed", "Cannot find default execution context", "Cannot find context with specified id", "Execution context was destroyed"} {
		if strings.Contains(err.Error(), said) {
			return true
		}
	}
	return false
}

// arrives waits for what the page does.
func arrives[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case it := <-from:
		return it
	case <-time.After(patience):
	}
	t.Fatal("the page does not come to it")
	panic("unreachable")
}

// all are the nodes that have a role and a name for whoever can not see.
func (b *tab) all(role, name string) ([]*accessibility.Node, error) {
	document, err := chromedp.Call(b.ctx, dom.GetDocument, dom.GetDocumentParams{})
	if err != nil {
		return nil, err
	}
	found, err := chromedp.Call(b.ctx, accessibility.QueryAXTree, accessibility.QueryAXTreeParams{NodeID: document.Root.NodeID, Role: role, AccessibleName: name})
	if err != nil {
		return nil, err
	}
	var seen []*accessibility.Node
	for _, n := range found.Nodes {
		if !n.Ignored {
			seen = append(seen, n)
		}
	}
	return seen, nil
}

// eventually tries until there is no error.
func (b *tab) eventually(try func() error) {
	b.t.Helper()
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(15 * time.Millisecond) {
		if err = try(); err == nil {
			return
		}
	}
	b.t.Fatalf("%v; the page says:\n%s", err, evaluate[string](b, "document.body.innerText"))
}

// see waits for what has a role and a name.
func (b *tab) see(role, name string) cdp.BackendNodeID {
	b.t.Helper()
	var id cdp.BackendNodeID
	b.eventually(func() error {
		found, err := b.all(role, name)
		if err == nil && len(found) == 0 {
			err = fmt.Errorf("there is no %s %q", role, name)
		}
		if err == nil {
			id = found[0].BackendDOMNodeID
		}
		return err
	})
	return id
}

// gone waits until there is nothing of a role and a name.
func (b *tab) gone(role, name string) {
	b.t.Helper()
	b.eventually(func() error {
		found, err := b.all(role, name)
		if err == nil && len(found) > 0 {
			err = fmt.Errorf("there is a %s %q", role, name)
		}
		return err
	})
}

// click clicks with the mouse, where the thing is seen, until that is what was clicked on: it
// may have gone from under the mouse, or not be ready for it yet.
func (b *tab) click(role, name string) {
	b.t.Helper()
	b.eventually(func() error {
		found, err := b.all(role, name)
		if err != nil || len(found) == 0 {
			return fmt.Errorf("there is no %s %q to click: %w", role, name, err)
		}
		id := found[0].BackendDOMNodeID
		// It may be drawn anew between these.
		if _, err := chromedp.Call(b.ctx, dom.ScrollIntoViewIfNeeded, dom.ScrollIntoViewIfNeededParams{BackendNodeID: id}); err != nil {
			return err
		}
		node, err := chromedp.Call(b.ctx, dom.ResolveNode, dom.ResolveNodeParams{BackendNodeID: id})
		if err != nil {
			return err
		}
		// What lies over it, or moves it, gets out of the way in a moment.
		at, err := chromedp.Call(b.ctx, cdruntime.CallFunctionOn, cdruntime.CallFunctionOnParams{ObjectID: node.Object.ObjectID, ReturnByValue: new(true), AwaitPromise: new(true), FunctionDeclaration: `async function () {
			const e = this instanceof Element ? this : this.parentElement;
			const before = e.getClientRects()[0];
			await new Promise((r) => setTimeout(r, 30));
			const box = e.getClientRects()[0];
			if (!before || !box || before.x !== box.x || before.y !== box.y) return [];
			const at = [box.x + box.width / 2, box.y + box.height / 2];
			if (!e.contains(document.elementFromPoint(...at))) return [];
			window.hit = false;
			addEventListener("click", (click) => { window.hit ||= click.composedPath().includes(e); }, {capture: true, once: true});
			return at;
		}`})
		if err != nil {
			return err
		}
		var point []float64
		if err := json.Unmarshal(at.Result.Value, &point); err != nil || len(point) != 2 {
			return fmt.Errorf("something lies over the %s %q: %w", role, name, err)
		}
		if err := chromedp.Do(b.ctx, chromedp.MouseClickXY(point[0], point[1])); err != nil {
			return err
		}
		// A page that it has led to knows nothing of it.
		if hit, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("String(window.hit)")); err == nil && hit == "false" {
			return fmt.Errorf("the click went beside the %s %q, or it takes none", role, name)
		}
		return nil
	})
}

// fill replaces what is in a field.
func (b *tab) fill(role, name, text string) {
	b.t.Helper()
	b.eventually(func() error {
		found, err := b.all(role, name)
		if err != nil || len(found) == 0 {
			return fmt.Errorf("there is no %s %q to fill: %w", role, name, err)
		}
		if _, err = chromedp.Call(b.ctx, dom.Focus, dom.FocusParams{BackendNodeID: found[0].BackendDOMNodeID}); err != nil {
			return err
		}
		// A form that was drawn anew since has another field.
		if !evaluate[bool](b, `(() => { const e = document.activeElement; e.select?.(); return !!e.select })()`) {
			return fmt.Errorf("the %s %q has not kept the focus", role, name)
		}
		b.insert(text)
		if has := evaluate[string](b, `document.activeElement.value ?? ""`); has != text {
			return fmt.Errorf("the %s %q has %q, and not %q", role, name, has, text)
		}
		return nil
	})
}

// insert types into what has the focus.
func (b *tab) insert(text string) {
	b.t.Helper()
	call(b, input.InsertText, input.InsertTextParams{Text: text})
}

// set sets a date, a time or a choice, which are no texts, as the browser's own control would.
func (b *tab) set(id, value string) {
	b.t.Helper()
	evaluate[bool](b, fmt.Sprintf(`(() => {
		const field = document.getElementById(%[1]q);
		Object.getOwnPropertyDescriptor(Object.getPrototypeOf(field), "value").set.call(field, %[2]q);
		field.dispatchEvent(new Event("input", {bubbles: true}));
		field.dispatchEvent(new Event("change", {bubbles: true}));
		return field.value === %[2]q;
	})()`, id, value))
}

// press presses a key, or several one after another. What it types comes with the key going
// down, as from a keyboard: who handles the key can keep it from being typed.
func (b *tab) press(keys string, modifiers ...chromedp.Modifier) {
	b.t.Helper()
	for _, r := range keys {
		events := kb.Encode(r)
		down := *events[0]
		for _, e := range events {
			if e.Type == kb.KeyChar && len(modifiers) == 0 {
				down.Type, down.Text = kb.KeyDown, e.Text
			}
		}
		up := *events[len(events)-1]
		for _, m := range modifiers {
			down.Modifiers |= int64(m)
			up.Modifiers |= int64(m)
		}
		call(b, input.DispatchKeyEvent, down)
		call(b, input.DispatchKeyEvent, up)
	}
}

// add makes a task by the field for it, and waits until the server has it, where it is there.
func (b *tab) add(field, title string) {
	b.t.Helper()
	b.fill("textbox", field, title)
	b.press("\r")
	b.see("button", title)
	b.eventually(func() error {
		if b.stored(`read("outbox", (s) => s.count())`) > 0 && !strings.Contains(evaluate[string](b, "document.body.innerText"), "Not connected") {
			return fmt.Errorf("%q is not there yet", title)
		}
		return nil
	})
}

// reads waits until the page says something.
func (b *tab) reads(text string) {
	b.t.Helper()
	b.eventually(func() error {
		if said := evaluate[string](b, "document.body.innerText"); !strings.Contains(said, text) {
			return fmt.Errorf("it does not say %q", text)
		}
		return nil
	})
}

// narrow makes the page as wide as a small phone.
func (b *tab) narrow() {
	b.t.Helper()
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: 320, Height: 640, DeviceScaleFactor: 1, Mobile: true})
}

// newUser registers with the API.
func newUser(t *testing.T) *suite.Client {
	t.Helper()
	c, err := s.Register(t.Context(), fmt.Sprintf("web%d@example.org", time.Now().UnixNano()), "UTC")
	require.NoError(t, err)
	return c
}

// signIn opens the page as somebody who is registered.
func signIn(t *testing.T, c *suite.Client) *tab {
	t.Helper()
	b := open(t)
	b.fill("textbox", "E-mail address", c.Email)
	b.fill("textbox", "Password", suite.Password)
	b.click("button", "Sign in")
	b.see("heading", "Today")
	return b
}

type object = map[string]any

// ask sends a request that must succeed, and decodes the answer.
func ask[T any](t *testing.T, c *suite.Client, method, path string, body any) T {
	t.Helper()
	a, err := c.Do(t.Context(), method, path, body)
	require.NoError(t, err)
	require.Less(t, a.Status, 300, "%s %s: %s", method, path, a.Body)
	var v T
	if len(a.Body) > 0 {
		require.NoError(t, json.Unmarshal(a.Body, &v))
	}
	return v
}

type thing struct{ ID string }

func create(t *testing.T, c *suite.Client, task object) thing {
	t.Helper()
	return ask[thing](t, c, http.MethodPost, "/api/tasks", task)
}

// asked has the browser's own questions be answered. It is called for each of them.
func (b *tab) asked(answer func() bool) {
	b.t.Helper()
	require.NoError(b.t, chromedp.Listen(b.ctx, func(ev any) {
		if _, ok := ev.(*page.EventJavascriptDialogOpening); ok {
			yes := answer()
			go func() {
				_, _ = chromedp.Call(b.ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: yes})
			}() // the test sees what comes of it
		}
	}))
	call(b, page.Enable, page.EnableParams{})
}

// agree has all of them be answered with yes.
func (b *tab) agree() {
	b.t.Helper()
	b.asked(func() bool { return true })
}
