// Package delivery brings a due reminder to its user, once per channel.
//
// An event becomes one pending row per channel, in the transaction that marks
// the event as handled. From there workers take over, any number of them on
// any number of replicas:
//
//	pending ──claim──▶ check with task-api ──▶ deliver ──▶ sent
//	   ▲                    │                     │
//	   │                    └─▶ cancelled         ├─▶ failed (refused for good, or given up)
//	   └──────────── try again later ◀────────────┘
//
// Who may write a row: a claim stamps rows with an id of its own (the fence)
// and moves their next attempt on by a lease. A worker's writes name the fence,
// so they do nothing once another worker has claimed the row. A worker that
// dies writes nothing, and its rows fall due when the lease ends, in seconds.
// A longer lease begins just before a mail is sent: longer than a mail may take,
// so a row is never with two living workers whose clocks agree to within
// leaseMargin. What remains is the mail whose answer was lost: it is sent again,
// with the Message-ID it had before.
//
// Nobody scans: a worker sleeps until the earliest next attempt in the table
// and is woken when its own replica stores a reminder. Rows that another
// replica stored and then died over are found by a look at the index every few
// seconds.
//
// # Another channel
//
// All that knows the channels of reminders by name, in this package but for the first (mails
// about an account are a channel of their own, which worker.go and email.go ask for):
//
//   - a migration that lets deliveries_channel_check have its name;
//   - row.go: the name, in channels if every reminder goes through it;
//   - observe.go: what can become of its deliveries, in outcomes;
//   - a file of its own, as inapp.go and email.go are, with what dispatches a batch;
//   - delivery.go: its worker, in NewDeliverer.
//
// Where it sends to is asked of task-api just before (standing.user, pkg/taskapi): an address
// of another kind than those begins there, with the account, its export and its erasure. What
// sends, such as mail's Sender, comes by Options from the service's main.go and settings.go;
// its secrets, and the way out of the cluster, are in k8s/, compose/ and docs/settings.md. In
// test/chaos what counts as a mail is said by the channel's name (truth_reminders.go).
package delivery
