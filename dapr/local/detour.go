package main

import (
	"fmt"
	"maps"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/taskwire/taskwire/pkg/local"
)

// detours are the ports by which parts reach each other other than directly:
// a proxy listens there, and can slow down or cut what goes between them. The
// chaos suite sets them in DETOURS, a comma-separated list of NAME=PORT:
//
//	APP-database    where the app finds Postgres
//	APP-dapr-http   where the app finds its sidecar, over HTTP
//	APP-dapr-grpc   the same, over gRPC
//	APP-app         where the sidecar finds its app
//	APP-broker      where the app and its sidecar find the broker
//	broker          where all of them do; the suite's own Kafka-protocol broker
//	                then also names this port as its address, for a client of
//	                Kafka goes where the broker says that it is
//	smtp            where notification finds the suite's own mail sink
type detours map[string]int

// readDetours reads DETOURS and refuses names that would have no effect.
func readDetours(apps []*app) (detours, error) {
	known := map[string]bool{"broker": true, "smtp": true}
	for _, a := range apps {
		for _, part := range []string{"database", "dapr-http", "dapr-grpc", "app", "broker"} {
			known[a.name()+"-"+part] = true
		}
	}
	d := detours{}
	for entry := range strings.SplitSeq(os.Getenv("DETOURS"), ",") {
		if entry = strings.TrimSpace(entry); entry == "" {
			continue
		}
		name, text, _ := strings.Cut(entry, "=")
		if !known[name] {
			return nil, fmt.Errorf("DETOURS: there is no %q; there are: %s", name, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
		port, err := strconv.Atoi(text)
		if err != nil || port < 1 || port > 65535 {
			return nil, fmt.Errorf("DETOURS: %s needs a port from 1 to 65535, not %q", name, text)
		}
		d[name] = port
	}
	return d, nil
}

// port is the way by name, or the direct one where there is no detour.
func (d detours) port(name string, direct int) string {
	if port, ok := d[name]; ok {
		direct = port
	}
	return strconv.Itoa(direct)
}

// url leads by the detour of that name, if there is one.
func (d detours) url(name, direct string) (string, error) {
	port, ok := d[name]
	if !ok {
		return direct, nil
	}
	u, err := url.Parse(direct)
	if err != nil {
		return "", fmt.Errorf("the detour %s leads to what is not a URL", name) // which may hold a password
	}
	u.Host = local.Address(port)
	return u.String(), nil
}

// broker is the broker as an app and its sidecar see it.
func (d detours) broker(name string, direct broker) broker {
	for _, way := range []string{name + "-broker", "broker"} {
		if port, ok := d[way]; ok {
			direct.Address = local.Address(port)
			break
		}
	}
	return direct
}
