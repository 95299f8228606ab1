package web

import (
	"bytes"
	"fmt"
	"image/png"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/test/suite"
)

// scanned is what a telephone reads of the one picture of a page.
func (b *tab) scanned(name string) string {
	b.t.Helper()
	b.see("image", name)
	box := evaluate[page.Viewport](b, `(() => {
		const e = document.querySelector("main svg");
		e.scrollIntoView({block: "center", behavior: "instant"});
		const {x, y, width, height} = e.getBoundingClientRect();
		return {x: x + scrollX + 1, y: y + scrollY + 1, width: width - 2, height: height - 2, scale: 2}; // without what shines in at the edge
	})()`)
	shot := call(b, page.CaptureScreenshot, page.CaptureScreenshotParams{Clip: &box})
	picture, err := png.Decode(bytes.NewReader(shot.Data))
	require.NoError(b.t, err)
	bitmap, err := gozxing.NewBinaryBitmapFromImage(picture)
	require.NoError(b.t, err)
	read, err := qrcode.NewQRCodeReader().Decode(bitmap, map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_PURE_BARCODE: true})
	require.NoError(b.t, err)
	return read.GetText()
}

// The secret of a second factor is scanned, in the light and in the dark, also with an
// address that needs a large code.
func TestTheSecretIsScanned(t *testing.T) {
	long, err := s.Register(t.Context(), fmt.Sprintf("web%d.%s@%sexample.org", time.Now().UnixNano(), strings.Repeat("long", 9), strings.Repeat("sub.", 30)), "UTC")
	require.NoError(t, err)
	for _, c := range []*suite.Client{newUser(t), long} {
		b := settingsOf(t, c)
		b.click("button", "Set up …")
		b.see("link", "Open in an application")
		want := evaluate[string](b, `document.querySelector("a.button").href`)
		require.Contains(t, want, "otpauth://totp/")
		require.Equal(t, want, b.scanned("QR code of the secret"))
		b.accessible("the secret of a second factor") // it is dark after that
		require.Equal(t, want, b.scanned("QR code of the secret"))
	}
}
