package main

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/taskwire/taskwire/test/suite"
)

// noProgress is how long nothing may arrive before what is missing is taken
// for lost.
const noProgress = 3 * time.Minute

// settle waits until nothing is on its way, or nothing moves any more.
func settle(ctx context.Context, db *pgxpool.Pool, log *journal) (suite.Left, error) {
	var left suite.Left
	least, moved, calm := -1, time.Now(), 0
	for {
		now, err := suite.ReadLeft(ctx, db)
		if err == nil {
			left = now
		}
		switch {
		case ctx.Err() != nil:
			return left, ctx.Err()
		case err != nil:
			log.note("%v", err)
			calm = 0
		case left.Total() == 0:
			// Twice in a row: what is consumed may give rise to something new.
			if calm++; calm == 2 {
				return left, nil
			}
		default:
			log.note("left: %s", left)
			calm = 0
		}
		if err == nil && (least < 0 || left.Total() < least) {
			least, moved = left.Total(), time.Now()
		}
		if time.Since(moved) > noProgress {
			log.stage("nothing arrives any more; left are %s", left)
			return left, nil
		}
		select {
		case <-ctx.Done():
			return left, ctx.Err()
		case <-time.After(time.Second):
		}
	}
}
