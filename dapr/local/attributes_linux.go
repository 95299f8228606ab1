package main

import "syscall"

// childAttributes makes a process the leader of a group of its own (Ctrl-C
// reaches the suite alone, which then stops all in order), and lets the kernel
// end it when the suite is killed.
func childAttributes(die syscall.Signal, as *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: die, Credential: as}
}
