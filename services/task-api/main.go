// Command task-api is the REST API of taskwire, its accounts, and the front
// door of the suite. It writes each change together with its events, and
// relays the events to the broker beside the requests.
package main

import (
	"context"
	"net/http"
	"runtime"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/eventlog"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/pkg/service"
	"github.com/taskwire/taskwire/pkg/setting"
	"github.com/taskwire/taskwire/services/task-api/internal/account"
	"github.com/taskwire/taskwire/services/task-api/internal/accountmail"
	"github.com/taskwire/taskwire/services/task-api/internal/actor"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/comment"
	"github.com/taskwire/taskwire/services/task-api/internal/docs"
	"github.com/taskwire/taskwire/services/task-api/internal/erase"
	"github.com/taskwire/taskwire/services/task-api/internal/export"
	"github.com/taskwire/taskwire/services/task-api/internal/feed"
	"github.com/taskwire/taskwire/services/task-api/internal/frontdoor"
	"github.com/taskwire/taskwire/services/task-api/internal/limit"
	"github.com/taskwire/taskwire/services/task-api/internal/list"
	"github.com/taskwire/taskwire/services/task-api/internal/mailpage"
	"github.com/taskwire/taskwire/services/task-api/internal/migrations"
	"github.com/taskwire/taskwire/services/task-api/internal/page"
	"github.com/taskwire/taskwire/services/task-api/internal/provider"
	"github.com/taskwire/taskwire/services/task-api/internal/reconcile"
	"github.com/taskwire/taskwire/services/task-api/internal/reminder"
	"github.com/taskwire/taskwire/services/task-api/internal/rest"
	"github.com/taskwire/taskwire/services/task-api/internal/task"
	"github.com/taskwire/taskwire/services/task-api/internal/undo"
)

func main() {
	service.Program[settings]{Name: "task-api", Schema: migrations.Schema, Serve: serve, Commands: commands}.Main()
}

