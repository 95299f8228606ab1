// Command brokers runs the end-to-end tests on each kind of broker that the
// suite supports: `make test-brokers`. Its arguments choose among embedded
// (the Kafka-protocol broker of the local runner), redis and kafka (a real
// Apache Kafka); without any it takes all. With -short the tests leave out
// what is the same on every broker, and wait less.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/taskwire/taskwire/test/kafka"
)

// broker is one to run the tests on.
type broker struct {
	name  string
	title string
	// env finds what the tests need of the environment; its error says in a
	// line why the tests cannot run on this broker.
	env func(ctx context.Context) ([]string, error)
}

var brokers = []broker{
	{"embedded", "the embedded Kafka-protocol broker", func(context.Context) ([]string, error) {
		return []string{"BROKER=kafka", "KAFKA_BROKERS=", "KAFKA_HOME="}, nil
	}},
	{"redis", "Redis", func(context.Context) ([]string, error) {
		if _, err := exec.LookPath("redis-server"); err != nil && os.Getenv("REDIS_HOST") == "" {
			return nil, errors.New("no redis-server, and no REDIS_HOST")
		}
		return []string{"BROKER=redis", "KAFKA_BROKERS=", "KAFKA_HOME="}, nil
	}},
	{"kafka", "a real Apache Kafka", realKafka},
}

// realKafka is that of KAFKA_BROKERS or KAFKA_HOME, or one that Maven fetches.
func realKafka(ctx context.Context) ([]string, error) {
	if os.Getenv("KAFKA_BROKERS") != "" || os.Getenv("KAFKA_HOME") != "" {
		return []string{"BROKER=kafka"}, nil
	}
	cache, err := filepath.Abs(filepath.Join("..", ".local", "apache-kafka"))
	if err != nil {
		return nil, fmt.Errorf("find the folder for Kafka: %w", err)
	}
	home, err := kafka.Fetch(ctx, cache)
	if err != nil {
		return nil, fmt.Errorf("no KAFKA_BROKERS or KAFKA_HOME, and %w", err)
	}
	return []string{"BROKER=kafka", "KAFKA_HOME=" + home}, nil
}

// failed lists the brokers on which a test failed.
type failed []string

func (f failed) Error() string { return fmt.Sprintf("the tests failed on %v", []string(f)) }

// run works in the module of the tests.
func run(ctx context.Context, short bool, wanted []string) error {
	for _, name := range wanted {
		if !slices.ContainsFunc(brokers, func(b broker) bool { return b.name == name }) {
			return fmt.Errorf("there is no broker %q: embedded, redis or kafka", name)
		}
	}
	var wrong failed
	for _, b := range brokers {
		if len(wanted) > 0 && !slices.Contains(wanted, b.name) {
			continue
		}
		env, err := b.env(ctx)
		if err != nil {
			fmt.Printf("test-brokers: %v: %s left out\n", err, b.title)
			continue
		}
		fmt.Printf("test-brokers: the end-to-end tests on %s\n", b.title)
		begun := time.Now()
		cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-p=1", "-timeout=30m", fmt.Sprintf("-short=%t", short), "./e2e", "./kafka")
		cmd.Env = append(os.Environ(), env...)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
		cmd.WaitDelay = time.Minute
		if err := cmd.Run(); err != nil {
			wrong = append(wrong, b.title)
		}
		fmt.Printf("test-brokers: %s: %s\n", b.title, time.Since(begun).Round(time.Second))
	}
	if len(wrong) > 0 {
		return wrong
	}
	return nil
}

func main() {
	short := flag.Bool("short", false, "leave out what is the same on every broker")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *short, flag.Args())
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "test-brokers:", err)
		os.Exit(1)
	}
}
