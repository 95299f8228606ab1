// Package web drives the page in a real browser, against a whole suite: by the roles and
// names that a screen reader would say.
package web

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/taskwire/taskwire/test/suite"
	"github.com/taskwire/taskwire/test/suite/suitetest"
)

var (
	s *suite.Suite
	// browser is the context of the one browser of these tests.
	browser context.Context //nolint:containedctx // chromedp keeps a browser so
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	flag.Parse()
	if testing.Short() {
		fmt.Println("the page is the same on every broker: left out with -short")
		return 0
	}
	chromium := os.Getenv("CHROMIUM")
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil && chromium == "" {
			chromium = found
		}
	}
	if chromium == "" {
		if os.Getenv("GITHUB_ACTIONS") != "" {
			fmt.Fprintln(os.Stderr, "there is no Chromium: .ci/run installs it")
			return 1
		}
		fmt.Println("SKIP: there is no Chromium to try the page in: apt-get install chromium, or name one in CHROMIUM")
		return 0
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium), chromedp.Flag("lang", "en-US"), chromedp.Flag("accept-lang", "en-US"))
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox) // it refuses root otherwise
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	defer stop()
	ctx, end := chromedp.NewContext(allocator)
	defer end()
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		fmt.Fprintln(os.Stderr, "start Chromium:", err)
		return 1
	}
	browser = ctx
	providers, err := company.start()
	if err != nil {
		fmt.Fprintln(os.Stderr, "start an OpenID provider:", err)
		return 1
	}
	defer company.server.Close()
	if workshop, err = os.MkdirTemp("", "taskwire-web-"); err != nil {
		fmt.Fprintln(os.Stderr, "make a folder:", err)
		return 1
	}
	defer os.RemoveAll(workshop) // what stays is in the folder for what is temporary
	return suitetest.Main(m, func(started *suite.Suite) { s = started }, append(suite.WithoutLimits(), providers)...)
}
