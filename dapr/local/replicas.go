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

// replicate reads REPLICAS (notification=3,audit-log=0) and returns the apps
// to start, with their further replicas behind them. A replica has the app's
// id, and so shares its events; calls by the id go to the first one. It listens
// on free ports.
func replicate(apps []*app) ([]*app, error) {
	wanted := map[string]int{}
	for _, wish := range strings.FieldsFunc(os.Getenv("REPLICAS"), func(r rune) bool { return r == ',' }) {
		id, number, _ := strings.Cut(wish, "=")
		known := slices.ContainsFunc(apps, func(a *app) bool { return a.ID == id })
		n, err := strconv.Atoi(number)
		if !known || err != nil || n < 0 || n > maxReplicas {
			return nil, fmt.Errorf("REPLICAS must be APP=NUMBER,… with numbers from 0 to %d, not %q", maxReplicas, wish)
		}
		wanted[id] = n
	}
	var first, further []*app
	for _, a := range apps {
		n, ok := wanted[a.ID]
		if !ok || n > 0 {
			first = append(first, a)
		}
		for replica := 2; replica <= n; replica++ {
			copied := *a
			copied.Replica = replica
			further = append(further, &copied)
		}
	}
	return append(first, further...), nil
}
