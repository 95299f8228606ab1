package main

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/taskwire/taskwire/pkg/local"
)

// ports are those of the suite that belong to no app.
type ports struct {
	Postgres int `json:"postgres,omitempty"`
	Broker   int `json:"broker,omitempty"`
	SMTP     int `json:"smtp,omitempty"`
}

// portVariable is a port with the variable that changes it.
type portVariable struct {
	name string
	port *int
	any  bool // has no usual number: any free one will do
}

// choosePorts takes each port from its variable or, with PORTS=free, from the
// machine; and makes sure that all of them are free before anything starts.
func choosePorts(p *ports, apps []*app) error {
	var all []portVariable
	anyPort := false
	add := func(name string, port *int) {
		if *port != 0 {
			all = append(all, portVariable{name, port, anyPort})
		}
	}
	for _, a := range apps {
		anyPort = a.Replica > 1
		add(a.prefix()+"_PORT", &a.Port)
		add(a.prefix()+"_METRICS_PORT", &a.MetricsPort)
		add(a.prefix()+"_DAPR_HTTP_PORT", &a.HTTPPort)
		add(a.prefix()+"_DAPR_GRPC_PORT", &a.GRPCPort)
		add(a.prefix()+"_DAPR_INTERNAL_PORT", &a.InternalPort)
		add(a.prefix()+"_DAPR_METRICS_PORT", &a.DaprMetrics)
	}
	anyPort = false
	add("BROKER_PORT", &p.Broker)
	add("POSTGRES_PORT", &p.Postgres)
	add("SMTP_PORT", &p.SMTP)

	free := false
	switch v := os.Getenv("PORTS"); v {
	case "":
	case "free":
		free = true
	default:
		return fmt.Errorf("PORTS must be free or unset, not %q", v)
	}
	named := map[int]string{}
	var listeners []net.Listener
	defer func() {
		for _, l := range listeners {
			_ = l.Close()
		}
	}()
	for _, v := range all {
		text := os.Getenv(v.name)
		if text == "" && (free || v.any) {
			*v.port = 0
		} else if text != "" {
			port, err := strconv.Atoi(text)
			if err != nil || port < 1 || port > 65535 {
				return fmt.Errorf("%s must be a port from 1 to 65535, not %q", v.name, text)
			}
			*v.port = port
		}
	}
	// Those that are given first: none of them may be chosen for another.
	slices.SortStableFunc(all, func(a, b portVariable) int { return min(*b.port, 1) - min(*a.port, 1) })
	for _, v := range all {
		if other, ok := named[*v.port]; ok && *v.port != 0 {
			return fmt.Errorf("%s and %s are both %d", other, v.name, *v.port)
		}
		l, err := listen(*v.port)
		if err != nil {
			return fmt.Errorf("port %d is taken: set %s to another one (or PORTS=free for all), or stop what uses it", *v.port, v.name)
		}
		// Kept open until all are chosen, so that no port is chosen twice.
		listeners = append(listeners, l)
		*v.port = l.Addr().(*net.TCPAddr).Port
		named[*v.port] = v.name
	}
	return nil
}

// addresses says where everything listens.
func addresses(p ports, apps []*app) []string {
	var lines []string
	for _, a := range apps {
		lines = append(lines, fmt.Sprintf("%s: http://%s, metrics %d; sidecar %d, gRPC %d, between sidecars %d, metrics %d",
			a.name(), local.Address(a.Port), a.MetricsPort, a.HTTPPort, a.GRPCPort, a.InternalPort, a.DaprMetrics))
	}
	for _, part := range []struct {
		name string
		port int
	}{{"broker", p.Broker}, {"Postgres", p.Postgres}, {"mail sink", p.SMTP}} {
		if part.port != 0 { // else it is somebody else's
			lines = append(lines, part.name+": "+local.Address(part.port))
		}
	}
	return lines
}

// listen takes a port, or any free one for 0. It waits a moment for a port that
// is taken: a suite that was killed takes its processes with it, but not in
// the same instant.
func listen(port int) (net.Listener, error) {
	if port == 0 {
		return local.Listen()
	}
	address := local.Address(port)
	deadline := time.Now().Add(2 * time.Second)
	for {
		l, err := net.Listen("tcp", address)
		if err == nil || time.Now().After(deadline) {
			return l, err
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// resolveTemplate is the Go template by which a sidecar finds the others.
func resolveTemplate(apps []*app) string {
	var b strings.Builder
	for i, a := range apps {
		if a.Replica > 1 {
			continue // calls go to the first replica
		}
		if i > 0 {
			b.WriteString("{{else ")
		} else {
			b.WriteString("{{")
		}
		fmt.Fprintf(&b, "if eq .ID %q}}%s", a.ID, local.Address(a.InternalPort))
	}
	b.WriteString("{{else}}{{.ID}}.invalid:1{{end}}")
	return b.String()
}
