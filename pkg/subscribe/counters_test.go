package subscribe

import (
	"log/slog"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/telemetry/metrictest"
)

func TestTheFirstOfEachKindIsAnIncrease(t *testing.T) {
	consumed.Reset()
	s := New(Options{Schema: "consumer", Log: slog.New(slog.DiscardHandler), Now: time.Now})
	s.InTx(event.TopicReminders, nil)
	s.InTx(event.TopicAudit, nil)
	s.Mount(chi.NewRouter())
	there := map[string]int{}
	for _, m := range metrictest.Of(t, "taskwire_events_consumed_total") {
		require.Zero(t, m.GetCounter().GetValue())
		// Labels are sorted by name: outcome, topic, type.
		there[m.GetLabel()[1].GetValue()+" "+m.GetLabel()[2].GetValue()]++
	}
	require.Equal(t, map[string]int{"reminders reminder.due": 4, "reminders account.notice": 4, "reminders account.reset": 4, "reminders account.verify": 4, "reminders comment.added": 4, "reminders list.invited": 4, "reminders other": 4, "audit-logs audit": 4, "audit-logs other": 4}, there)
}

// Whoever may publish chooses the type; what is no label of its topic is none at all.
func TestTypesAreAClosedList(t *testing.T) {
	for _, topic := range event.Topics {
		require.NotEmpty(t, labels[topic], topic)
	}
	for _, c := range []struct{ topic, kind, label string }{
		{event.TopicTasks, event.TaskDeleted, event.TaskDeleted},
		{event.TopicTasks, event.ReminderDue, other},
		{event.TopicAudit, "audit.user.registered", "audit"},
		{event.TopicTasks, "audit.user.registered", other},
		{event.TopicReminders, "of a stranger", other},
		{event.TopicReminders, "", other},
	} {
		var d delivery
		d.Topic = c.topic
		d.Event.Event = cloudevents.NewEvent()
		d.SetType(c.kind)
		require.Equal(t, c.label, d.label(), c)
	}
}
