package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// maxReplicas is far above what one machine is good for.
const maxReplicas = 16

// name is that of the app's process: notification, and notification-2 for its
// second replica.
func (a *app) name() string {
	if a.Replica < 2 {
		return a.ID
	}
	return a.ID + "-" + strconv.Itoa(a.Replica)
}

// replicate reads REPLICAS (notification=3,audit-log=2) and returns the apps
// with their further replicas behind them. A replica has the app's id, and so
// shares its events; calls by the id go to the first one. It listens on free
// ports.
func replicate(apps []*app) ([]*app, error) {
	all := slices.Clone(apps)
	text := os.Getenv("REPLICAS")
	if text == "" {
		return all, nil
	}
	for _, wish := range strings.Split(text, ",") {
		id, number, _ := strings.Cut(wish, "=")
		i := slices.IndexFunc(apps, func(a *app) bool { return a.ID == id })
		n, err := strconv.Atoi(number)
		if i < 0 || err != nil || n < 1 || n > maxReplicas {
			return nil, fmt.Errorf("REPLICAS must be APP=NUMBER,… with numbers from 1 to %d, not %q", maxReplicas, wish)
		}
		for replica := 2; replica <= n; replica++ {
			copied := *apps[i]
			copied.Replica = replica
			all = append(all, &copied)
		}
	}
	return all, nil
}
