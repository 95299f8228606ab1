// Package suite starts the whole of taskwire for a test, on ports and in a
// folder of its own, and drives it from outside: over HTTP, the broker, the
// mail folder, and by killing its processes.
package suite

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/taskwire/taskwire/pkg/local"
	"github.com/taskwire/taskwire/test/kafka"
)

// Suite is a running taskwire, as the runner describes it in run/suite.json.
type Suite struct {
	API     string `json:"api_url"`
	MailDir string `json:"mail_dir"`
	LogDir  string `json:"logs_dir"`
	RunDir  string `json:"run_dir"`
	Broker  struct {
		Kind    string `json:"kind"`    // Kafka or Redis
		Address string `json:"address"` // host:port
	} `json:"broker"`
	Database struct {
		OwnerURL string            `json:"owner_url"`
		URLs     map[string]string `json:"urls"` // by service, as its runtime role
	} `json:"database"`
	Services map[string]struct {
		MetricsPort int    `json:"metrics_port"`
		DaprToken   string `json:"dapr_token"` // what its sidecar asks for
		Sidecar     struct {
			GRPCPort int `json:"grpc_port"`
		} `json:"sidecar"`
	} `json:"services"`

	kafka  *kafka.Server // nil where the runner has the broker
	runner *exec.Cmd
	ended  chan error
	output *bytes.Buffer
}

// startTime is how long the suite may take to be ready; daprd and the
// services may have to be built first.
const startTime = 10 * time.Minute

// WithoutLimits is the environment of a suite that serves a load as it comes.
func WithoutLimits() []string {
	return []string{"LIMIT_SIGN_INS=0", "LIMIT_SIGN_INS_NETWORK=0", "LIMIT_REGISTRATIONS=0", "LIMIT_WRITES=0", "LIMIT_IN_FLIGHT=0", "LIMIT_ACCOUNT_MAILS=0", "LIMIT_INVITATIONS=0", "MAIL_BUDGET=0"}
}

// NewDir makes a folder for the state of a suite. Whoever makes it removes it.
func NewDir(name string) (string, error) {
	dir, err := os.MkdirTemp("", "taskwire-"+name+"-")
	if err != nil {
		return "", fmt.Errorf("make a folder for a suite: %w", err)
	}
	// Postgres may run under another account than the tests.
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", fmt.Errorf("open the folder of a suite to Postgres: %w", err)
	}
	return dir, nil
}

// Start builds the runner and starts the suite in dir with extra environment,
// with a real Kafka where KAFKA_HOME names one.
func Start(ctx context.Context, dir string, env ...string) (*Suite, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	return StartFrom(ctx, root, dir, env...)
}

// StartFrom is Start with the code of another working tree.
func StartFrom(ctx context.Context, root, dir string, env ...string) (*Suite, error) {
	broker, err := startKafka(ctx, dir, env)
	if err != nil {
		return nil, err
	}
	if broker == nil {
		return start(ctx, root, dir, env)
	}
	s, err := start(ctx, root, dir, append(slices.Clone(env), "KAFKA_BROKERS="+broker.Address))
	if err != nil {
		broker.Stop()
		return nil, err
	}
	s.kafka = broker
	return s, nil
}

func start(ctx context.Context, root, dir string, env []string) (*Suite, error) {
	runner := filepath.Join(dir, "local-runner")
	build := exec.CommandContext(ctx, "go", "build", "-o", runner, "./dapr/local")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the local runner: %w: %s", err, out)
	}
	s := &Suite{ended: make(chan error, 1), output: new(bytes.Buffer)}
	s.runner = exec.Command(runner)
	s.runner.Dir = root
	s.runner.Env = append(os.Environ(), append([]string{"PORTS=free", "STATE_DIR=" + dir}, env...)...)
	s.runner.Stdout, s.runner.Stderr = s.output, s.output
	s.runner.SysProcAttr = local.Child(syscall.SIGTERM, nil)
	if err := s.runner.Start(); err != nil {
		return nil, fmt.Errorf("start the local runner: %w", err)
	}
	go func() { s.ended <- s.runner.Wait() }()
	deadline := time.After(startTime)
	for {
		raw, err := os.ReadFile(filepath.Join(dir, "run", "suite.json"))
		if err == nil {
			return s, json.Unmarshal(raw, s)
		}
		select {
		case err := <-s.ended:
			return nil, fmt.Errorf("the local runner ended (%w): %s", err, s.output)
		case <-deadline:
			return nil, fmt.Errorf("the suite was not ready in %s: %s", startTime, s.output)
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Stop ends the suite as Ctrl-C does and waits for it.
func (s *Suite) Stop() error {
	if s.kafka != nil {
		defer s.kafka.Stop() // last: what has been taken is published
	}
	if err := s.runner.Process.Signal(syscall.SIGINT); err != nil {
		return fmt.Errorf("stop the suite: %w", err)
	}
	select {
	case err := <-s.ended:
		return errors.Join(err, s.races())
	case <-time.After(30 * time.Second):
		return fmt.Errorf("the suite did not stop in 30 s: %s", s.output)
	}
}

// races says which processes the race detector has something to say of, where the
// services were built with it (GOFLAGS=-race).
func (s *Suite) races() error {
	logs, err := filepath.Glob(filepath.Join(s.LogDir, "*"))
	if err != nil {
		return fmt.Errorf("look for data races: %w", err)
	}
	var found error
	for _, path := range logs {
		text, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("look for data races: %w", err)
		}
		if _, race, ok := bytes.Cut(text, []byte("WARNING: DATA RACE")); ok {
			found = errors.Join(found, fmt.Errorf("a data race in %s:%s", path, race[:min(len(race), 4000)]))
		}
	}
	return found
}

// Root is the folder of the workspace: the one that holds go.work.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("no go.work above the working directory")
}

