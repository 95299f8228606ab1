package account

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/outage"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
)

// Why a sign-in failed, in the metadata of its audit event.
const (
	reasonPassword = "wrong_password"
	reasonCode     = "wrong_code" // after the right password
	reasonPasskey  = "wrong_passkey"
	reasonTooMany  = "too_many_attempts" // written once a minute for an account
)

var failedSignIns = promauto.NewCounterVec(prometheus.CounterOpts{
	Name: "taskwire_sign_ins_failed_total", Help: "Sign-ins that failed, of accounts that exist or not, by reason.",
}, []string{"reason"})

var failedUnwritten = promauto.NewCounter(prometheus.CounterOpts{
	Name: "taskwire_sign_ins_failed_unwritten_total", Help: "Failed sign-ins that are not in the audit trail, because they came faster than they could be written.",
})

func init() {
	// Start at 0, so that increase() sees the first one.
	for _, reason := range []string{reasonPassword, reasonCode, reasonPasskey, reasonTooMany} {
		failedSignIns.WithLabelValues(reason)
	}
}

// FailedSignIns writes failed sign-ins into the audit trail of the account's
// owner, beside the requests: else the time of an answer would tell where there
// is an account. Of addresses without one, nothing is written.
type FailedSignIns struct {
	store *Store
	queue chan failedSignIn

	failing *outage.Outage
}

type failedSignIn struct {
	ctx    context.Context // the request's values: its id, for the log, and its trace
	from   access.Origin
	email  string
	reason string
}

const (
	mostUnwritten = 1024
	// writeLast is the time for all that is left when the service stops.
	writeLast = 2 * time.Second
)

// NewFailedSignIns returns one that writes to store while it runs.
func NewFailedSignIns(store *Store, log *slog.Logger) *FailedSignIns {
	return &FailedSignIns{
		store: store, queue: make(chan failedSignIn, mostUnwritten),
		failing: &outage.Outage{Log: log, Gone: "a failed sign-in could not be written; trying again", Back: "failed sign-ins are written again"},
	}
}

// Note takes note of a failed sign-in with an address.
func (f *FailedSignIns) Note(ctx context.Context, from access.Origin, email, reason string) {
	failedSignIns.WithLabelValues(reason).Inc()
	select {
	case f.queue <- failedSignIn{context.WithoutCancel(ctx), from, email, reason}:
	default:
		failedUnwritten.Inc()
	}
}

// Run writes until ctx ends, and then what is left.
func (f *FailedSignIns) Run(ctx context.Context) error {
	for {
		select {
		case one := <-f.queue:
			if f.write(ctx, one) {
				continue
			}
			f.rest(one)
			return nil
		case <-ctx.Done():
			f.rest()
			return nil
		}
	}
}

// write tries until it is done; false where ctx ended before.
func (f *FailedSignIns) write(ctx context.Context, one failedSignIn) bool {
	for failures := 1; ; failures++ {
		within, cancel := context.WithCancel(one.ctx)
		stop := context.AfterFunc(ctx, cancel)
		err := f.store.recordFailed(within, one)
		stop()
		cancel()
		if err == nil {
			f.failing.Worked()
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		if !database.IsOutage(err) {
			f.failing.Failed(one.ctx, err)
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(database.Backoff(failures)):
		}
	}
}

func (f *FailedSignIns) rest(first ...failedSignIn) {
	last, cancel := context.WithTimeout(context.Background(), writeLast)
	defer cancel()
	for _, one := range first {
		f.write(last, one)
	}
	for {
		select {
		case one := <-f.queue:
			f.write(last, one)
		default:
			return
		}
	}
}

// recordFailed adds a failed sign-in to the audit trail of the account with an
// address, if there is one.
func (s *Store) recordFailed(ctx context.Context, one failedSignIn) error {
	u, err := s.ByEmail(ctx, one.email)
	if errors.Is(err, errNoUser) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.Changes.Do(ctx, u.actor(one.from), func(_ context.Context, tx *change.Tx) error {
		return appendAudit(tx, event.UserSignInFailed, u, nil, nil, map[string]any{"reason": one.reason})
	})
}
