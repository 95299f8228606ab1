// Package subscribe is the consumer contract of the suite: it takes events
// from the Dapr sidecar and sees to it that each has its effect exactly once.
//
// # What an answer means
//
// SUCCESS is said of an event whose effect is committed, which had its effect
// before, or which is kept as a dead letter. RETRY is said of everything else:
// the database is away, the handler failed. The sidecar's resiliency policy
// then delivers the event again, without end. DROP is never said: the sidecar
// would throw the event away.
//
// # Exactly once
//
// An event that has had its effect is remembered in the inbox, by its
// CloudEvents source and id. A handler of InTx works in the transaction that
// also writes the inbox, so effect and memory stand or fall together; of two
// replicas that are given the same event, the second waits for the first and
// then finds it handled. A handler of Idempotent works outside the database;
// it may run again for an event whose inbox row was lost to a crash, and must
// make that harmless.
//
// An event that is not Only's leaves no trace: no handler sees it, and the inbox has
// no row of it. It has to be well-formed all the same.
//
// # Order
//
// The events of one delivery are handled in their order. When one fails, the
// later ones with its key are answered RETRY unseen, so that a key's events
// are never applied around a failed one.
//
// # Concurrency
//
// A handler of Idempotent runs for several deliveries at once, in one process and in
// several replicas; the broker alone keeps one key in one delivery at a time (Kafka
// does, Redis does not). At shutdown a delivery in flight is brought to its end.
//
// # Group commit
//
// Of each InTx topic a process has one transaction at a time. The first delivery
// goes at once; those that come meanwhile share the next transaction, in the order
// in which they came. The transaction is the work of one of these requests, and
// does not end with it. When it fails, the deliveries are tried one by one, and of
// those that fail each event alone, unless it is the database that is away. Idempotent topics share
// the look into the inbox and what they write into it in the same way. Where there is an AtOnce, the
// transaction is its statement, and the handler's where that fails.
//
// # What may be seen twice
//
// A handler of InTx may be called again with an event whose transaction was
// undone: what it does outside the transaction happens again. A handler of
// Idempotent may be called again with an event that it has handled, when the
// process died before the inbox was written, and by two replicas at once.
//
// # Poison
//
// What can never pass (bytes that are no event, a schema of another major
// version or topic, text or values that Postgres refuses, a handler's Poison)
// is stored in dead_letters with its reason, and only then acknowledged. It blocks nothing behind it. A record
// that is delivered again is the same dead letter; the same bytes at another
// offset are another. An operator has it handled again, or discards it (package
// deadletter); both stay on record in dead_letter_acts. A record that comes
// again after that and is poison still opens its letter again.
//
// # The tables
//
// Each consumer has its own inbox and dead letters, in its own schema. Its
// migrations include Tables, Letters and Progress:
//
//	var SQL = map[string]string{
//		"0002_inbox":    fmt.Sprintf(subscribe.Tables, "audit"),
//		"0003_letters":  fmt.Sprintf(subscribe.Letters, "audit"),
//		"0004_progress": fmt.Sprintf(subscribe.Progress, "audit"),
//	}
//
// Keep deletes the inbox rows of events that can not come again.
//
// # Why raw payloads
//
// The subscriptions say rawPayload, so the sidecar hands over each record's
// bytes as they are. Otherwise it would parse them itself: malformed JSON would
// be retried for ever unseen, and a CloudEvent with a numeric traceid crashes
// daprd 1.18.1. And the routes must exist before the port opens: a 404 counts
// as handled.
package subscribe
