package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/cdproto/memory"
	"github.com/chromedp/cdproto/network"
	cdruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/cdproto/tracing"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

var (
	longList = flag.Int("tasks", 5_000, "how many tasks the long list of TestALongList has")
	changes  = flag.Int("navigations", 1_000, "how often TestALongList changes the view: what is there after a fifth of them is compared with the end")
	traces   = flag.String("traces", os.Getenv("TRACES"), "folder to keep the traces of TestALongList in (default: with the suite's logs)")
)

// work is what the page did while it was traced.
type work struct {
	longest time.Duration // task of its main thread, by the clock
	busiest time.Duration // the same by the time of the processor, which a busy machine does not prolong
	busy    time.Duration // all of them together
	rows    int           // the most that were in the document
}

// trace records what the page does in the browser's own terms, and keeps it in a file.
func (b *tab) trace(name string, do func()) work {
	b.t.Helper()
	var mu sync.Mutex
	var events []json.RawMessage
	done := make(chan struct{}, 1)
	ctx, stop := context.WithCancel(b.ctx)
	defer stop() // it listens no longer
	require.NoError(b.t, chromedp.Listen(ctx, func(ev any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := ev.(type) {
		case *tracing.EventDataCollected:
			for _, v := range e.Value {
				events = append(events, json.RawMessage(bytes.Clone(v)))
			}
		case *tracing.EventTracingComplete:
			done <- struct{}{}
		}
	}))
	call(b, tracing.Start, tracing.StartParams{TraceConfig: &tracing.TraceConfig{IncludedCategories: []string{"devtools.timeline", "disabled-by-default-devtools.timeline", "blink.user_timing"}}})
	evaluate[bool](b, `(() => {
		performance.mark("traced from here");
		window.mostRows = 0;
		const count = () => { window.mostRows = Math.max(window.mostRows, document.querySelectorAll("main [data-task]").length); window.counting = requestAnimationFrame(count); };
		count();
		return true;
	})()`)
	do()
	w := work{rows: evaluate[int](b, `cancelAnimationFrame(window.counting), window.mostRows ?? 0`)}
	evaluate[bool](b, `performance.mark("traced to here"), true`)
	call(b, tracing.End, cdp.Empty{})
	<-done
	mu.Lock()
	defer mu.Unlock()
	type event struct {
		Name          string
		Pid, Tid      int
		TS, Dur, Tdur float64 // µs
	}
	var from, to event
	all := make([]event, len(events))
	for i, raw := range events {
		require.NoError(b.t, json.Unmarshal(raw, &all[i]))
		switch all[i].Name {
		case "traced from here":
			from = all[i]
		case "traced to here":
			to = all[i]
		}
	}
	require.NotZero(b.t, to.TS, "the trace has no end")
	tasks := 0
	for _, e := range all {
		if e.Name != "RunTask" || e.Pid != from.Pid || e.Tid != from.Tid || e.TS < from.TS || e.TS > to.TS {
			continue
		}
		tasks++
		w.longest = max(w.longest, time.Duration(e.Dur)*time.Microsecond)
		w.busy += time.Duration(e.Tdur) * time.Microsecond
		w.busiest = max(w.busiest, time.Duration(e.Tdur)*time.Microsecond)
	}
	require.NotZero(b.t, tasks, "the trace has no tasks of the page")
	folder := *traces
	if folder == "" {
		folder = s.LogDir
	}
	require.NoError(b.t, os.MkdirAll(folder, 0o750))
	content, err := json.Marshal(map[string]any{"traceEvents": events})
	require.NoError(b.t, err)
	require.NoError(b.t, os.WriteFile(filepath.Join(folder, name+".json"), content, 0o600))
	return w
}

// frames waits for so many frames.
const frames = `const frames = async (n, each = () => {}) => { for (let i = 0; i < n; i++) { each(i); await new Promise(requestAnimationFrame); } };`

func loadName(first bool, tasks int) string {
	if first {
		return fmt.Sprintf("the-first-with-%d-tasks", tasks)
	}
	return fmt.Sprintf("another-with-%d-tasks", tasks)
}

// load loads the page anew with a processor of a quarter of the speed, in a browser that has
// never been there or in one that has, and says how long that takes until its tasks are there.
func (b *tab) load(name, view string, first bool) {
	b.t.Helper()
	if first {
		call(b, network.ClearBrowserCache, cdp.Empty{})
		call(b, storage.ClearDataForOrigin, storage.ClearDataForOriginParams{Origin: b.base, StorageTypes: "indexeddb,local_storage,service_workers,cache_storage"})
	}
	call(b, emulation.SetCPUThrottlingRate, emulation.SetCPUThrottlingRateParams{Rate: 4})
	defer call(b, emulation.SetCPUThrottlingRate, emulation.SetCPUThrottlingRateParams{Rate: 1})
	var there float64
	w := b.trace("load-"+name, func() {
		b.visit("/?" + name + "#/" + view)
		there = evaluate[float64](b, `new Promise((seen) => {
			const look = () => document.querySelector("main [data-task]") ? seen(performance.now()) : requestAnimationFrame(look);
			look();
		})`)
	})
	b.t.Logf("load at a quarter of the speed, %s: the list is there after %.0f ms (processor %v, longest task %v)", name, there, w.busy, w.longest)
}

