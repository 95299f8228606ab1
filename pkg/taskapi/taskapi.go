// Package taskapi is what the other services ask of task-api through the sidecar,
// by Dapr service invocation: the messages, which both ends share, and a client.
package taskapi

import "github.com/taskwire/taskwire/pkg/invoke"

// appID is the name of task-api in Dapr.
const appID = "task-api"

// Client calls task-api.
type Client struct {
	Sidecar *invoke.Client
}
