package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/test/suite"
)

// previews types texts into the description that is open, one after another, and returns the
// markup of what is shown of each, how deep it is, and how long that took.
func previews(b *tab, texts []string) (shown []struct {
	HTML  string
	Depth int
	MS    float64
},
) {
	b.t.Helper()
	all, err := json.Marshal(texts)
	require.NoError(b.t, err)
	evaluated := evaluate[string](b, fmt.Sprintf(`(async () => {
		const field = document.getElementById("description");
		const set = Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value").set;
		const depth = (e) => { let most = 0; const todo = [[e, 0]]; while (todo.length) { const [at, n] = todo.pop(); most = Math.max(most, n); for (const c of at.children) todo.push([c, n + 1]); } return most; };
		const out = [];
		for (const text of %s) {
			set.call(field, text);
			const began = performance.now();
			field.dispatchEvent(new Event("input", {bubbles: true}));
			await null; // it is made anew by then, and the browser has drawn nothing of it
			const MS = performance.now() - began;
			const shown = document.querySelector(".preview");
			out.push({HTML: shown?.innerHTML ?? "", Depth: shown ? depth(shown) : 0, MS});
		}
		return JSON.stringify(out);
	})()`, all))
	require.NoError(b.t, json.Unmarshal([]byte(evaluated), &shown))
	return shown
}

