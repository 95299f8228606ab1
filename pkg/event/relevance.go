package event

import "encoding/json"

// Relevance says whether an event, of a type and with its data, means anything to a
// consumer. One that means nothing leaves no trace in the consumer's database; reconcile
// asks the same function which events it has to find there.
type Relevance func(kind string, data []byte) bool

// ChangesTask is the Relevance for a consumer on TopicTasks that follows up what was
// known of a task before: notification.
func ChangesTask(kind string, _ []byte) bool {
	return kind == TaskUpdated || kind == TaskCompleted || kind == TaskDeleted || kind == AccountErased
}

// OfSeries is the Relevance for a consumer on TopicTasks that follows the occurrences of
// series, and forgets whose they are: recurring-task. Data that can not be read is for the consumer to refuse.
func OfSeries(kind string, data []byte) bool {
	if kind == AccountErased {
		return true
	}
	// Only so much: the whole task takes twice as long.
	var of struct {
		TaskData struct {
			SeriesID   json.RawMessage `json:"series_id"`
			Occurrence json.RawMessage `json:"occurrence"`
		} `json:"task_data"`
	}
	if err := json.Unmarshal(data, &of); err != nil {
		return true
	}
	return present(of.TaskData.SeriesID) && present(of.TaskData.Occurrence)
}

func present(value json.RawMessage) bool { return value != nil && string(value) != "null" }
