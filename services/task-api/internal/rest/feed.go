package rest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/pkg/page"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/account"
	"github.com/taskwire/taskwire/services/task-api/internal/feed"
)

// Feed is the changes of what a user sees over HTTP.
type Feed struct {
	Store       *feed.Store
	Hub         *feed.Hub
	Beats       *feed.Beats // every Heartbeat
	Credentials account.Credentials
	Failures    httpapi.Failures
	Closing     context.Context //nolint:containedctx // of the service: streams end before it stops
}

// FeedChange is what has become of a thing.
type FeedChange struct {
	ListID  uuid.UUID `json:"list_id" format:"uuid" doc:"The list that it is in"`
	Kind    string    `json:"kind" enum:"task,list,member,comment" doc:"What it is"`
	ID      uuid.UUID `json:"id" format:"uuid" doc:"Its id; of a member the user's"`
	Op      string    `json:"op" enum:"put,gone,reset" doc:"put: it is as data says. gone: there is none for you any more. reset: read all of the list anew, by /api/snapshot?list_id="`
	Version *int64    `json:"version,omitempty" doc:"Of a task or a list: which of two is the later"`
	Data    any       `json:"data,omitempty" doc:"The thing as you may see it now: as /api/tasks/{id}, /api/lists/{id}, its members and /api/tasks/{id}/comments answer it"`
}

// FeedPage is changes, and where they end.
type FeedPage struct {
	Changes []FeedChange `json:"changes" nullable:"false" doc:"What has changed, each thing once"`
	Next    string       `json:"next" doc:"The place behind them: since of the next request"`
	More    bool         `json:"more" doc:"Whether there are more already"`
}

func feedChange(c feed.Change) FeedChange {
	out := FeedChange{ListID: c.ListID, Kind: c.Kind, ID: c.ID, Op: c.Op}
	switch {
	case c.Task != nil:
		t := shown(c.Task)
		out.Version, out.Data = &t.Version, t
	case c.List != nil:
		out.Version, out.Data = &c.List.Version, c.List
	case c.Member != nil:
		out.Data = c.Member
	case c.Comment != nil:
		out.Data = c.Comment
	}
	return out
}

// EncodeChange is a change as JSON, as it is in a FeedPage.
func EncodeChange(c feed.Change) ([]byte, error) { return json.Marshal(feedChange(c)) }

// feedPage is a page of the feed that has at most page.Bytes, and the place behind it:
// what is too much for it comes with the next one.
func feedPage(p feed.Page) (out FeedPage, next feed.Place, err error) {
	all := make([]FeedChange, len(p.Changes))
	for i, c := range p.Changes {
		all[i] = feedChange(c)
	}
	if out.Changes, _, err = page.Cut(all, len(all), func(last int) any { return p.Behind(last) }); err != nil {
		return out, next, err
	}
	next, out.More = p.Next, p.More
	if n := len(out.Changes); n < len(all) {
		next, out.More = p.Behind(n-1), true
	}
	out.Next, err = page.EncodeCursor(next)
	return out, next, err
}

// errResync says where a client begins anew.
func errResync() *httpapi.Problem {
	p := httpapi.NewProblem(httpapi.ResyncRequired, "this place in the feed is not known any more; read /api/snapshot, and go on from the place in its first line")
	p.Snapshot = snapshotPath
	return p
}

// Heartbeat is how often something is written to each stream.
const Heartbeat = 15 * time.Second

const (
	snapshotPath = "/api/snapshot"
	changesPath  = "/api/changes"
	streamPath   = "/api/stream"

	maxWait = 30
	// slowest is how long a client may take to read what is written to its stream.
	slowest = 10 * time.Second
	// streamPage is how many changes are written to a stream at once.
	streamPage = 200
)

// Lasts says whether a request is answered for as long as its client likes, or may wait for
// what there is to answer.
func Lasts(r *http.Request) bool { return r.URL.Path == streamPath || r.URL.Path == changesPath }

// FeedInput narrows what is told to some lists.
type FeedInput struct {
	ListID []string `query:"list_id,explode" nullable:"false" maxItems:"100" format:"uuid" doc:"Of these lists alone"`
}

