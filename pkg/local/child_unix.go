//go:build unix && !linux

package local

import "syscall"

// Child makes a process the leader of a group of its own, and has it run as an
// account. Only Linux can end it when its parent is killed.
func Child(_ syscall.Signal, as *Account) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Credential: as.credential()}
}
