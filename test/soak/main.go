// Command soak shows that nothing that one client does hurts another: it puts
// a normal load on a whole suite, attacks it meanwhile in one way after the
// other, by one client and by 60, and prints what the users of the normal load
// noticed. `make soak` runs it; docs/reliability.md tells how to read it.
//
// It ends with 1 when a promise was broken.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	c := config{crowds: []int{1, many}, calm: 20 * time.Second, keep: true}
	var names, table string
	flag.DurationVar(&c.duration, "duration", 8*time.Second, "how long each attack lasts")
	flag.StringVar(&names, "attack", "", "only these attacks, with commas between them: "+strings.Join(attackNames(), ", "))
	flag.Uint64Var(&c.seed, "seed", rand.Uint64()>>32, "repeats the same choices")
	flag.StringVar(&table, "table", filepath.Join(".local", "soak.md"), "file for the table")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ok, err := soak(ctx, c, names, table)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// soak runs, and prints the report: also of a run that was cut short.
func soak(ctx context.Context, c config, names, table string) (ok bool, err error) {
	if c.attacks, err = chosen(names); err != nil {
		return false, err
	}
	progress("seed %d", c.seed)
	r, err := run(ctx, c)
	if r == nil {
		return false, err
	}
	fmt.Print(r)
	return r.ok(), errors.Join(err, write(table, r.String()))
}

func write(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("make the folder of the table: %w", err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	return nil
}

func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s  %s\n", time.Now().Format("15:04:05"), fmt.Sprintf(format, args...))
}
