package local

import "syscall"

// Child is what a process is started with. Windows has neither groups of processes
// that a signal reaches nor root, whom Postgres refuses.
func Child(syscall.Signal, *Account) *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
