package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReplicate(t *testing.T) {
	for name, c := range map[string]struct {
		wish  string
		names []string
		fail  string
	}{
		"none":         {"", []string{"task-api", "notification"}, ""},
		"one":          {"notification=1", []string{"task-api", "notification"}, ""},
		"three":        {"notification=3", []string{"task-api", "notification", "notification-2", "notification-3"}, ""},
		"of two apps":  {"notification=2,task-api=2", []string{"task-api", "notification", "task-api-2", "notification-2"}, ""},
		"left out":     {"notification=0", []string{"task-api"}, ""},
		"unknown app":  {"mail=2", nil, `not "mail=2"`},
		"not a number": {"notification=many", nil, `not "notification=many"`},
		"too many":     {"notification=17", nil, "from 0 to 16"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("REPLICAS", c.wish)
			all, err := replicate([]*app{{ID: "task-api"}, {ID: "notification"}})
			if c.fail != "" {
				require.ErrorContains(t, err, c.fail)
				return
			}
			require.NoError(t, err)
			var names []string
			for _, a := range all {
				names = append(names, a.name())
			}
			require.Equal(t, c.names, names)
		})
	}
}

// The first of an app has the ports of the run file, a replica any that is free.
func TestReplicasListenOnPortsOfTheirOwn(t *testing.T) {
	t.Setenv("NOTIFICATION_PORT", "28003")
	first := &app{ID: "notification", Port: 8003}
	second := &app{ID: "notification", Replica: 2, Port: 8003}
	require.NoError(t, choosePorts(&ports{}, []*app{first, second}))
	require.Equal(t, 28003, first.Port)
	require.NotContains(t, []int{0, 8003, 28003}, second.Port)
	require.Contains(t, resolveTemplate([]*app{{ID: "x", InternalPort: 1}, {ID: "x", Replica: 2, InternalPort: 2}}), "127.0.0.1:1")
	require.NotContains(t, resolveTemplate([]*app{{ID: "x", InternalPort: 1}, {ID: "x", Replica: 2, InternalPort: 2}}), "127.0.0.1:2")
}
