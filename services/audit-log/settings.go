package main

import (
	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/service"
)

// settings are what audit-log reads from its environment.
type settings struct {
	service.Settings
	Auth auth.Settings
}
