package delivery

import (
	"context"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/outage"
	"github.com/taskwire/taskwire/pkg/taskapi"
	"github.com/taskwire/taskwire/services/notification/internal/mail"
)

// Options is what the workers need.
type Options struct {
	DB              *bun.DB
	Check           Checker
	Mail            *mail.Sender
	MailTimeout     time.Duration // what Mail was made with
	Connections     int           // mails on their way at once
	RetryFor        time.Duration // from the first attempt until a mail is given up
	Budget          int           // mails for a recipient within an hour; 0: any number
	PublicURL       *url.URL      // where users reach the suite, for links in mails; nil: no links
	ShutdownTimeout time.Duration // the time that the workers have for their stop
	Clock           func() time.Time
	Log             *slog.Logger
}

// Deliverer delivers on every channel.
type Deliverer struct {
	workers []*worker // one per channel
	mail    *mail.Sender
	jobs    chan mailJob // of both emailers
	conns   int
	grace   time.Duration
}

// NewDeliverer returns a deliverer that works once Run is called.
func NewDeliverer(o Options) *Deliverer {
	countFromZero()
	inApp := newWorker(InApp, taskapi.MaxCheck, o.DB, o)
	inApp.dispatch = inApp.show

	jobs := make(chan mailJob)
	mailer := func(channel string) *worker {
		m := &emailer{
			// A few mails ahead for each connection: none idles while the next batch is
			// claimed and checked, and none waits so long that its check grows old.
			worker: newWorker(channel, min(4*o.Connections, taskapi.MaxCheck, taskapi.MaxMails), o.DB, o),
			sender: o.Mail, sendTime: o.MailTimeout, retryFor: o.RetryFor,
			budget: o.Budget, public: o.PublicURL, jobs: jobs,
		}
		m.recording = &outage.Outage{Log: m.log, Gone: "cannot record what became of a delivery; trying again", Back: "what becomes of deliveries is recorded again"}
		m.dispatch = m.enqueue
		return m.worker
	}
	return &Deliverer{
		workers: []*worker{inApp, mailer(Email), mailer(Account)},
		mail:    o.Mail, jobs: jobs, conns: o.Connections, grace: stopGrace(o.ShutdownTimeout),
	}
}

// Wake makes the workers look for what is due now.
func (d *Deliverer) Wake() {
	for _, w := range d.workers {
		w.wake()
	}
}

// stopGrace is how long a mail that is on its way may go on after a stop was
// asked for: as long as what must follow it still finds time.
func stopGrace(shutdown time.Duration) time.Duration {
	return max(shutdown-stopMargin, shutdown/2)
}

// Run delivers until ctx ends, then lets what is on its way arrive. A mail that
// the server has not answered when the time for that is over is cut off, and
// tried again by another replica.
func (d *Deliverer) Run(ctx context.Context) error {
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(d.grace, stop) })()

	var senders, workers sync.WaitGroup
	for range d.conns {
		senders.Go(func() { send(work, d.jobs) })
	}
	for _, w := range d.workers {
		workers.Go(func() { w.run(ctx, work) })
	}
	workers.Wait()
	close(d.jobs)
	senders.Wait()
	d.mail.CloseIdle()
	return nil
}
