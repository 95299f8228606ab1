package main

import (
	"testing"

	"github.com/taskwire/taskwire/pkg/httpapi/openapitest"
	"github.com/taskwire/taskwire/pkg/service"
)

// The file is a part of the description of the whole API, which task-api serves.
func TestOpenAPI(t *testing.T) {
	openapitest.Golden(t, "openapi.json", openapitest.Of(t, operations(service.Base{})))
}
