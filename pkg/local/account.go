package local

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
)

// Account is one of the operating system's.
type Account struct {
	UID, GID uint32
}

// PostgresAccount is who runs Postgres: an ordinary account where root asks, since
// Postgres refuses root. nil means whoever asks.
func PostgresAccount() (*Account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("user id of %s: %w", name, err)
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("group id of %s: %w", name, err)
		}
		return &Account{uint32(uid), uint32(gid)}, nil
	}
	return nil, errors.New("root needs an account postgres or nobody to run Postgres as")
}

// Give makes a file or folder the account's; nil leaves it.
func (a *Account) Give(path string) error {
	if a == nil {
		return nil
	}
	if err := os.Chown(path, int(a.UID), int(a.GID)); err != nil {
		return fmt.Errorf("give %s to the account of Postgres: %w", path, err)
	}
	return nil
}
