module github.com/taskwire/taskwire/services/notification

go 1.26.0

require github.com/taskwire/taskwire/pkg v0.0.0

replace github.com/taskwire/taskwire/pkg => ../../pkg
