// Command chaos proves that the suite loses nothing: it puts a load on a whole
// suite, kills, stops and cuts off its parts meanwhile, lets it settle, and
// compares what was acknowledged with everything that should have followed.
// `make chaos` runs it; docs/reliability.md tells how to read what it prints.
//
// It ends with 1 when anything was lost, doubled, invented or out of order.
package main

import (
	"context"
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
	var c config
	var log string
	flag.DurationVar(&c.duration, "duration", time.Minute, "how long there is a load and faults")
	flag.Uint64Var(&c.seed, "seed", rand.Uint64()>>32, "repeats the same choices of load and faults")
	flag.IntVar(&c.rate, "rate", 100, "requests a second")
	flag.IntVar(&c.users, "users", defaultUsers, "how many users send them")
	flag.StringVar(&c.down, "down", "", "a connection that is refused half of the time, such as broker")
	flag.StringVar(&c.kill, "kill", "", "a process that is killed every 20 s besides, such as task-api")
	flag.StringVar(&c.broker, "broker", "kafka", "kafka or redis")
	flag.StringVar(&c.mix, "mix", defaultMix, "shares of the kinds of request")
	flag.StringVar(&c.breakage, "break", "", "break the promise, to see that this is noticed: "+strings.Join(breakages(), ", "))
	flag.StringVar(&log, "log", filepath.Join(".local", "chaos.log"), "file for the faults and findings, one by one")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ok, err := runLogged(ctx, c, log)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// runLogged runs with the log in a file and prints the report.
func runLogged(ctx context.Context, c config, path string) (ok bool, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return false, fmt.Errorf("make the folder of the log: %w", err)
	}
	file, err := os.Create(path)
	if err != nil {
		return false, fmt.Errorf("open the log: %w", err)
	}
	defer func() {
		if closed := file.Close(); err == nil {
			err = closed
		}
	}()
	fmt.Fprintf(os.Stderr, "chaos: seed %d, the log is %s\n", c.seed, path)
	r, err := run(ctx, c, newJournal(file, os.Stderr))
	if err != nil {
		return false, err
	}
	fmt.Print(r)
	return r.ok(), nil
}
