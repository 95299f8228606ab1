package main

import "github.com/taskwire/taskwire/pkg/local"

// suite is what STATE_DIR/run/suite.json tells the end-to-end tests.
type suite struct {
	APIURL   string                  `json:"api_url"`
	StateDir string                  `json:"state_dir"`
	LogsDir  string                  `json:"logs_dir"`
	RunDir   string                  `json:"run_dir"` // NAME.pid of each process
	MailDir  string                  `json:"mail_dir,omitempty"`
	Broker   broker                  `json:"broker"`
	Database suiteDatabase           `json:"database"`
	Ports    ports                   `json:"ports"`
	Services map[string]suiteService `json:"services"`
}

type suiteDatabase struct {
	OwnerURL string            `json:"owner_url"`
	URLs     map[string]string `json:"urls"` // by service
}

type suiteService struct {
	URL         string       `json:"url"`
	Port        int          `json:"port"`
	MetricsPort int          `json:"metrics_port"`
	AppToken    string       `json:"app_token"`  // sidecar → app
	DaprToken   string       `json:"dapr_token"` // app → sidecar
	Sidecar     suiteSidecar `json:"sidecar"`
}

type suiteSidecar struct {
	URL          string `json:"url"`
	HTTPPort     int    `json:"http_port"`
	GRPCPort     int    `json:"grpc_port"`
	InternalPort int    `json:"internal_port"`
	MetricsPort  int    `json:"metrics_port"`
}

func describe(a *app, t tokens) suiteService {
	return suiteService{
		URL: "http://" + local.Address(a.Port), Port: a.Port, MetricsPort: a.MetricsPort, AppToken: t.App, DaprToken: t.Dapr,
		Sidecar: suiteSidecar{
			URL: "http://" + local.Address(a.HTTPPort), HTTPPort: a.HTTPPort, GRPCPort: a.GRPCPort,
			InternalPort: a.InternalPort, MetricsPort: a.DaprMetrics,
		},
	}
}
