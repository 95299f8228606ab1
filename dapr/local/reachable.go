package main

import (
	"os"
	"path/filepath"
)

// reachable reports whether any account may enter dir: each folder above it lets
// others through.
func reachable(dir string) bool {
	for {
		info, err := os.Stat(dir)
		if err != nil || info.Mode().Perm()&0o001 == 0 {
			return false
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return true
		}
		dir = parent
	}
}
