module github.com/taskwire/taskwire/services/task-api

go 1.26.0

require github.com/taskwire/taskwire/pkg v0.0.0

require (
	github.com/go-chi/httprate v0.16.1 // indirect
	github.com/klauspost/cpuid/v2 v2.2.10 // indirect
	github.com/swaggest/swgui v1.8.5 // indirect
	github.com/zeebo/xxh3 v1.0.2 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace github.com/taskwire/taskwire/pkg => ../../pkg
