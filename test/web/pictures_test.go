package web

import (
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "take the pictures of the documentation anew")

// most is how large a picture in the repository may be, in bytes.
const most = 100_000

// pictures are those of README.md and docs/page.md.
var pictures = []string{"page.png", "page-add.png", "page-history.png", "page-phone.png"}

// To take them anew: go test ./test/web -run '^TestPictures$' -update
func TestPictures(t *testing.T) {
	if !*update {
		for _, name := range pictures {
			there, err := os.Stat(filepath.Join("..", "..", "docs", name))
			require.NoError(t, err)
			require.Less(t, there.Size(), int64(most))
		}
		return
	}
	c := newUser(t)
	list := ask[thing](t, c, http.MethodPost, "/api/lists", object{"name": "Home"})
	day := func(n int) string { return time.Now().UTC().AddDate(0, 0, n).Format(time.DateOnly) + "T09:00:00Z" }
	create(t, c, object{"title": "Plan the beds", "list_id": list.ID, "due_at": day(-1), "all_day": true})
	create(t, c, object{"title": "Order seeds", "list_id": list.ID, "tags": []string{"shopping"}})
	create(t, c, object{"title": "Mend the fence", "list_id": list.ID})
	ask[any](t, c, http.MethodPatch, "/api/auth/me", object{"name": "Robin"})
	b := signIn(t, c)
	take := func(name string) {
		t.Helper()
		picture, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
		require.NoError(t, err)
		require.Less(t, len(picture), most)
		require.NoError(t, os.WriteFile(filepath.Join("..", "..", "docs", name), picture, 0o600))
	}
	require.NoError(t, chromedp.Do(b.ctx, chromedp.EmulateViewport(900, 560)))
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: "reduce"}}})
	b.click("link", "Upcoming")
	b.fill("textbox", "Add a task for tomorrow", "Water the orchids every friday 9:00 #home !high")
	b.see("button", "Keep as text: #home")
	take("page-add.png")
	b.press("\r")
	b.see("button", "Water the orchids")
	b.click("link", "Home 4 open tasks")
	b.click("checkbox", "Complete: Mend the fence")
	b.see("button", "Undo")
	b.see("link", "Home 3 open tasks")
	take("page.png")
	b.click("checkbox", "Complete: Water the orchids")
	b.reads("Completed: Water the orchids")
	b.press("u")
	b.reads("Undone.")
	b.click("button", "Actions for Water the orchids")
	b.click("button", "History")
	b.reads("Created")
	b.reads("Completed")
	take("page-history.png")
	b.press("\x1b")
	b.gone("dialog", "History of Water the orchids")
	b.click("button", "Actions for Water the orchids")
	require.NoError(t, chromedp.Do(b.ctx, chromedp.EmulateViewport(360, 560)))
	take("page-phone.png")
}
