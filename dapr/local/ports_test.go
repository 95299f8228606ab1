package main

import (
	"fmt"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/local"
)

func TestChoosePorts(t *testing.T) {
	taken, err := net.Listen("tcp", local.Address(0))
	require.NoError(t, err)
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port

	cases := map[string]struct {
		env  map[string]string
		fail string // "" when the ports can be had
	}{
		"free":           {env: map[string]string{"PORTS": "free"}},
		"taken":          {env: map[string]string{"PORTS": "free", "BROKER_PORT": fmt.Sprint(port)}, fail: fmt.Sprintf("port %d is taken: set BROKER_PORT", port)},
		"not a port":     {env: map[string]string{"API_PORT": "http"}, fail: `API_PORT must be a port from 1 to 65535, not "http"`},
		"out of range":   {env: map[string]string{"API_PORT": "70000"}, fail: "API_PORT must be a port"},
		"chosen twice":   {env: map[string]string{"PORTS": "free", "API_PORT": "48123", "SMTP_PORT": "48123"}, fail: "API_PORT and SMTP_PORT are both 48123"},
		"PORTS mistaken": {env: map[string]string{"PORTS": "any"}, fail: "PORTS must be free or unset"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			for k, v := range c.env {
				t.Setenv(k, v)
			}
			p := ports{Postgres: 5433, Broker: 9092, SMTP: 1025}
			a := &app{ID: "task-api", Port: 8000, MetricsPort: 9100, HTTPPort: 3500, GRPCPort: 3600, InternalPort: 3700, DaprMetrics: 3800}
			err := choosePorts(&p, []*app{a})
			if c.fail != "" {
				require.ErrorContains(t, err, c.fail)
				return
			}
			require.NoError(t, err)
			all := map[int]bool{}
			for _, port := range []int{p.Postgres, p.Broker, p.SMTP, a.Port, a.MetricsPort, a.HTTPPort, a.GRPCPort, a.InternalPort, a.DaprMetrics} {
				require.NotZero(t, port)
				require.False(t, all[port], "%d was chosen twice", port)
				all[port] = true
			}
		})
	}
}

func TestAPortThatIsNotUsedIsNotChosen(t *testing.T) {
	t.Setenv("PORTS", "free")
	p := ports{Broker: 9092} // the database and the mail server are the operator's
	require.NoError(t, choosePorts(&p, nil))
	require.Zero(t, p.Postgres)
	require.Zero(t, p.SMTP)
}

// Free ports are chosen in turn: so often, one of them would be the port that is
// given to another.
func TestAPortThatIsGivenIsNotChosenForAnother(t *testing.T) {
	given, err := local.FreePort()
	require.NoError(t, err)
	t.Setenv("PORTS", "free")
	t.Setenv("SMTP_PORT", fmt.Sprint(given))
	for range 3000 {
		p := ports{Postgres: 5433, Broker: 9092, SMTP: 1025}
		a := &app{ID: "task-api", Port: 8000, MetricsPort: 9100, HTTPPort: 3500, GRPCPort: 3600, InternalPort: 3700, DaprMetrics: 3800}
		require.NoError(t, choosePorts(&p, []*app{a}))
		require.Equal(t, given, p.SMTP)
	}
}

func TestEveryPortIsSaid(t *testing.T) {
	a := &app{ID: "task-api", Port: 8000, MetricsPort: 9100, HTTPPort: 3500, GRPCPort: 3600, InternalPort: 3700, DaprMetrics: 3800}
	require.Equal(t, []string{
		"task-api: http://127.0.0.1:8000, metrics 9100; sidecar 3500, gRPC 3600, between sidecars 3700, metrics 3800",
		"broker: 127.0.0.1:9092",
		"mail sink: 127.0.0.1:1025",
	}, addresses(ports{Broker: 9092, SMTP: 1025}, []*app{a}), "the database is somebody else's")
}
