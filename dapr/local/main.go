// Command local runs the whole suite on one machine, on loopback, with real
// parts: a private Postgres, a Kafka-protocol broker, a mail sink, the four
// services, and a Dapr sidecar beside each. `make run` starts it.
//
//	local             run the suite until SIGINT or SIGTERM
//	local resources   write the Dapr resources of `dapr run -f dapr`, and end
//	local broker      the broker alone (what the suite starts as its own process)
//	local mail        the mail sink alone
//	local programs    say where daprd and sentry are, built if need be
//
// The apps, their ports and their environment are listed in dapr/dapr.yaml.
// State lives in STATE_DIR (.local); docs tell of the other variables.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	commands := map[string]func(context.Context, []string) error{
		"run": runSuite, "resources": writeResources, "broker": serveBroker, "mail": serveMail, "programs": writePrograms,
	}
	chosen, args := "run", os.Args[1:]
	if len(args) > 0 {
		chosen, args = args[0], args[1:]
	}
	command, ok := commands[chosen]
	if !ok {
		fmt.Fprintf(os.Stderr, "taskwire: unknown command %q; there are: run, resources, broker, mail, programs\n", chosen)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := command(ctx, args)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "taskwire: %v\n", err)
		os.Exit(1)
	}
}