func serve(ctx context.Context, cfg settings, base service.Base) error {
	db, log := base.DB, base.Log

	// The parts.
	keys, err := account.NewKeys(cfg.PrivateKey, cfg.AcceptedKeys, cfg.Auth, cfg.TokenLife)
	if err != nil {
		return err
	}
	verifier, err := auth.NewVerifier(ctx, cfg.Auth, cfg.Outside, keys.Keyfunc, log)
	if err != nil {
		return err
	}
	events := eventlog.NewSignal(cfg.DatabaseURL, "taskwire_events", log)
	reminders := eventlog.NewSignal(cfg.DatabaseURL, "taskwire_reminders", log)
	ended := eventlog.NewSignal(cfg.DatabaseURL, account.EndedChannel, log)
	failures := httpapi.Failures{Log: log}
	changes := &change.Writer{DB: db, Events: events, Clock: reminders, Now: time.Now, Limits: cfg.TaskLimits}
	users := &account.Store{DB: db, Changes: changes}
	sessions := account.NewSessions(db, changes, ended.Waiter(), log)
	sessions.AlsoForget = users.ForgetOutside
	sessions.VerifiedOnly = cfg.Accounts.Verified()
	apiTokens := account.NewAPITokens(db, changes, cfg.TokenLimits, ended.Waiter(), log)
	apiTokens.VerifiedOnly = cfg.Accounts.Verified()
	credentials := account.Credentials{Tokens: verifier, Sessions: sessions, APITokens: apiTokens}
	attempts := &limit.Windows{DB: db, Now: time.Now}
	lists := &list.Store{DB: db, Changes: changes, Limits: cfg.ListLimits, VerifiedOnly: cfg.Accounts.Verified(), Attempts: attempts, Mails: cfg.Limits.ForInvitations()}
	mails := &accountmail.Store{DB: db, Changes: changes, VerifiedOnly: cfg.Accounts.Verified()}
	comments := &comment.Store{DB: db, Changes: changes, Limits: cfg.CommentLimits}
	tasks := &task.Store{DB: db, Changes: changes}
	undone := &undo.Store{Changes: changes, Comments: comments}
	changed := &feed.Store{DB: db, Tasks: tasks, Lists: lists, Comments: comments}
	hub, beats := &feed.Hub{Store: changed, Encode: rest.EncodeChange, Log: log}, new(feed.Beats)
	clock := &reminder.Clock{Changes: changes, Log: log}
	keeper := &eventlog.Keeper{DB: db, Schema: migrations.Name, Retention: cfg.EventRetention, Log: log}
	watch := &eventlog.Watch{DB: db, Schema: migrations.Name, Topics: event.Topics, Log: log}
	failed := account.NewFailedSignIns(users, log)
	authenticator := &account.Authenticator{Settings: cfg.Accounts, Store: users, Sessions: sessions, APITokens: apiTokens, Limits: cfg.Limits, Attempts: attempts, Hashing: limit.NewTurns(runtime.NumCPU()), Failed: failed}
	accounts := &rest.Accounts{Authenticator: authenticator, Keys: keys, Credentials: credentials, SecureCookies: cfg.CookieSecure, Failures: failures, Now: time.Now}
	public, err := setting.PublicURL(cfg.PublicURL)
	if err != nil {
		return err
	}
	configured, err := provider.Parse(cfg.OIDCProviders)
	if err != nil {
		return err
	}
	providers := &rest.Providers{
		Accounts: accounts, Public: *public, Failures: failures,
		Providers: provider.New(configured, public.JoinPath(rest.ProvidersPath).String()+"/", log),
	}
	passkeys, err := account.NewPasskeys(authenticator, *public, log)
	if err != nil {
		return err
	}
	byPasskeys := &rest.Passkeys{Accounts: accounts, Passkeys: passkeys, Failures: failures}
	strangers := limit.NewRequests(cfg.Limits, accounts.ClientKey, failures)
	caller := func(r *http.Request) string { return auth.CallerOf(r.Context()).UserID.String() }
	callers := limit.NewRequests(cfg.Limits, caller, failures)
	programs := limit.NewRequests(cfg.Limits.ForPrograms(), func(r *http.Request) string {
		if auth.CallerOf(r.Context()).TokenID == uuid.Nil && !rest.Lasts(r) {
			return ""
		}
		return caller(r)
	}, failures)

	told := events.Waiter()
	workers := []service.Worker{
		{Name: "signal of events", Run: events.Run},
		{Name: "signal of reminders", Run: reminders.Run},
		{Name: "signal of sessions that end", Run: ended.Run},
		{Name: "sessions that end", Run: sessions.Listen},
		{Name: "use of sessions", Run: sessions.KeepUsed},
		{Name: "API tokens that end", Run: apiTokens.Listen},
		{Name: "use of API tokens", Run: apiTokens.KeepUsed},
		{Name: "reminder clock", Run: clock.Run},
		{Name: "watch of the reminders", Run: (&reminder.Watch{DB: db, Now: time.Now, Log: log}).Run},
		{Name: "event log partitions", Run: keeper.Run},
		{Name: "watch of the event log", Run: watch.Run},
		{Name: "watch of the last reconcile", Run: func(ctx context.Context) error { return reconcile.Watch(ctx, db, log) }},
		{Name: "search index", Run: func(ctx context.Context) error { return tasks.KeepIndexed(ctx, log) }},
		{Name: "idempotency keys", Run: func(ctx context.Context) error { return changes.ForgetKeys(ctx, log) }},
		{Name: "old operations", Run: func(ctx context.Context) error { return changes.ForgetOperations(ctx, cfg.EventRetention, log) }},
		{Name: "trash", Run: func(ctx context.Context) error { return tasks.KeepTrash(ctx, cfg.TrashRetention, log) }},
		{Name: "hub of the feed", Run: func(ctx context.Context) error { return hub.Run(ctx, told) }},
		{Name: "heartbeats of the streams", Run: func(ctx context.Context) error { return beats.Run(ctx, rest.Heartbeat) }},
		{Name: "what is gone from the feed", Run: func(ctx context.Context) error { return changed.Keep(ctx, cfg.TrashRetention, time.Now, log) }},
		{Name: "failed sign-ins", Run: failed.Run},
		{Name: "old mails about accounts", Run: func(ctx context.Context) error { return mails.Keep(ctx, log) }},
		{Name: "passkeys that nobody has answered for", Run: passkeys.Forget},
		{Name: "erasure", Run: (&erase.Eraser{Changes: changes, Log: log}).Run},
		{Name: "old counts of attempts", Run: func(ctx context.Context) error { return attempts.Prune(ctx, log) }},
	}
	held := &feed.Held{Store: changed, For: delayed}
	checks := []service.Check{{Name: "feed", Run: held.Check}}
	if cfg.PublishingEnabled {
		publisher, err := transport(cfg)
		if err != nil {
			return err
		}
		defer publisher.Close()
		relay := &eventlog.Relay{
			DB: db, URL: cfg.DatabaseURL, Schema: migrations.Name, Topics: event.Topics,
			Publisher: publisher, Signal: events, Log: log,
		}
		workers = append(workers, service.Worker{Name: "relay", Run: relay.Run})
		checks = append(checks, publisher.check, service.Check{Name: "events", Run: eventsCheck(db, relay)}, service.Check{Name: "owner", Run: ownerCheck(db)})
	} else {
		checks = append(checks, service.Check{Name: "events", Run: func(context.Context) error { return service.OffError("publishing is off") }})
		workers = append(workers, service.Worker{Name: "disabled relay", Run: func(ctx context.Context) error {
			return eventlog.Disabled(ctx, events, log)
		}})
	}

	// The doors.
	router := httpapi.NewRouter(log, httpapi.Trust{Proxies: cfg.TrustedProxies, SidecarToken: cfg.AppAPIToken, TLS: cfg.CookieSecure})
	base.MountHealth(router, checks...)
	router.Method(http.MethodGet, "/.well-known/jwks.json", http.HandlerFunc(accounts.PublicKeys))
	door, err := frontdoor.New(cfg.SidecarURL(), cfg.DaprAPIToken, keys.SignPassed, db, log)
	if err != nil {
		return err
	}
	bodies := httpapi.Bodies(httpapi.MaxBody)
	docs.Mount(router)
	mailpage.Mount(router)
	if err := page.Mount(router); err != nil {
		return err
	}
	if err := docs.MountEvents(router, service.Version()); err != nil {
		return err
	}
	door.MountOpen(router, cfg.TrustedProxies)
	router.Group(func(r chi.Router) {
		r.Use(frontdoor.SameOrigin, actor.Origin(cfg.TrustedProxies))
		rest.MountProblems(httpapi.NewAPI(r), failures)
		r.Group(func(r chi.Router) {
			// Turns at hashing bound what they take of the database, and know devices.
			r.Use(strangers.InFlight, bodies)
			open := httpapi.NewAPI(r)
			accounts.MountOpen(open)
			providers.MountOpen(open)
			byPasskeys.MountOpen(open)
		})
		r.Group(func(r chi.Router) {
			r.Use(accounts.SignedIn, programs.InFlight, callers.InFlight, programs.Writes, callers.Writes, bodies)
			// By whose connections a request is served, so many at once of a user.
			connections := func() chi.Middlewares { return chi.Chain(callers.Connections(), accounts.AdmitOutside) }
			door.Mount(r, connections)
			// Who waits for changes has no connection meanwhile.
			(&rest.Feed{Store: changed, Hub: hub, Beats: beats, Credentials: credentials, Failures: failures, Closing: ctx}).Mount(httpapi.NewAPI(r.With(accounts.AdmitOutside)))
			// Who reads an export has no connection while he reads.
			all := &export.Store{DB: db, Users: users, Sessions: sessions, APITokens: apiTokens, Passkeys: passkeys, Lists: lists, Tasks: tasks, Comments: comments, Show: rest.Shown, Now: time.Now, Alive: func(ctx context.Context) error { return credentials.Alive(ctx, auth.CallerOf(ctx)) }}
			(&rest.Export{Store: all, Get: door.Get, Failures: failures}).Mount(httpapi.NewAPI(r.With(accounts.AdmitOutside)))
			// Who waits for other services has no connection meanwhile.
			(&rest.Operator{
				Users: users, Events: watch, Held: held, Call: door.Call, Now: time.Now, Failures: failures,
				Reconciled: func(ctx context.Context) (reconcile.Reconciled, error) { return reconcile.Last(ctx, db) },
			}).Mount(httpapi.NewAPI(r.With(connections()...)))
			r.Group(func(r chi.Router) {
				r.Use(connections()...)
				mine := httpapi.NewAPI(r)
				accounts.Mount(mine)
				(&rest.APITokens{Tokens: apiTokens, Failures: failures}).Mount(mine)
				providers.Mount(mine)
				byPasskeys.Mount(mine)
				(&rest.SecondFactors{Users: users, Failures: failures}).Mount(mine)
				(&rest.Erasure{Authenticator: authenticator, After: cfg.EraseAfter, Failures: failures}).Mount(mine)
				(&rest.Lists{Store: lists, Failures: failures}).Mount(mine)
				(&rest.Tasks{Store: tasks, Failures: failures}).Mount(mine)
				(&rest.QuickAdd{Store: tasks, Failures: failures}).Mount(mine)
				(&rest.Comments{Store: comments, Failures: failures}).Mount(mine)
				(&rest.Operations{Store: undone, Failures: failures}).Mount(mine)
			})
		})
	})
	router.Group(func(r chi.Router) {
		r.Use(auth.SidecarOnly(cfg.AppAPIToken), actor.Origin(cfg.TrustedProxies), bodies)
		services := &rest.Services{Tasks: tasks, Reminders: &reminder.Store{DB: db, VerifiedOnly: cfg.Accounts.Verified()}, Mails: mails, Failures: failures}
		services.Mount(httpapi.NewAPI(r))
	})
	return base.Run(ctx, router, workers...)
}