// lists are those that the input names, which have to be the actor's.
func (in FeedInput) lists(ctx context.Context, a *Feed, actor access.Actor) ([]uuid.UUID, error) {
	var lists []uuid.UUID
	for _, text := range in.ListID {
		id, err := uuid.Parse(text)
		if err != nil {
			return nil, httpapi.Invalid("query.list_id", "must be a list's id")
		}
		l, err := a.Store.Lists.Find(ctx, actor, id)
		if err != nil {
			return nil, err
		}
		if l == nil {
			return nil, httpapi.Invalid("query.list_id", "is none of your lists")
		}
		lists = append(lists, id)
	}
	return lists, nil
}

// Mount adds the operations of a user on what changes for him.
func (a *Feed) Mount(api huma.API) {
	say := httpapi.Describe
	changes := huma.Operation{
		OperationID: "list-changes", Method: http.MethodGet, Path: changesPath, Tags: []string{"Changes"}, Summary: "What has changed since",
		Description: "Each thing once, as it is now. With wait the answer comes as soon as there is something. A place that is not known any more is answered with 410: read /api/snapshot then.",
		Metadata:    say(nil, FeedPage{Changes: []FeedChange{{ListID: exampleTask.ListID, Kind: feed.KindTask, ID: exampleTask.ID, Op: feed.Put, Version: &exampleTask.Version, Data: exampleTask}}, Next: examplePlace}, httpapi.ResyncRequired),
	}
	changes.Metadata[httpapi.Waits] = maxWait * time.Second
	forToken(api, a.Failures, changes, a.changes, auth.TasksRead, auth.ListsRead)
	forToken(api, a.Failures, huma.Operation{
		OperationID: "snapshot", Method: http.MethodGet, Path: snapshotPath, Tags: []string{"Changes"}, Summary: "All that you see, and the place to go on from",
		Description: "A line of JSON for each: the first is {\"next\": …}, the place behind which /api/changes goes on; the others are as there.",
		Responses:   map[string]*huma.Response{"200": {Description: "Lines of JSON", Content: map[string]*huma.MediaType{"application/x-ndjson": {Schema: &huma.Schema{Type: huma.TypeString}}}}},
		Metadata:    say(nil, nil),
	}, a.snapshot, auth.TasksRead, auth.ListsRead)
	forToken(api, a.Failures, huma.Operation{
		OperationID: "stream", Method: http.MethodGet, Path: streamPath, Tags: []string{"Changes"}, Summary: "What changes, as it does",
		Description: "Server-sent events. Each has the place behind it as its id, so that a client that comes back with Last-Event-ID misses nothing; its data is as /api/changes answers. The event resync says that the place is not known any more.",
		Responses:   map[string]*huma.Response{"200": {Description: "Events", Content: map[string]*huma.MediaType{"text/event-stream": {Schema: eventSchema}}}},
		Metadata:    say(nil, nil),
	}, a.stream, auth.TasksRead, auth.ListsRead)
}

// eventSchema is of one event of the stream.
var eventSchema = &huma.Schema{Type: huma.TypeObject, Properties: map[string]*huma.Schema{
	"event": {Type: huma.TypeString, Enum: []any{"changes", "resync"}, Description: "What it is"},
	"id":    {Type: huma.TypeString, Description: "The place behind it, of changes"},
	"data":  {Type: huma.TypeString, Description: "JSON: as /api/changes answers; of resync, where to begin anew"},
}}

