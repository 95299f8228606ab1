package reminder_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/telemetry/metrictest"
	"github.com/taskwire/taskwire/services/task-api/internal/reminder"
	"github.com/taskwire/taskwire/services/task-api/internal/task"
)

// overdue is what the metric says; -1 when it is not there.
func overdue(t *testing.T) float64 {
	t.Helper()
	if told := metrictest.Of(t, "taskwire_reminder_overdue_seconds"); len(told) > 0 {
		return told[0].GetGauge().GetValue()
	}
	return -1
}

func TestRemindersThatNobodyFiresAreSeen(t *testing.T) {
	r := newRig(t)
	_, err := r.tasks.Create(r.ctx, r.actor, task.Draft{Title: "t", Reminders: []task.ReminderDraft{at(hours(1)), at(hours(2)), at(hours(9))}}, nil)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- (&reminder.Watch{DB: r.db, Now: r.time, Log: quiet}).Run(ctx) }()
	says := func(want time.Duration) {
		t.Helper()
		require.Eventually(t, func() bool { return overdue(t) == want.Seconds() }, 30*time.Second, 10*time.Millisecond)
	}
	says(0)
	r.set(hours(3)) // and no clock runs
	says(2 * time.Hour)
	r.set(hours(4))
	says(3 * time.Hour)
	require.Equal(t, 2, r.fire())
	says(0)
	r.set(hours(10))
	says(time.Hour)

	_, err = r.db.ExecContext(t.Context(), "ALTER TABLE task.reminders RENAME TO away")
	require.NoError(t, err)
	says(-time.Second) // what is not known is not said
	stop()
	require.NoError(t, <-ended)
}

// late is the sum and the count of how late reminders have fired.
func late(t *testing.T) (sum float64, n uint64) {
	t.Helper()
	h := metrictest.Of(t, "taskwire_reminder_fired_late_seconds")[0].GetHistogram()
	return h.GetSampleSum(), h.GetSampleCount()
}

func TestAReminderForThePastIsNotLate(t *testing.T) {
	r := newRig(t)
	_, err := r.tasks.Create(r.ctx, r.actor, task.Draft{Title: "t", Reminders: []task.ReminderDraft{at(hours(-5000)), at(hours(1))}}, nil)
	require.NoError(t, err)
	for _, c := range []struct {
		now  time.Time
		late float64
	}{
		{hours(0).Add(2 * time.Second), 2},
		{hours(1).Add(3 * time.Second), 3},
	} {
		before, n := late(t)
		r.set(c.now)
		require.Equal(t, 1, r.fire())
		sum, now := late(t)
		require.Equal(t, n+1, now)
		require.InDelta(t, c.late, sum-before, 0.001)
	}
}
