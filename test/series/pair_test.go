package series

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/pkg/local"
)

const (
	tokenOfAPI      = "the token that the sidecar shows to task-api"
	tokenOfConsumer = "the token that the sidecar shows to recurring-task"
	tokenOfSidecar  = "the token that the sidecar asks for"
)

// secret signs the tokens of users, who are made by them: there is no password to hash.
var secret = rand.Text() + rand.Text()

// patience bounds a failure, not a success.
const patience = 60 * time.Second

// client has the connections of all sequences.
var client = &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 256}}

// pair is task-api and recurring-task on one database, and between them the test
// in the place of sidecar and broker.
type pair struct {
	db            *pgxpool.Pool
	api, consumer *process
	sidecar       *sidecar
}

// startPair builds and starts both services.
func startPair(t *testing.T) *pair {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dir, err := os.MkdirTemp("", "taskwire-series-") //nolint:usetesting // the logs stay when it fails
	must(err)
	const services = "github.com/taskwire/taskwire/services/"
	build := exec.CommandContext(t.Context(), "go", "build", "-o", dir+string(filepath.Separator), services+"task-api", services+"recurring-task")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the services: %v: %s", err, out)
	}
	url := databasetest.New(t)
	_, key, err := ed25519.GenerateKey(rand.Reader)
	must(err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	must(err)

	p := &pair{sidecar: &sidecar{faults: map[uuid.UUID]*sequence{}}}
	listener, err := local.Listen()
	must(err)
	common := []string{
		"DATABASE_URL=" + url, "DAPR_HTTP_PORT=" + strconv.Itoa(listener.Addr().(*net.TCPAddr).Port),
		"DAPR_API_TOKEN=" + tokenOfSidecar, "JWT_SECRET=" + secret, "LOG_LEVEL=warn",
	}
	p.api, err = newProcess(dir, "task-api", append([]string{
		"APP_API_TOKEN=" + tokenOfAPI, "EVENT_PUBLISHING_ENABLED=false", "COOKIE_SECURE=false", "MAIL_VERIFICATION=optional", "LIMIT_WRITES=0", "LIMIT_IN_FLIGHT=0",
		"JWT_PRIVATE_KEY=" + string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	}, common...))
	must(err)
	p.consumer, err = newProcess(dir, "recurring-task", append([]string{"APP_API_TOKEN=" + tokenOfConsumer}, common...))
	must(err)
	p.sidecar.pair = p
	server := &http.Server{Handler: p.sidecar, ReadHeaderTimeout: patience}
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("the test's sidecar ended: %v", err)
		}
	})
	t.Cleanup(func() {
		bad := errors.Join(p.consumer.end(), p.api.end())
		if bad != nil {
			t.Errorf("the services: %v", bad)
		}
		if err := server.Close(); err != nil {
			t.Errorf("close the test's sidecar: %v", err)
		}
		serving.Wait()
		client.CloseIdleConnections()
		if t.Failed() {
			t.Log("the logs are kept in ", dir)
		} else if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	must(p.api.start())
	must(p.consumer.start())

	p.db, err = pgxpool.New(t.Context(), url+"&pool_max_conns=12")
	must(err)
	t.Cleanup(p.db.Close)
	// What a sequence reads again and again is its own user's part of the log.
	_, err = p.db.Exec(t.Context(), `CREATE INDEX ON task.events ((data::jsonb ->> 'user_id')) WHERE topic = 'task-events'`)
	must(err)
	return p
}

// tokenFor is a token of a user that nobody has to register.
func tokenFor(user uuid.UUID) (string, error) {
	return jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"sub": user.String(), "email": user.String() + "@example.org", "iat": time.Now().Unix(), "exp": time.Now().Add(24 * time.Hour).Unix(),
	}).SignedString([]byte(secret))
}

// process is a service that can be killed, and stands up again.
type process struct {
	name, path string
	env        []string
	base       string
	log        *os.File

	mu  sync.Mutex // held from a kill until the process answers again
	cmd *exec.Cmd
}

func newProcess(dir, name string, env []string) (*process, error) {
	port, err := local.FreePort()
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, name+".log"))
	if err != nil {
		return nil, fmt.Errorf("make the log of %s: %w", name, err)
	}
	return &process{
		name: name, path: filepath.Join(dir, name), log: log, base: "http://" + local.Address(port),
		env: append(append(os.Environ(), env...), "PORT="+strconv.Itoa(port)),
	}, nil
}