func (a *Feed) changes(ctx context.Context, actor access.Actor, in *struct {
	FeedInput
	Since string `query:"since" required:"true" maxLength:"400" doc:"next of the answer before, or of the snapshot" example:"eyJsIjoiMDE5MGM4YTAtMWEyYi03ZDRlLThmNjAtNzE4MjkzYTRiNWYxIiwieCI6NzQyfQ"`
	Limit int    `query:"limit" minimum:"1" maximum:"500" default:"500" doc:"A page ends earlier at 2 MiB"`
	Wait  int    `query:"wait" minimum:"0" maximum:"30" default:"0" doc:"Seconds to wait for something"`
},
) (*struct{ Body FeedPage }, error) {
	lists, err := in.lists(ctx, a, actor)
	if err != nil {
		return nil, err
	}
	from, err := feed.ParsePlace(in.Since)
	if err != nil {
		return nil, errResync()
	}
	var watch *feed.Watch
	if in.Wait > 0 {
		watch = a.Hub.Watch(actor, lists...)
		defer watch.Stop()
	}
	timer := time.NewTimer(time.Duration(in.Wait) * time.Second)
	defer timer.Stop()
	for {
		p, err := a.next(ctx, actor, watch, from, in.Limit, lists)
		if err != nil {
			return nil, err
		}
		if from = p.Next; len(p.Changes) == 0 && in.Wait > 0 {
			select {
			case <-watch.Woken():
				continue
			case <-timer.C:
			case <-a.Closing.Done():
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		body, _, err := feedPage(p)
		return &struct{ Body FeedPage }{body}, err
	}
}

// next is what has changed since: what a watch, if there is one, was told, else what is
// read after it has begun to look for more.
func (a *Feed) next(ctx context.Context, actor access.Actor, watch *feed.Watch, from feed.Place, limit int, lists []uuid.UUID) (feed.Page, error) {
	if watch != nil {
		if p, told := watch.Page(from); told {
			return p.First(limit), nil
		}
		watched := lists
		if len(lists) == 0 {
			var err error
			if watched, err = actor.Lists(ctx, a.Store.DB, uuid.Nil, mostLists); err != nil {
				return feed.Page{}, err
			}
		}
		watch.Set(slices.Concat(watched, []uuid.UUID{actor.UserID})...)
	}
	p, err := a.Store.Since(ctx, actor, from, limit, lists...)
	if errors.Is(err, feed.ErrResync) {
		return p, errResync()
	}
	return p, err
}

// mostLists is in how many lists of his somebody is told of changes at once.
const mostLists = 10_000

func (a *Feed) snapshot(ctx context.Context, actor access.Actor, in *FeedInput) (*huma.StreamResponse, error) {
	lists, err := in.lists(ctx, a, actor)
	if err != nil {
		return nil, err
	}
	if err := a.Store.Lists.EnsureInbox(ctx, actor); err != nil {
		return nil, err
	}
	from, err := a.Store.Now(ctx)
	if err != nil {
		return nil, err
	}
	next, err := page.EncodeCursor(from)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(c huma.Context) {
		c.SetHeader("Content-Type", "application/x-ndjson")
		c.SetHeader("Cache-Control", "no-store")
		out := bufio.NewWriterSize(c.BodyWriter(), 32<<10)
		lines := json.NewEncoder(out)
		err := lines.Encode(struct {
			Next string `json:"next"`
		}{next})
		if err == nil {
			err = a.Store.Snapshot(c.Context(), actor, func(change feed.Change) error { return lines.Encode(feedChange(change)) }, lists...)
		}
		if err == nil {
			err = out.Flush()
		}
		if err != nil {
			a.cut(c.Context(), err)
		}
	}}, nil
}

// cut ends an answer that has begun and can not be ended well: the client sees that the
// connection breaks off, and not the end of what there is.
func (a *Feed) cut(ctx context.Context, err error) {
	_ = a.Failures.Of(ctx, err) // it logs what is the server's
	panic(http.ErrAbortHandler)
}

func (a *Feed) stream(ctx context.Context, actor access.Actor, in *struct {
	FeedInput
	Since  string `query:"since" maxLength:"400" doc:"next of a snapshot; without it, what changes from now on"`
	LastID string `header:"Last-Event-ID" maxLength:"400" doc:"The id of the last event that was read; it goes before since"`
},
) (*huma.StreamResponse, error) {
	lists, err := in.lists(ctx, a, actor)
	if err != nil {
		return nil, err
	}
	text := in.LastID
	if text == "" {
		text = in.Since
	}
	var from feed.Place
	if text == "" {
		from, err = a.Store.Now(ctx)
	} else {
		from, err = feed.ParsePlace(text)
	}
	resync := errors.Is(err, feed.ErrResync)
	if err != nil && !resync {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(c huma.Context) {
		c.SetHeader("Content-Type", "text/event-stream")
		c.SetHeader("Cache-Control", "no-store")
		c.SetHeader("X-Accel-Buffering", "no") // nginx would wait for more
		_, w := humachi.Unwrap(c)
		s := &events{w: w, control: http.NewResponseController(w)}
		if resync {
			s.resync()
			return
		}
		a.follow(c.Context(), actor, s, from, lists)
	}}, nil
}

// signedIn says whether who has opened a stream is still signed in, or his API token good. Where that can not be
// found out the client comes back, and is told so.
func (a *Feed) signedIn(ctx context.Context) bool {
	return a.Credentials.Alive(ctx, auth.CallerOf(ctx)) == nil
}

// follow writes changes as they come, until the client has gone, its token has ended, or
// the service stops.
func (a *Feed) follow(ctx context.Context, actor access.Actor, s *events, from feed.Place, lists []uuid.UUID) {
	if until := auth.CallerOf(ctx).ExpiresAt; !until.IsZero() {
		var end context.CancelFunc
		ctx, end = context.WithDeadline(ctx, until)
		defer end()
	}
	watch := a.Hub.Watch(actor, lists...)
	defer watch.Stop()
	beat := a.Beats.Next()
	if !s.beat() { // the headers go at once
		return
	}
	for {
		if !a.signedIn(ctx) {
			return
		}
		p, err := a.next(ctx, actor, watch, from, streamPage, lists)
		var problem *httpapi.Problem
		switch {
		case errors.As(err, &problem):
			s.resync()
			return
		case err != nil:
			_ = a.Failures.Of(ctx, err) // the client comes back, and goes on where it was
			return
		}
		told, data, err := eventData(p)
		if err != nil {
			_ = a.Failures.Of(ctx, err) // as before
			return
		}
		if from = told.Next; len(data) > 0 && !s.write(data...) {
			return
		}
		if told.More {
			continue
		}
		for waiting := true; waiting; {
			select {
			case <-watch.Woken():
				waiting = false
			case <-beat:
				if beat = a.Beats.Next(); !a.signedIn(ctx) || !s.beat() {
					return
				}
			case <-ctx.Done():
				return
			case <-a.Closing.Done():
				return
			}
		}
	}
}

// eventData is the event that tells of a page, in pieces, of which those that many are told
// of lie in memory once; there are none where nothing has changed. It has at most page.Bytes
// of changes: told is what of the page is in it.
func eventData(p feed.Page) (told feed.Page, data [][]byte, err error) {
	size := 0
	for i, c := range p.Changes {
		text := c.JSON
		if text == nil {
			if text, err = EncodeChange(c); err != nil {
				return p, nil, err
			}
		}
		if size += len(text) + len(","); size > page.Bytes && i > 0 {
			p = p.First(i)
			break
		}
		between := ","
		if i == 0 {
			between = ""
		}
		data = append(data, []byte(between), text)
	}
	if len(data) == 0 {
		return p, nil, nil
	}
	id, err := page.EncodeCursor(p.Next)
	if err != nil {
		return p, nil, err
	}
	data[0] = fmt.Appendf(nil, "id: %s\nevent: changes\ndata: {\"changes\":[", id)
	return p, append(data, fmt.Appendf(nil, "],\"next\":%q,\"more\":%t}\n\n", id, p.More)), nil
}

// events writes server-sent events.
type events struct {
	w       io.Writer
	control *http.ResponseController
}

// write says whether the client has taken it, in the time that it has.
func (e *events) write(pieces ...[]byte) bool {
	// A writer that knows no deadlines is a test's.
	_ = e.control.SetWriteDeadline(time.Now().Add(slowest))
	for _, piece := range pieces {
		if _, err := e.w.Write(piece); err != nil {
			return false
		}
	}
	return e.control.Flush() == nil
}

var (
	beatEvent   = []byte(": \n\n")
	resyncEvent = []byte("event: resync\ndata: {\"snapshot\":\"" + snapshotPath + "\"}\n\n")
)

// beat keeps the connection open, and finds out whether anybody is there.
func (e *events) beat() bool { return e.write(beatEvent) }

// resync says that the client has to begin anew.
func (e *events) resync() { e.write(resyncEvent) }
