module github.com/taskwire/taskwire/pkg

go 1.26.0
