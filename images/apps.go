package main

import (
	"fmt"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v3"
)

// app is a service, and where it and its sidecar listen when all of them are on one
// machine.
type app struct {
	ID                   string            `yaml:"appID"`
	Port                 int               `yaml:"appPort"`
	DaprHTTPPort         int               `yaml:"daprHTTPPort"`
	DaprGRPCPort         int               `yaml:"daprGRPCPort"`
	DaprInternalGRPCPort int               `yaml:"daprInternalGRPCPort"`
	DaprMetricsPort      int               `yaml:"metricsPort"`
	Env                  map[string]string `yaml:"env"`
}

// apps are those of dapr/dapr.yaml.
func apps(root string) ([]app, error) {
	text, err := os.ReadFile(filepath.Join(root, "dapr", "dapr.yaml"))
	if err != nil {
		return nil, fmt.Errorf("read the list of services: %w", err)
	}
	var file struct{ Apps []app }
	if err := yaml.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("parse dapr/dapr.yaml: %w", err)
	}
	return file.Apps, nil
}

// services are the images that are built unless others are named: the apps. Local,
// which stands in for a broker and a mail server in test clusters, is built by name.
func services(root string) ([]string, error) {
	all, err := apps(root)
	var names []string
	for _, a := range all {
		names = append(names, a.ID)
	}
	return names, err
}

// ports is the file that systemd reads them from, for the service and its sidecar.
func (a app) ports() string {
	return fmt.Sprintf(`PORT=%d
METRICS_PORT=%s
DAPR_HTTP_PORT=%d
DAPR_GRPC_PORT=%d
# Of the sidecar alone; dapr/config.yaml knows the first one.
DAPR_INTERNAL_GRPC_PORT=%d
DAPR_METRICS_PORT=%d
`, a.Port, a.Env["METRICS_PORT"], a.DaprHTTPPort, a.DaprGRPCPort, a.DaprInternalGRPCPort, a.DaprMetricsPort)
}
