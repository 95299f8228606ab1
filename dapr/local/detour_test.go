package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDetours(t *testing.T) {
	apps := []*app{{ID: "task-api"}}
	t.Setenv("DETOURS", "task-api-database=21001, task-api-broker=21002,smtp=21003")
	d, err := readDetours(apps)
	require.NoError(t, err)
	require.Equal(t, "21003", d.port("smtp", 1025))
	require.Equal(t, "3500", d.port("task-api-dapr-http", 3500))
	url, err := d.url("task-api-database", "postgres://u:p@127.0.0.1:5433/taskwire?sslmode=disable")
	require.NoError(t, err)
	require.Equal(t, "postgres://u:p@127.0.0.1:21001/taskwire?sslmode=disable", url)
	require.Equal(t, "127.0.0.1:21002", d.broker("task-api", broker{Address: "127.0.0.1:9092"}).Address)
	require.Equal(t, "127.0.0.1:9092", d.broker("audit-log", broker{Address: "127.0.0.1:9092"}).Address)

	for name, text := range map[string]string{
		"unknown": "task-api-databse=21001", "no port": "smtp", "no number": "smtp=x", "out of range": "smtp=70000",
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("DETOURS", text)
			_, err := readDetours(apps)
			require.ErrorContains(t, err, "DETOURS")
		})
	}
}
