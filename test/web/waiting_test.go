package web

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// loseFirstAnswers loses the answer to each change that is asked for the first time.
func (d *door) loseFirstAnswers() {
	lost := map[string]bool{}
	d.set(func() {
		d.lose = func(r *http.Request) bool {
			what := r.Method + " " + r.URL.Path
			first := r.Method != http.MethodGet && !lost[what]
			lost[what] = true
			return first
		}
	})
}

// A restore whose answer was lost is sent again, and finds nothing in the trash: it has been
// done, and needs nobody.
func TestARestoreWhoseAnswerWasLost(t *testing.T) {
	c, d := newUser(t), newDoor(t)
	id := create(t, c, object{"title": "Back"}).ID
	b := signInAt(t, d, c)
	b.click("link", "Inbox 1 open task")
	b.see("button", "Back")
	d.loseFirstAnswers()
	// Of a deletion whose answer is lost nobody knows the request, which would undo it.
	b.does(`await remove("Back")`)
	b.settled()
	b.press("u")
	b.see("button", "Back")
	b.settled()
	require.Equal(t, 2, d.sent("POST /api/trash/"+id+"/restore"))
	require.Zero(t, b.stored(`read("kept", (s) => s.count())`))
	require.Contains(t, rowsOf(t, c), "Back")
}

func TestARestoreFromTheTrashWhoseAnswerWasLost(t *testing.T) {
	c, d := newUser(t), newDoor(t)
	id := create(t, c, object{"title": "Back"}).ID
	list := ask[thing](t, c, http.MethodPost, "/api/lists", object{"name": "Garden"}).ID
	ask[any](t, c, http.MethodDelete, "/api/tasks/"+id, nil)
	ask[any](t, c, http.MethodDelete, "/api/lists/"+list, nil)
	b := signInAt(t, d, c)
	b.click("link", "Trash")
	b.see("button", "Restore: Back")
	d.loseFirstAnswers()
	b.click("button", "Restore: Back")
	b.reads("Restored: Back")
	b.gone("button", "Restore: Back")
	b.click("button", "Restore: Garden")
	b.reads("Restored: Garden")
	b.see("link", "Garden")
	require.Contains(t, rowsOf(t, c), "Back")
	for _, one := range []string{id, list} {
		require.Equal(t, 2, d.sent("POST /api/trash/"+one+"/restore"))
	}
}

// After a reload no toast offers to undo what waits: it is found where it is said that it does.
func TestWhatWaitsIsUndoneAfterAReload(t *testing.T) {
	c, d := newUser(t), newDoor(t)
	create(t, c, object{"title": "One"})
	create(t, c, object{"title": "Two"})
	b := signInAt(t, d, c)
	b.click("link", "Inbox 2 open tasks")
	b.see("button", "Two")
	d.close()
	b.reads("Not connected")
	b.does(`await add("Three"); await edit("Three", {title: "Drei"}); await edit("One", {title: "Uno"}); await complete("Two")`)
	b.visit("/?again#/inbox")
	b.see("button", "Uno")
	b.click("button", "Undo …")
	b.see("dialog", "4 changes are waiting.")
	b.accessible("what waits")
	b.click("button", "Undo: Complete or reopen: Two")
	b.see("dialog", "3 changes are waiting.")
	b.eventually(func() error {
		if at := evaluate[string](b, `document.activeElement.ariaLabel ?? ""`); at != "Undo: Edit: One" {
			return fmt.Errorf("the focus is on %q", at)
		}
		return nil
	})
	b.click("button", "Redo")
	b.see("dialog", "4 changes are waiting.")
	b.click("button", "Undo: Complete or reopen: Two")
	b.see("dialog", "3 changes are waiting.")
	b.click("button", "Undo: New task: Three") // with what was done to it since
	b.see("dialog", "1 change is waiting.")
	d.open()
	b.online()
	b.gone("dialog", "1 change is waiting.")
	b.settled()
	got := rowsOf(t, c)
	require.Len(t, got, 2)
	require.Contains(t, got, "Uno")
	require.False(t, got["Two"].IsComplete)
	require.EqualValues(t, 1, got["Two"].Version, "nothing of it was sent")
	require.Zero(t, d.sent("POST /api/quick-add"))
	b.gone("button", "Undo …")
}

// What is done right before the page is left is in the browser all the same.
func TestWhatIsDoneRightBeforeThePageIsLeft(t *testing.T) {
	c, d := newUser(t), newDoor(t)
	for i := range 9 {
		create(t, c, object{"title": fmt.Sprintf("Task %d", i)})
	}
	b := signInAt(t, d, c)
	b.click("link", "Inbox 9 open tasks")
	b.see("button", "Task 8")
	b.kept()
	d.close()
	b.reads("Not connected")
	// As on a slow device, which comes to nothing else before it leaves the page.
	call(b, emulation.SetCPUThrottlingRate, emulation.SetCPUThrottlingRateParams{Rate: 10})
	// Asked once: asked again of the next page, it would do there what was lost.
	_, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](`document.querySelectorAll("main [data-task] input").forEach((box) => box.click()), location.reload(), true`))
	require.True(t, err == nil || left(err), "%v", err)
	call(b, emulation.SetCPUThrottlingRate, emulation.SetCPUThrottlingRateParams{Rate: 1})
	b.eventually(func() error {
		if how := evaluate[string](b, `performance.getEntriesByType("navigation")[0].type`); how != "reload" {
			return fmt.Errorf("it is still the page of before, by %s", how)
		}
		return nil
	})
	b.reads("9 changes are waiting.")
	d.open()
	b.online()
	b.settled()
	for title, row := range rowsOf(t, c) {
		require.True(t, row.IsComplete, title)
	}
}
