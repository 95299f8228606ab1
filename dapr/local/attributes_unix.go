//go:build unix && !linux

package main

import "syscall"

// childAttributes makes a process the leader of a group of its own. Only Linux
// can end it when the suite is killed.
func childAttributes(_ syscall.Signal, as *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Credential: as}
}