func TestMarkdown(t *testing.T) {
	c := newUser(t)
	create(t, c, object{"title": "Text", "due_at": time.Now().UTC().Format(time.DateOnly) + "T00:00:00Z", "all_day": true})
	b := signIn(t, c)
	b.click("button", "Text")
	b.see("textbox", "Description")

	const link = `<a href="%s" target="_blank" rel="noopener noreferrer" dir="auto">%s</a>`
	p := func(content string) string { return `<p dir="auto">` + content + `</p>` }
	cases := []struct{ name, text, want string }{
		{"plain", "Just words, 2 * 3 and snake_case_names.", ""},
		{"plain lines", "One\n\nTwo", ""},
		{"markup is text", "<script>window.pwned = 1</script> **b**", p(`&lt;script&gt;window.pwned = 1&lt;/script&gt; <strong>b</strong>`)},
		{"an image in markup", `<img src=x onerror="window.pwned=1"> *b*`, p(`&lt;img src=x onerror="window.pwned=1"&gt; <em>b</em>`)},
		{"entities are text", "&lt;b&gt; **b**", p(`&amp;lt;b&amp;gt; <strong>b</strong>`)},
		{"emphasis", "*a* **b** ***c*** _d_ __e__ ~~f~~", p(`<em>a</em> <strong>b</strong> <em><strong>c</strong></em> <em>d</em> <strong>e</strong> <del>f</del>`)},
		{"emphasis in emphasis", "**a *b* c** and *a **b** c*", p(`<strong>a <em>b</em> c</strong> and <em>a <strong>b</strong> c</em>`)},
		{"marks that do not match", "*a **b* c", p(`*a *<em>b</em> c`)},
		{"words with marks", "**b** snake_case_name 2 * 3 * 4", p(`<strong>b</strong> snake_case_name 2 * 3 * 4`)},
		{"escaped", `\*a\* \[b](https://c.example) **d**`, p(`*a* [b](` + fmt.Sprintf(link, "https://c.example/", "https://c.example") + `) <strong>d</strong>`)},
		{"code", "`a *b* <i>` ``c ` d`` `e", p("<code>a *b* &lt;i&gt;</code> <code>c ` d</code> `e")},
		{"a block of code", "```go\n*a*\n\n<b>\n```\nb", `<pre dir="auto"><code>*a*` + "\n\n" + `&lt;b&gt;</code></pre>` + p("b")},
		{"code without an end", "~~~\na", `<pre dir="auto"><code>a</code></pre>`},
		{"headings", "# A #\n### B\n## C", `<h3 dir="auto">A</h3><h4 dir="auto">B</h4><h4 dir="auto">C</h4>`},
		{"no heading", "#home **b**", p("#home <strong>b</strong>")},
		{"rule", "a\n\n---\nb", p("a") + "<hr>" + p("b")},
		{"quote", "> a\n> > b\n\nc", `<blockquote dir="auto"><p>a</p><blockquote><p>b</p></blockquote></blockquote>` + p("c")},
		{"list", "- a\n- b\n  - c\n\nd", `<ul dir="auto"><li><p>a</p></li><li><p>b</p><ul><li><p>c</p></li></ul></li></ul>` + p("d")},
		{"numbers", "3. a\n4. b", `<ol dir="auto" start="3"><li><p>a</p></li><li><p>b</p></li></ol>`},
		{"a year is no item", "It was **in**\n1999. A year", p("It was <strong>in</strong>\n1999. A year")},
		{"things to do", "- [ ] a\n- [x] b", `<ul dir="auto"><li class="todo"><input type="checkbox" disabled="" aria-label="to do"><div><p>a</p></div></li>` +
			`<li class="todo"><input type="checkbox" disabled="" aria-label="done"><div><p>b</p></div></li></ul>`},
		{"link", `[*a*](https://b.example/c_(d) "e") f`, p(fmt.Sprintf(link, "https://b.example/c_(d)", "<em>a</em>") + " f")},
		{"bare", "See https://b.example/a_b_c?d=e&f.", p("See " + fmt.Sprintf(link, "https://b.example/a_b_c?d=e&amp;f", "https://b.example/a_b_c?d=e&amp;f") + ".")},
		{"in brackets", "(https://b.example) <mailto:a@b.example>", p("(" + fmt.Sprintf(link, "https://b.example/", "https://b.example") + ") " + fmt.Sprintf(link, "mailto:a@b.example", "mailto:a@b.example"))},
		{"an image is a link", "![a](https://b.example/c.png)", p(fmt.Sprintf(link, "https://b.example/c.png", "a"))},
		{"no link in a link", "[a [b](https://c.example)](https://d.example)", p(fmt.Sprintf(link, "https://d.example/", "a [b](https://c.example)"))},
		{"right to left", "**\u202Eevil\u202C** שלום", p("<strong>\u202Eevil\u202C</strong> שלום")},
	}
	for _, bad := range []string{
		"javascript:window.pwned=1", "JaVaScRiPt:alert(1)", "java\tscript:alert", " javascript:alert", "data:text/html,x", "vbscript:x", "file:///etc/passwd", "//b.example", "/api/tasks", "blob:x", "javascript&colon;alert",
	} {
		cases = append(cases, struct{ name, text, want string }{"link to " + bad, "[a](" + bad + ") ![i](" + bad + ") <" + bad + "> **b**", ""})
	}
	var texts []string
	for _, c := range cases {
		texts = append(texts, c.text)
	}
	for i, shown := range previews(b, texts) {
		t.Run(cases[i].name, func(t *testing.T) {
			if strings.HasPrefix(cases[i].name, "link to ") {
				require.NotContains(t, shown.HTML, "<a ")
				require.Contains(t, shown.HTML, "<strong>b</strong>")
				return
			}
			require.Equal(t, cases[i].want, shown.HTML)
		})
	}

	// What was made to take long, or to be deep. A length squared would show, on a slow machine as well.
	const length = 10_000
	texts = []string{strings.Repeat("- [a](b ", length/8) + ")", strings.Repeat("a](", length/3)}
	for _, of := range []string{
		"*a ", "*a **b ", "_a *b ~~c ", "a* ", "**a**", "*", "[", "![", "[a](", "[a](b ", "[[]", "[\\]", "[a](x()", "`", "`a``", "``` ", "<http:", "https://a.example.", "\\", "> ", ">", "- ", "1. ", " - a\n", "# ", "\n", "> a\n", "- a\n\n  b\n", "***a***", "\u202E", "[a](https://b.example) ",
	} {
		texts = append(texts, strings.Repeat(of, length/len([]rune(of)))+"x")
	}
	var stairs, fences strings.Builder
	for i := range 140 {
		stairs.WriteString(strings.Repeat(" ", i) + "- a\n")
		fences.WriteString(strings.Repeat("`", i+1) + "a")
	}
	texts = append(texts, stairs.String(), fences.String(), "[a]("+strings.Repeat(" ", length))
	var sum, most float64
	var longest string
	for i, shown := range previews(b, texts) {
		require.Less(t, shown.MS, 2_000.0, "%.20q", texts[i])
		require.LessOrEqual(t, shown.Depth, 40, "%.20q", texts[i])
		sum += shown.MS
		if shown.MS > most {
			most, longest = shown.MS, texts[i]
		}
	}
	t.Logf("%d texts of %d characters in %.0f ms, the longest, %.20q, in %.0f ms", len(texts), length, sum, longest, most)

	require.False(t, evaluate[bool](b, `"pwned" in window`))
	require.Zero(t, evaluate[int](b, `document.querySelectorAll("dialog :is(img, script, svg, iframe, i, b)").length`))
	previews(b, []string{"# A\n\n### B\n- [x] c\n\n> d `e`\n\n[f](https://g.example)\n\n```\nh\n```"})
	b.see("heading", "B")
	b.accessible("a description")
}

