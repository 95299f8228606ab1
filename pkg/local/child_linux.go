package local

import "syscall"

// Child makes a process the leader of a group of its own (Ctrl-C reaches its parent
// alone, which then stops all in order), has it run as an account, and lets the
// kernel end it by a signal when its parent is killed.
func Child(die syscall.Signal, as *Account) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: die, Credential: as.credential()}
}
