package main

import (
	"errors"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/service"
)

// settings are what recurring-task reads from its environment.
type settings struct {
	service.Settings
	Auth auth.Settings
}

// Validate checks what types and tags cannot.
func (s settings) Validate() error { return errors.Join(s.Settings.Validate(), s.Auth.Validate()) }
