package subscribe_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/subscribe"
)

const inATransaction = "in a transaction"

// The consumers that are killed. A handler of InTx calls begin first.
var killed = map[string]func(s *subscribe.Subscriber, db *bun.DB, begin func()){
	inATransaction: func(s *subscribe.Subscriber, _ *bun.DB, begin func()) {
		s.InTx(event.TopicTasks, func(ctx context.Context, tx bun.Tx, events []subscribe.Event) error {
			begin()
			return writeAll(ctx, tx, events)
		})
	},
	"idempotent": func(s *subscribe.Subscriber, db *bun.DB, _ func()) {
		s.Idempotent(event.TopicTasks, func(ctx context.Context, e subscribe.Event) error {
			_, err := db.ExecContext(ctx, "INSERT INTO consumer.effects (id, key) SELECT ?0, ?1 WHERE NOT EXISTS (SELECT FROM consumer.effects WHERE id = ?0)", e.ID(), e.Key)
			return err
		})
	},
}

// Of the process that is killed.
const (
	killedKind   = "TEST_KILLED_KIND"
	killedURL    = "TEST_KILLED_URL"
	killedAnswer = "TEST_KILLED_ANSWER"

	inGroup = 20 // deliveries that wait while its first transaction is under way
)

// beKilled is a consumer of its own process that dies where it would write its nth answer:
// what that tells of is committed.
func beKilled() error {
	nth, err := strconv.ParseInt(os.Getenv(killedAnswer), 10, 64)
	if err != nil {
		return err
	}
	db, err := database.Open(context.Background(), os.Getenv(killedURL))
	if err != nil {
		return err
	}
	s := subscribe.New(subscribe.Options{DB: db, Schema: "consumer", AppAPIToken: token, Log: slog.New(slog.DiscardHandler), Now: time.Now})
	killed[os.Getenv(killedKind)](s, db, sync.OnceFunc(func() {
		for s.Waiting(event.TopicTasks) < inGroup {
			runtime.Gosched()
		}
	}))
	r := chi.NewRouter()
	var answers atomic.Int64
	r.Use(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(dying{w, func() bool { return answers.Add(1) >= nth }}, r)
		})
	})
	s.Mount(r)
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(os.Stdout, l.Addr()); err != nil {
		return err
	}
	server := &http.Server{Handler: r, ReadHeaderTimeout: time.Minute}
	return server.Serve(l)
}

// dying kills the process when it is time.
type dying struct {
	http.ResponseWriter
	now func() bool
}

func (d dying) Write(p []byte) (int, error) {
	if d.now() {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	return d.ResponseWriter.Write(p)
}

func TestAConsumerThatIsKilledBeforeItAnswersDoublesNothing(t *testing.T) {
	for kind, setUp := range killed {
		for _, nth := range []int{1, 2, 7} { // the first delivery is alone, the second in a group
			t.Run(fmt.Sprintf("%s, answer %d", kind, nth), func(t *testing.T) {
				const keys, each = 40, 3
				db, address := newDatabase(t)
				named, err := url.Parse(address)
				require.NoError(t, err)
				query := named.Query()
				query.Set("application_name", "killed")
				named.RawQuery = query.Encode()
				this, err := os.Executable()
				require.NoError(t, err)
				dying := exec.CommandContext(t.Context(), this)
				dying.Env = append(os.Environ(), killedKind+"="+kind, killedURL+"="+named.String(), fmt.Sprintf("%s=%d", killedAnswer, nth))
				dying.Stderr = os.Stderr
				out, err := dying.StdoutPipe()
				require.NoError(t, err)
				require.NoError(t, dying.Start())
				address, err = bufio.NewReader(out).ReadString('\n')
				require.NoError(t, err)

				// As of as many partitions: a key's events are in one delivery.
				batches := make([][][]byte, keys)
				var delivering sync.WaitGroup
				var answered atomic.Int64
				for i := range batches {
					for range each {
						batches[i] = append(batches[i], record(t, fmt.Sprint(i)))
					}
					delivering.Go(func() {
						if send(t, strings.TrimSpace(address), batches[i]) {
							answered.Add(each)
						}
					})
				}
				delivering.Wait()
				var exit *exec.ExitError
				require.True(t, errors.As(dying.Wait(), &exit))
				require.Equal(t, syscall.SIGKILL, exit.Sys().(syscall.WaitStatus).Signal())
				// Postgres ends the statement that it was at, and sees then that nobody is there.
				require.Eventually(t, func() bool {
					var n int
					err := db.NewRaw("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'killed'").Scan(t.Context(), &n)
					return err == nil && n == 0
				}, time.Minute, time.Millisecond)

				c := newConsumer(t, db, func(s *subscribe.Subscriber) { setUp(s, db, func() {}) })
				marked := c.count("inbox")
				require.Greater(t, marked, int(answered.Load()), "it died between a commit and its answer")
				if kind == inATransaction && nth > 1 {
					require.Greater(t, marked, inGroup*each, "the commit was that of a group")
				}
				effects := c.count("effects WHERE id IN (SELECT id FROM consumer.inbox)")
				require.Equal(t, marked, effects)

				// All again, to another process, in other groups.
				rand.Shuffle(keys, func(i, j int) { batches[i], batches[j] = batches[j], batches[i] })
				for len(batches) > 0 {
					n := min(1+rand.IntN(5), len(batches))
					var records [][]byte
					for _, b := range batches[:n] {
						records = append(records, b...)
					}
					batches = batches[n:]
					delivering.Go(func() {
						for _, status := range c.deliver(records...) {
							if status != success {
								t.Errorf("answered %s", status)
							}
						}
					})
				}
				delivering.Wait()
				require.Equal(t, keys*each, c.count("inbox"))
				require.Equal(t, keys*each, c.count("effects"))
				require.Equal(t, keys*each, c.count("effects WHERE id IN (SELECT id FROM consumer.inbox)"))
				require.Zero(t, c.count("effects a JOIN consumer.effects b ON a.key = b.key AND a.n < b.n AND a.id >= b.id"), "in their order, each once")
			})
		}
	}
}

// send makes a delivery over the network, and says whether it was answered.
func send(t *testing.T, address string, records [][]byte) bool {
	entries := make([]map[string]string, len(records))
	for i, r := range records {
		entries[i] = map[string]string{"entryId": fmt.Sprint(i), "event": base64.StdEncoding.EncodeToString(r)}
	}
	body, err := json.Marshal(map[string]any{"entries": entries})
	if err != nil {
		t.Error(err)
		return false
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/events/"+event.TopicTasks, bytes.NewReader(body))
	if err != nil {
		t.Error(err)
		return false
	}
	req.Header.Set("dapr-api-token", token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	return res.StatusCode == http.StatusOK
}
