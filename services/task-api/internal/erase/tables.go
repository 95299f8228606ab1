package erase

import "github.com/taskwire/taskwire/services/task-api/internal/account"

// What becomes of the tables of task-api when an account is erased. A test holds these
// three against the schema: who adds a table decides here.

// His are tables whose rows are a user's own, by user_id: they are deleted.
var His = append([]string{
	"sessions",
	"api_tokens",
	"account_mails",
	"exports",
	"idempotency_keys", // the answers say what he wrote
	"operations",
}, account.WaysIn...)

// Handled are those that a step of its own goes through.
var Handled = map[string]string{
	"users":       "his row goes last, without his address and name from the first step on",
	"members":     "he leaves the lists that have another owner",
	"lists":       "those without another owner go",
	"invitations": "those to his address go; those that he has sent are without his name",
	"tasks":       "those of his lists go; in others' lists they stay, of a user whom there is not",
	"reminders":   "his go",
	"comments":    "his go; in others' his address is replaced",
	"trash":       "that of his lists goes; in others' his comments and reminders go",
	"events":      "his address, name and texts are taken out",
	"cut_texts":   "those of the events that lose their texts go",
	"feed":        "what was his own goes",
	"erasures":    "the hash of his id stays",
}

// Kept are those that say nothing of a user.
var Kept = map[string]string{
	"search":           "goes with its task",
	"gone_occurrences": "ids and dates; those of his series go with their tasks",
	"purged":           "ids of tasks",
	"attempts":         "hashes, for some minutes",
	"reconciled":       "numbers",
	"feed_log":         "numbers",
	"event_head":       "numbers",
	"event_cursors":    "numbers",
	"migrations":       "names of migrations",
	"migration_locks":  "empty",
}