// shared is a list that two people are in, with a task.
func shared(t *testing.T, owner, other *suite.Client, role string) (list, task thing) {
	t.Helper()
	list = ask[thing](t, owner, http.MethodPost, "/api/lists", object{"name": "Together"})
	invited := ask[thing](t, owner, http.MethodPost, "/api/lists/"+list.ID+"/members", object{"email": other.Email, "role": role})
	ask[any](t, other, http.MethodPost, "/api/invitations/"+invited.ID+"/accept", nil)
	return list, create(t, owner, object{"title": "Roof", "description": "An **old** one", "list_id": list.ID})
}

func TestComments(t *testing.T) {
	ada, grace := newUser(t), newUser(t)
	ask[any](t, ada, http.MethodPatch, "/api/auth/me", object{"name": "Ada"})
	ask[any](t, grace, http.MethodPatch, "/api/auth/me", object{"name": "Grace"})
	list, task := shared(t, ada, grace, "editor")
	one, other := signIn(t, ada), signIn(t, grace)
	for _, b := range []*tab{one, other} {
		b.visit("/#/list/" + list.ID)
		b.click("button", "Roof")
		b.reads("Nobody has said anything yet.")
	}

	// Each sees what the other says, as Markdown and never as markup.
	one.fill("textbox", "Write a comment", "It **leaks** <img src=x onerror=window.pwned=1>")
	one.click("button", "Comment")
	one.reads("Commented.")
	other.reads("It leaks <img src=x onerror=window.pwned=1>")
	require.Equal(t, "leaks", evaluate[string](other, `document.querySelector(".comments .markdown strong").innerText`))
	other.see("button", "Save") // the task is still open
	other.gone("button", "Edit: It **leaks** <img src=x onerror=window.pwned=1>")

	// A member is mentioned by keys alone, and is told.
	one.gone("link", "Notifications 1 unread")
	other.fill("textbox", "Write a comment", "I look at it. @")
	other.see("listbox", "Members to mention")
	other.reads("1 member: Enter mentions")
	other.accessible("a mention")
	other.press("\x1b")
	other.gone("listbox", "Members to mention")
	other.see("dialog", "Edit task")
	other.press("a")
	other.see("option", "Ada "+ada.Email)
	other.press("\r")
	other.eventually(func() error {
		if got := evaluate[string](other, `document.activeElement.value`); got != "I look at it. @"+ada.Email+" " {
			return fmt.Errorf("the field has %q", got)
		}
		return nil
	})
	other.insert("ok?")
	other.press("\r", chromedp.ModifierCtrl)
	one.reads("I look at it. @" + ada.Email + " ok?")

	// The author changes it; what was typed stays while the task is closed by mistake.
	said := "I look at it. @" + ada.Email + " ok?"
	begins := said
	if len(said) > 60 {
		begins = said[:60] + "…"
	}
	other.click("button", "Edit: "+begins)
	other.fill("textbox", "Change your comment", "Looked at it.")
	other.press("\x1b")
	other.gone("dialog", "Edit task")
	other.click("button", "Roof")
	other.eventually(func() error {
		if got := evaluate[string](other, `document.querySelector(".comments li textarea")?.value ?? ""`); got != "Looked at it." {
			return fmt.Errorf("the draft is %q", got)
		}
		return nil
	})
	other.click("button", "Save the comment")
	one.reads("Looked at it.")
	one.reads("changed")
	one.fill("textbox", "Write a comment", "Thank you")
	one.press("\x1b")
	one.gone("dialog", "Edit task")
	one.click("button", "Roof")
	one.see("textbox", "Write a comment")
	one.eventually(func() error {
		if typed := evaluate[string](one, `document.querySelector(".comments > form textarea").value`); typed != "Thank you" {
			return fmt.Errorf("the draft is %q", typed)
		}
		return nil
	})

	// An owner deletes what others said, and takes that back.
	one.click("button", "Delete: Looked at it.")
	one.reads("Deleted the comment.")
	other.gone("button", "Edit: Looked at it.")
	one.click("button", "Undo") // which is offered for some seconds
	other.see("button", "Edit: Looked at it.")
	one.see("button", "Delete: Looked at it.")
	one.gone("button", "Edit: Looked at it.")
	one.accessible("comments")
	require.False(t, evaluate[bool](other, `"pwned" in window`))
	one.press("\x1b")

	// The history has it, once that has come there.
	one.eventually(func() error {
		if got := ask[struct{ Items []struct{ Action string } }](t, ada, http.MethodGet, "/api/tasks/"+task.ID+"/history", nil).Items; !slices.ContainsFunc(got, func(e struct{ Action string }) bool { return e.Action == "comment.deleted" }) {
			return fmt.Errorf("the history is %v", got)
		}
		return nil
	})
	one.click("button", "Actions for Roof")
	one.click("button", "History")
	one.reads("Deleted a comment")
	one.press("\x1b")

	// The mention leads to the task.
	one.see("link", "Notifications 1 unread")
	one.click("link", "Notifications 1 unread")
	one.see("heading", "Notifications")
	one.reads("Grace mentioned you in a comment")
	one.accessible("notifications")
	one.click("button", "Roof")
	one.see("dialog", "Edit task")
	one.reads("Looked at it.")
	one.press("\x1b")
	one.see("link", "Notifications")
	one.click("button", "Mark as unread: Roof")
	one.see("link", "Notifications 1 unread")
	one.click("button", "Mark all as read")
	one.see("link", "Notifications")
	one.gone("button", "Mark all as read")

	// Who may only read says nothing.
	ask[any](t, ada, http.MethodPatch, "/api/lists/"+list.ID+"/members/"+ask[thing](t, grace, http.MethodGet, "/api/auth/me", nil).ID, object{"role": "viewer"})
	other.gone("textbox", "Write a comment")
	other.gone("button", "Edit: Looked at it.")
	other.reads("Looked at it.")
	other.see("heading", "Description")
	other.see("strong", "")
	other.gone("textbox", "Description")
	other.narrow()
	require.LessOrEqual(t, evaluate[int](other, `document.querySelector("dialog").scrollWidth - document.querySelector("dialog").clientWidth`), 0)
}

