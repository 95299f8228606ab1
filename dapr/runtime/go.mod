module github.com/taskwire/taskwire/dapr/runtime

go 1.26.0
