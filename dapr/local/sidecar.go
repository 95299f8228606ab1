package main

import (
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// tokens guard the two ways between a service and its sidecar. They are new in
// every run.
type tokens struct {
	App  string // sidecar → app
	Dapr string // app → sidecar
}

// sidecarProcess is the daprd of an app that it finds at appPort.
func sidecarProcess(file *runFile, a *app, appPort string, t tokens, daprd, resources, config string, broker map[string]string) process {
	common := file.Common
	args := []string{
		"--app-id", a.ID, "--app-port", appPort, "--app-protocol", common.AppProtocol,
		"--dapr-http-port", strconv.Itoa(a.HTTPPort), "--dapr-grpc-port", strconv.Itoa(a.GRPCPort),
		"--dapr-internal-grpc-port", strconv.Itoa(a.InternalPort), "--dapr-internal-grpc-listen-address", "127.0.0.1",
		"--metrics-port", strconv.Itoa(a.DaprMetrics), "--metrics-listen-address", "127.0.0.1",
		"--dapr-listen-addresses", common.APIListenAddresses,
		"--app-health-check-path", common.HealthPath,
		"--app-health-probe-interval", strconv.Itoa(common.HealthInterval),
		"--app-health-probe-timeout", strconv.Itoa(common.HealthTimeout),
		"--app-health-threshold", strconv.Itoa(common.HealthThreshold),
		"--read-buffer-size", common.ReadBufferSize,
		"--placement-host-address", "", "--scheduler-host-address", "",
		"--dapr-graceful-shutdown-seconds", "2",
		"--resources-path", resources, "--config", config,
	}
	if common.EnableAppHealthCheck {
		args = append(args, "--enable-app-health-check")
	}
	env := environment(nil, map[string]string{"APP_API_TOKEN": t.App, "DAPR_API_TOKEN": t.Dapr}, broker)
	return process{name: a.name() + "-daprd", path: daprd, args: args, env: env, stopWithin: 2500 * time.Millisecond}
}

// serviceProcess is the app itself.
func serviceProcess(a *app, bin string, set ...map[string]string) process {
	return process{name: a.name(), path: bin, env: environment(a.Env, set...), stopWithin: 4500 * time.Millisecond}
}

// private are settings that a process gets from the suite or not at all: from
// the environment of the suite they would reach all of them.
var private = []string{
	"DATABASE_URL", "MIGRATE_DATABASE_URL", "MIGRATE_AT_START", "SMTP_URL", "JWT_PRIVATE_KEY", "JWT_PRIVATE_KEY_FILE",
	"APP_API_TOKEN", "DAPR_API_TOKEN",
}

// environment is that of the suite but for what is private, on top of defaults
// and below what is set.
func environment(defaults map[string]string, set ...map[string]string) []string {
	all := maps.Clone(defaults)
	if all == nil {
		all = map[string]string{}
	}
	for _, line := range os.Environ() {
		name, value, _ := strings.Cut(line, "=")
		if !slices.Contains(private, name) {
			all[name] = value
		}
	}
	for _, s := range set {
		maps.Copy(all, s)
	}
	lines := make([]string, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		lines = append(lines, name+"="+all[name])
	}
	return lines
}