// Signal sends a signal to a process of the suite by its name, such as
// task-api, audit-log-daprd or broker.
func (s *Suite) Signal(name string, signal syscall.Signal) error {
	pid, err := s.PID(name)
	if err != nil {
		return err
	}
	return syscall.Kill(pid, signal)
}

// PID is the process id that a process of the suite has now.
func (s *Suite) PID(name string) (int, error) {
	raw, err := os.ReadFile(filepath.Join(s.RunDir, name+".pid"))
	if err != nil {
		return 0, fmt.Errorf("find process %s: %w", name, err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	if err != nil {
		return 0, fmt.Errorf("find process %s: %w", name, err)
	}
	return pid, nil
}

// PIDs are the process ids that the processes of the suite have now, by their names.
func (s *Suite) PIDs() (map[string]int, error) {
	files, err := filepath.Glob(filepath.Join(s.RunDir, "*.pid"))
	if err != nil {
		return nil, fmt.Errorf("list the processes: %w", err)
	}
	pids := map[string]int{}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".pid")
		if pids[name], err = s.PID(name); err != nil {
			return nil, err
		}
	}
	return pids, nil
}

// LogLines counts the lines of a process's log that hold a text.
func (s *Suite) LogLines(name, text string) (int, error) {
	raw, err := os.ReadFile(filepath.Join(s.LogDir, name+".log"))
	if err != nil {
		return 0, fmt.Errorf("read the log of %s: %w", name, err)
	}
	return strings.Count(string(raw), text), nil
}

// Mails reads the mails to a recipient.
func (s *Suite) Mails(recipient string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(s.MailDir, "*.eml"))
	if err != nil {
		return nil, fmt.Errorf("list the mails: %w", err)
	}
	var found []string
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			return nil, fmt.Errorf("read a mail: %w", err)
		}
		if strings.Contains(string(raw), recipient) {
			found = append(found, string(raw))
		}
	}
	return found, nil
}

// Client is a user of the API.
type Client struct {
	Base  string
	Token string
	Email string
	// Address is where its requests say that they come from, in
	// X-Forwarded-For; a suite believes that with TRUSTED_PROXIES.
	Address string
	// Transport has its connections; nil: one that clients share.
	Transport http.RoundTripper
}

// Answer is what the API said.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// JSON decodes the answer's body into v.
func (a Answer) JSON(v any) error { return json.Unmarshal(a.Body, v) }

// Transport is what clients share that have none of their own, so that a load does
// not run out of ports.
var Transport http.RoundTripper = &http.Transport{MaxIdleConnsPerHost: 256, IdleConnTimeout: 30 * time.Second}

// Do sends a request. Body is nil, []byte as it is, or anything that becomes
// JSON; header holds name, value pairs.
func (c *Client) Do(ctx context.Context, method, path string, body any, header ...string) (Answer, error) {
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case []byte:
		reader = bytes.NewReader(b)
	case string:
		reader = strings.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			return Answer{}, err
		}
		reader = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.Base+path, reader)
	if err != nil {
		return Answer{}, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	if c.Address != "" {
		req.Header.Set("X-Forwarded-For", c.Address)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	way := c.Transport
	if way == nil {
		way = Transport
	}
	res, err := (&http.Client{Transport: way, Timeout: 30 * time.Second}).Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	return Answer{res.StatusCode, res.Header, raw}, err
}

// Password is that of every registered user.
const Password = "correct horse battery"

// Register creates a user and signs in.
func (s *Suite) Register(ctx context.Context, email, zone string) (*Client, error) {
	c := &Client{Base: s.API, Email: email}
	_, err := c.Register(ctx, zone)
	return c, err
}

// Register creates the client's user and signs in. The answer has the cookies.
func (c *Client) Register(ctx context.Context, zone string) (Answer, error) {
	a, err := c.Do(ctx, http.MethodPost, "/api/auth/register", map[string]string{"email": c.Email, "password": Password, "timezone": zone})
	if err != nil {
		return a, err
	}
	if a.Status != http.StatusCreated {
		return a, fmt.Errorf("register %s: %d %s", c.Email, a.Status, a.Body)
	}
	var answer struct{ Token string }
	if err := a.JSON(&answer); err != nil {
		return a, err
	}
	c.Token = answer.Token
	return a, nil
}