// A long list costs as little as a short one where that can be seen: what is in the document,
// and the longest task of the browser's main thread. The times are said, and no condition:
// make page-speed.
func TestALongList(t *testing.T) {
	c := newUser(t)
	sizes := []int{100, *longList}
	lists := make([]thing, len(sizes))
	for i, n := range sizes {
		lists[i] = ask[thing](t, c, http.MethodPost, "/api/lists", object{"name": fmt.Sprintf("List of %d", n)})
		fillList(t, c, &lists[i], n)
	}
	b := signIn(t, c)
	did := make([]map[string]work, len(sizes))
	for i, n := range sizes {
		b.click("link", fmt.Sprintf("List of %d %d open tasks", n, n))
		b.see("button", "Task 0")
		did[i] = map[string]work{}
		did[i]["scroll"] = b.trace(fmt.Sprintf("scroll-%d", n), func() {
			evaluate[bool](b, `(async () => {`+frames+`
				await frames(60, () => scrollBy({top: 400, behavior: "instant"}));
				scrollTo({top: document.documentElement.scrollHeight, behavior: "instant"});
				await frames(3);
				await frames(10, () => scrollBy({top: -2000, behavior: "instant"}));
				scrollTo({top: 0, behavior: "instant"});
				await frames(3);
				return true;
			})()`)
		})
		// The keyboard leads through all of it, whatever is drawn.
		b.press("j")
		b.at("Task 0")
		b.press(kb.End)
		b.at(fmt.Sprintf("Task %d", n-1))
		require.Equal(t, fmt.Sprintf("%d of %d", n, n), evaluate[string](b, `(() => { const li = document.activeElement.closest("li"); return li.ariaPosInSet + " of " + li.ariaSetSize })()`))
		b.eventually(func() error {
			if !evaluate[bool](b, `(() => { const r = document.activeElement.getBoundingClientRect(); return r.top >= 0 && r.bottom <= innerHeight })()`) {
				return errors.New("the last task is not seen")
			}
			return nil
		})
		b.press("k")
		b.at(fmt.Sprintf("Task %d", n-2))
		b.visit("/#/search?list=" + lists[i].ID)
		b.see("searchbox", "Words in the title or description")
		b.reads(fmt.Sprintf("%d tasks", n))
		did[i]["filter"] = b.trace(fmt.Sprintf("filter-%d", n), func() {
			evaluate[bool](b, `document.getElementById("search").focus(), true`)
			for _, letter := range "Task 1" {
				b.insert(string(letter))
				evaluate[bool](b, `(async () => {`+frames+` await frames(2); return true; })()`)
			}
			b.set("by-tag", "tag0")
			evaluate[bool](b, `(async () => {`+frames+` await frames(2); return true; })()`)
		})
	}
	for _, what := range []string{"scroll", "filter"} {
		few, many := did[0][what], did[1][what]
		t.Logf("%s: the longest task at %d tasks %v (processor %v, at most %d rows), at %d tasks %v (processor %v, at most %d rows)", what,
			sizes[0], few.longest, few.busiest, few.rows, sizes[1], many.longest, many.busiest, many.rows)
		require.Positive(t, many.rows, what)
		require.LessOrEqual(t, many.rows, 160, what)
		// Below so much is what any frame costs.
		require.LessOrEqual(t, float64(many.busiest)/float64(max(few.busiest, 10*time.Millisecond)), 6.0, what)
	}

	// The page anew, with a processor of a quarter of the speed.
	other := newUser(t)
	fillList(t, other, nil, sizes[0])
	few := signIn(t, other)
	for _, first := range []bool{true, false} {
		few.load(loadName(first, sizes[0]), "inbox", first)
		b.load(loadName(first, sizes[0]+sizes[1]), "list/"+lists[1].ID, first)
	}

	// Views come and go, and leave nothing behind.
	var views []string
	for _, view := range []string{"today", "upcoming", "assigned", "inbox", "search?q=task", "list/" + lists[0].ID, "list/" + lists[1].ID} {
		views = append(views, fmt.Sprintf("%q", "#/"+view))
	}
	navigate := func(n int) (heap float64, nodes memory.GetDOMCountersResult) {
		t.Helper()
		evaluate[bool](b, fmt.Sprintf(`(async () => {
			const views = [%s];
			for (let i = 0; i <= %d; i++) {
				const there = new Promise((done) => addEventListener("hashchange", done, {once: true}));
				location.hash = views[i %% views.length];
				if (i > 0) await there;
				await new Promise((done) => setTimeout(done));
			}
			location.hash = "#/today";
			%s
			await frames(5);
			return true;
		})()`, strings.Join(views, ", "), n, frames))
		b.see("heading", "Today")
		for range 3 {
			call(b, heapprofiler.CollectGarbage, cdp.Empty{})
		}
		return call(b, cdruntime.GetHeapUsage, cdp.Empty{}).UsedSize, call(b, memory.GetDOMCounters, cdp.Empty{})
	}
	before, had := navigate(*changes / 5)
	after, has := navigate(*changes - *changes/5)
	t.Logf("after %d and %d navigations: heap %.1f and %.1f MB, nodes %d and %d, listeners %d and %d", *changes/5, *changes, before/1e6, after/1e6,
		had.Nodes, has.Nodes, had.JsEventListeners, has.JsEventListeners)
	require.LessOrEqual(t, after/before, 1.1)
	require.Equal(t, had.Nodes, has.Nodes)
	require.Equal(t, had.JsEventListeners, has.JsEventListeners)
}