func TestNotifications(t *testing.T) {
	c, other := newUser(t), newUser(t)
	_, task := shared(t, c, other, "editor")
	ask[any](t, c, http.MethodPatch, "/api/tasks/"+task.ID, object{"due_at": time.Now().UTC().Add(2 * time.Hour).Format(time.RFC3339)})
	b := signIn(t, c)
	b.click("link", "Notifications")
	b.reads("Nothing for you yet.")

	// More than a page of them, from two hands.
	for i := range 35 {
		ask[any](t, other, http.MethodPost, "/api/tasks/"+task.ID+"/comments", object{"text": fmt.Sprintf("@%s %d", c.Email, i)})
	}
	b.see("link", "Notifications 35 unread")
	count := func(want int) {
		t.Helper()
		b.eventually(func() error {
			if got := evaluate[int](b, `document.querySelectorAll(".notifications > li").length`); got != want {
				return fmt.Errorf("there are %d notifications, not %d", got, want)
			}
			return nil
		})
	}
	count(30)
	b.click("button", "Show more")
	count(35)
	b.gone("button", "Show more")
	// New ones come without a reload, and those that were asked for stay.
	ask[any](t, other, http.MethodPost, "/api/tasks/"+task.ID+"/comments", object{"text": "@" + c.Email + " again"})
	count(36)
	b.see("link", "Notifications 36 unread")

	ask[any](t, c, http.MethodPatch, "/api/tasks/"+task.ID, object{"reminders": []object{{"at": time.Now().UTC().Add(time.Second).Format(time.RFC3339)}}})
	require.Eventually(t, func() bool {
		return ask[struct{ Unread int }](t, c, http.MethodGet, "/api/notifications", nil).Unread == 37
	}, patience, 50*time.Millisecond)
	b.visit("/") // a page that was not looked at
	b.see("link", "Notifications 37 unread")
	b.click("link", "Notifications 37 unread")
	b.reads("Reminder: due ")

	// A task that is gone has no way to it.
	ask[any](t, c, http.MethodDelete, "/api/tasks/"+task.ID, nil)
	b.gone("button", "Roof")
	b.reads("The task is not there any more.")
	b.narrow()
	require.LessOrEqual(t, evaluate[int](b, `document.documentElement.scrollWidth`), 320)
}
