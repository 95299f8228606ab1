package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// runFile is the part of Dapr's multi-app run file that the suite uses.
type runFile struct {
	Common struct {
		AppProtocol          string            `yaml:"appProtocol"`
		APIListenAddresses   string            `yaml:"apiListenAddresses"`
		EnableAppHealthCheck bool              `yaml:"enableAppHealthCheck"`
		HealthPath           string            `yaml:"appHealthCheckPath"`
		HealthInterval       int               `yaml:"appHealthProbeInterval"`
		HealthTimeout        int               `yaml:"appHealthProbeTimeout"`
		HealthThreshold      int               `yaml:"appHealthThreshold"`
		ReadBufferSize       string            `yaml:"readBufferSize"`
		ConfigFile           string            `yaml:"configFilePath"`
		Env                  map[string]string `yaml:"env"`
	} `yaml:"common"`
	Apps []*app `yaml:"apps"`
}

// app is one service with its sidecar.
type app struct {
	ID           string            `yaml:"appID"`
	Dir          string            `yaml:"appDirPath"` // absolute once read
	Port         int               `yaml:"appPort"`
	HTTPPort     int               `yaml:"daprHTTPPort"`
	GRPCPort     int               `yaml:"daprGRPCPort"`
	InternalPort int               `yaml:"daprInternalGRPCPort"`
	DaprMetrics  int               `yaml:"metricsPort"`
	Env          map[string]string `yaml:"env"` // with the common environment below it

	MetricsPort int `yaml:"-"` // of the service itself: METRICS_PORT in its environment
	Replica     int `yaml:"-"` // 2, 3, … of further replicas (REPLICAS)
}

func readRunFile(path string) (*runFile, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the run file: %w", err)
	}
	var file runFile
	if err := yaml.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("parse %s: %w", path, err)
	}
	for _, a := range file.Apps {
		a.Dir = filepath.Join(filepath.Dir(path), a.Dir)
		env := maps.Clone(file.Common.Env)
		maps.Copy(env, a.Env)
		a.Env = env
		if a.MetricsPort, err = strconv.Atoi(env["METRICS_PORT"]); err != nil {
			return nil, fmt.Errorf("parse %s: METRICS_PORT of %s: %w", path, a.ID, err)
		}
	}
	return &file, nil
}

// prefix begins the names of the variables that change this app's ports:
// API for task-api, AUDIT_LOG for audit-log.
func (a *app) prefix() string {
	return strings.ToUpper(strings.ReplaceAll(strings.TrimPrefix(a.name(), "task-"), "-", "_"))
}

// role is the Postgres role that the service runs as.
func (a *app) role() string { return strings.ReplaceAll(a.ID, "-", "_") }
