package change

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

// Limits bound what a list can have. 0 is no limit.
type Limits struct {
	Tasks int `env:"LIMIT_TASKS" envDefault:"200000" min:"0" max:"1000000"` // in a list
}

const (
	// roomShare is which part of the room in a list is used before its tasks are counted
	// again: each replica goes by its own count. Where there is little room each task counts.
	roomShare = 16
	// mostRooms is of how many lists the room is remembered, of some 100 bytes each.
	mostRooms = 20_000
)

// TakeRoom takes the room of one more task in a list, and refuses where there is none.
// Several replicas, or several at once, may overstep the limit by as many as they are.
func (tx *Tx) TakeRoom(ctx context.Context, list uuid.UUID) error {
	if tx.limits.Tasks == 0 {
		return nil
	}
	if left, ok := tx.rooms.Get(list); ok && left.Add(-1) >= 0 {
		return nil
	}
	room, err := tx.room(ctx, list)
	if err != nil {
		return err
	}
	if room <= 0 {
		return tx.full()
	}
	left := new(atomic.Int64)
	left.Store(room/roomShare - 1)
	tx.rooms.Put(list, left, mostRooms)
	return nil
}

// HasRoom refuses where there is no room for so many tasks more in a list.
func (tx *Tx) HasRoom(ctx context.Context, list uuid.UUID, tasks int) error {
	if tx.limits.Tasks == 0 {
		return nil
	}
	room, err := tx.room(ctx, list)
	if err == nil && room < int64(tasks) {
		err = tx.full()
	}
	return err
}

// room is how many tasks more there can be in a list.
func (tx *Tx) room(ctx context.Context, list uuid.UUID) (int64, error) {
	found, err := Read[struct{ Tasks int64 }](ctx, tx, "SELECT count(*) AS tasks FROM (SELECT FROM task.tasks WHERE list_id = ? LIMIT ?) x", list, tx.limits.Tasks)
	if err != nil {
		return 0, fmt.Errorf("count the tasks of the list: %w", err)
	}
	return int64(tx.limits.Tasks) - found[0].Tasks, nil
}

func (tx *Tx) full() error {
	return refuse.Because(refuse.LimitReached, fmt.Sprintf("the list would have more tasks than the %d that there can be", tx.limits.Tasks))
}
