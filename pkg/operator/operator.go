// Package operator is what task-api asks the consumers of events for its operators,
// through the sidecar: the addresses and the messages, which both ends share.
package operator

import "time"

// Where each consumer answers. In a path {id} is a dead letter.
const (
	StatePath   = "/internal/operator"
	LettersPath = StatePath + "/dead-letters"
	ReplayPath  = LettersPath + "/{id}/replay"
	DiscardPath = LettersPath + "/{id}/discard"
)

// MaxReason is how many characters the reason for a discard has at most.
const MaxReason = 500

// Handled is how far a consumer is with a topic.
type Handled struct {
	Topic string `json:"topic" doc:"The topic"`
	// UpTo is when the newest event happened that all its replicas know to be done with.
	UpTo *time.Time `json:"up_to" nullable:"true" doc:"When the newest event happened that the service is done with; null before its first"`
}

// State is how a consumer is.
type State struct {
	Topics      []Handled `json:"topics" nullable:"false" doc:"How far it is with each topic that it reads"`
	DeadLetters int64     `json:"dead_letters" doc:"How many open dead letters it has"`
}

// DeadLetter is an open dead letter: what a list of them shows, and nothing of its record.
type DeadLetter struct {
	ID         int64     `json:"id" doc:"The dead letter, among those of its service"`
	Topic      string    `json:"topic" doc:"Where it came from"`
	Type       string    `json:"type" doc:"The type of its event, as far as it could be read"`
	Reason     string    `json:"reason" doc:"Why it could not be handled"`
	Size       int       `json:"size" doc:"How large its record is, in bytes"`
	ReceivedAt time.Time `json:"received_at" doc:"When it came"`
	Replays    int       `json:"replays" doc:"How often an operator has had it replayed"`
}

// DeadLetters are a page of them.
type DeadLetters struct {
	Items      []DeadLetter `json:"items" nullable:"false" doc:"The open dead letters, the oldest first"`
	NextCursor *string      `json:"next_cursor" nullable:"true" doc:"Where the next page begins; null on the last one"`
}

// Discard is why a dead letter shall have no effect.
type Discard struct {
	Reason string `json:"reason" minLength:"1" maxLength:"500" doc:"Why it is to have no effect: kept with it"`
}

// What became of a dead letter.
const (
	Replayed  = "replayed"
	Discarded = "discarded"
	Failed    = "failed"   // it stays open
	Resolved  = "resolved" // before, perhaps by another operator
)

// Settled is what became of a dead letter.
type Settled struct {
	Outcome string `json:"outcome" enum:"replayed,discarded,failed,resolved" doc:"Its event has had its effect, or shall have none; or it failed again, and stays open; or it was resolved before"`
	Reason  string `json:"reason" doc:"Why it failed, or how it was resolved before; else empty"`
}
