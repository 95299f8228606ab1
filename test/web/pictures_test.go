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

// The picture in README.md: go test ./test/web -run '^TestPictures$' -update
func TestPictures(t *testing.T) {
	file := filepath.Join("..", "..", "docs", "page.png")
	if !*update {
		there, err := os.Stat(file)
		require.NoError(t, err)
		require.Less(t, there.Size(), int64(most))
		return
	}
	c := newUser(t)
	list := ask[thing](t, c, http.MethodPost, "/api/lists", object{"name": "Garden"})
	day := func(n int) string { return time.Now().UTC().AddDate(0, 0, n).Format(time.DateOnly) + "T09:00:00Z" }
	create(t, c, object{"title": "Water the orchids", "list_id": list.ID, "due_at": day(2), "priority": "high", "tags": []string{"home"}, "recurrence": object{"rrule": "FREQ=WEEKLY"}})
	create(t, c, object{"title": "Plan the beds", "list_id": list.ID, "due_at": day(-1), "all_day": true})
	create(t, c, object{"title": "Order seeds", "list_id": list.ID, "tags": []string{"shopping"}})
	create(t, c, object{"title": "Mend the fence", "list_id": list.ID})
	ask[any](t, c, http.MethodPatch, "/api/auth/me", object{"name": "Robin"})
	b := signIn(t, c)
	require.NoError(t, chromedp.Do(b.ctx, chromedp.EmulateViewport(900, 520)))
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: "reduce"}}})
	b.click("link", "Garden 4 open tasks")
	b.click("checkbox", "Complete: Mend the fence")
	b.see("button", "Undo")
	b.see("link", "Garden 3 open tasks")
	picture, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	require.NoError(t, err)
	require.Less(t, len(picture), most)
	require.NoError(t, os.WriteFile(file, picture, 0o600))
}