func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.run()
}

func (p *process) run() error {
	p.cmd = exec.Command(p.path, "serve")
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = p.env, p.log, p.log
	p.cmd.SysProcAttr = local.Child(syscall.SIGKILL, nil)
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	deadline := time.Now().Add(patience)
	for {
		if err := p.healthy(); err == nil {
			return nil
		} else if time.Now().After(deadline) {
			return fmt.Errorf("%s does not answer: %w", p.name, err)
		}
		time.Sleep(20 * time.Millisecond) // between two looks
	}
}

func (p *process) healthy() error {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, p.base+"/healthz", nil)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// kill ends the process as kill -9 does, and returns when it answers again.
func (p *process) kill() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("kill %s: %w", p.name, err)
	}
	_ = p.cmd.Wait() // that it was killed
	return p.run()
}

// await returns when no kill is under way.
func (p *process) await() {
	p.mu.Lock()
	defer p.mu.Unlock()
}

// end stops the process, and says what it logged that it should not have.
func (p *process) end() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil || p.cmd.Process == nil {
		return nil
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop %s: %w", p.name, err)
	}
	err := p.cmd.Wait()
	text, readErr := os.ReadFile(p.log.Name())
	err = errors.Join(err, readErr, p.log.Close())
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "level=ERROR") || strings.Contains(line, "panic") || strings.Contains(line, "DATA RACE") {
			err = errors.Join(err, fmt.Errorf("%s logged: %s", p.name, line))
		}
	}
	return err
}

// sidecar answers recurring-task's calls of task-api, as daprd would, and loses
// what a sequence wants lost.
type sidecar struct {
	pair *pair

	mu     sync.Mutex
	faults map[uuid.UUID]*sequence // by the tasks that they have
}

// owns makes a sequence the one that decides on calls about a task.
func (s *sidecar) owns(id uuid.UUID, q *sequence) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[id] = q
}

func (s *sidecar) forget(id uuid.UUID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.faults, id)
}

// of is the sequence that a call is about.
func (s *sidecar) of(body []byte) *sequence {
	id, err := aboutTask(body)
	if err != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults[id]
}

func aboutTask(body []byte) (uuid.UUID, error) {
	var ask struct {
		After uuid.UUID `json:"after_task_id"`
	}
	err := json.Unmarshal(body, &ask)
	return ask.After, err
}

func (s *sidecar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, ok := strings.CutPrefix(r.URL.Path, "/v1.0/invoke/task-api/method/")
	if !ok || r.Header.Get("dapr-api-token") != tokenOfSidecar {
		http.Error(w, "no such method of the sidecar", http.StatusNotFound)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	q := s.of(body)
	fault := ""
	if q != nil {
		// Whoever reads what came of a delivery waits for this to end.
		defer q.calling()()
		fault = q.takeFault()
	}
	if fault == refused {
		http.Error(w, "the test refuses this call", http.StatusInternalServerError)
		return
	}
	// task-api acts whether or not anybody still waits for its answer.
	req, err := http.NewRequestWithContext(context.WithoutCancel(r.Context()), r.Method, s.pair.api.base+"/"+path, bytes.NewReader(body))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	req.Header.Set("Content-Type", r.Header.Get("Content-Type"))
	req.Header.Set("dapr-api-token", tokenOfAPI)
	res, err := client.Do(req)
	if err != nil {
		if q != nil {
			q.called(path, body, 0, nil)
		}
		http.Error(w, "task-api does not answer", http.StatusInternalServerError)
		return
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		http.Error(w, "task-api does not answer", http.StatusInternalServerError)
		return
	}
	if q != nil {
		q.called(path, body, res.StatusCode, answer)
	}
	switch fault {
	case lost:
		panic(http.ErrAbortHandler)
	case killed:
		if err := s.pair.consumer.kill(); err != nil {
			q.fail("%v", err)
		}
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", res.Header.Get("Content-Type"))
	w.WriteHeader(res.StatusCode)
	// If recurring-task has gone, the event comes again.
	_, _ = w.Write(answer)
}
