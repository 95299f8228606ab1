package rest

import (
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/operator"
	"github.com/taskwire/taskwire/services/task-api/internal/reconcile"
)

// What the description of the API shows of the operator's corner.
var (
	exampleOperatorState = OperatorState{
		Topics: []TopicState{{Topic: event.TopicTasks, NewestPublishedAt: &exampleCompleted}},
		Consumers: []ConsumerState{{
			Service: "notification", Available: true, DeadLetters: 1,
			Topics: []HandledState{{Topic: event.TopicTasks, HandledUpTo: &exampleCompleted}},
		}},
		Reconcile: reconcile.Reconciled{
			EndedAt: exampleCompleted, Checks: []reconcile.Finding{{Check: "every version of a task is told", Looked: 1815}},
		},
	}
	exampleLetter = operator.DeadLetter{
		ID: 12, Topic: event.TopicReminders, Type: event.ReminderDue, Reason: "the data of the event can not be read", Size: 812, ReceivedAt: exampleCompleted, Replays: 1,
	}
	exampleDiscard = "a test message of another team"
)
