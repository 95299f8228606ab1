// Package eventlog is the append-only log of events beside a service's
// tables, and the relay that publishes it.
//
// # From a change to the broker
//
//	request ── tx { rows + Append } ── commit ── Signal.Raise
//	                                               │
//	owner:  sequence  ── gives every newly visible row its place (seq)
//	                                               │
//	        relay(topic) ── reads by seq, publishes, moves the topic's cursor
//
// # Why a sequence of its own
//
// A row with a lower serial number can become visible after one with a higher
// number, because transactions do not commit in the order in which they took
// their numbers. Whoever reads "everything after the last number I saw" loses
// such a row. So the owner first numbers what has become visible, without a
// gap, and everything else reads by that number. What it looks through for that
// begins behind a horizon (see there). Within one task the order of
// the serial numbers is the order of the changes, since a change locks its
// task before it appends.
//
// # Who is the owner
//
// One process at a time owns the log: it holds a session advisory lock on a
// connection of its own. Postgres ends a session that has been silent for
// sessionTimeout, and the owner pings it more often than that, so the lock of
// an owner that was killed, stopped or cut off is free within seconds. An owner
// that was only slow may still believe in its lock; therefore each ownership
// has an epoch, written when it begins, and every write of an owner (numbers,
// cursors) names its epoch and does nothing when a newer one has begun. Such
// an owner can publish once more what its successor publishes too, which
// at-least-once delivery allows, but it can not skip or renumber anything.
// To number events it locks the epoch; a cursor, which says what has been
// published and only moves forward, is true whoever moves it.
//
// # Order
//
// Two events of one key are never in flight at once: a batch holds at most one
// event of a key, and the next goes out when the first is acknowledged. So no
// partial failure and no retry can turn them round.
package eventlog
