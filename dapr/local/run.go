package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/taskwire/taskwire/pkg/local"
)

// stateDir is where everything lives that a run leaves behind.
func stateDir(root string) string {
	if dir := os.Getenv("STATE_DIR"); dir != "" {
		return dir
	}
	return filepath.Join(root, ".local")
}

// runSuite starts the suite, says when it is ready, and stops it when ctx ends.
func runSuite(ctx context.Context, _ []string) (err error) {
	out := &console{}
	root, err := repositoryRoot()
	if err != nil {
		return err
	}
	state, err := filepath.Abs(stateDir(root))
	if err != nil {
		return fmt.Errorf("STATE_DIR: %w", err)
	}
	bin := filepath.Join(root, ".local", "bin")
	logs, run := filepath.Join(state, "logs"), filepath.Join(state, "run")
	for _, dir := range []string{bin, logs, run} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make the folders of the suite: %w", err)
		}
	}
	file, err := readRunFile(filepath.Join(root, "dapr", "dapr.yaml"))
	if err != nil {
		return err
	}
	apps, err := replicate(file.Apps)
	if err != nil {
		return err
	}
	carrier, err := chooseBroker()
	if err != nil {
		return err
	}
	around, err := readDetours(apps)
	if err != nil {
		return err
	}
	databaseURL, smtpURL := os.Getenv("DATABASE_URL"), os.Getenv("SMTP_URL")
	p := ownPorts(carrier, databaseURL, smtpURL)
	// Before the lock: a second `make run` is told which port it lacks.
	if err := choosePorts(&p, apps); err != nil {
		return err
	}
	patience, cancel := context.WithTimeout(ctx, 3*time.Second)
	unlock, err := lock(patience, filepath.Join(run, "lock"))
	cancel()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return fmt.Errorf("a suite runs on %s already (set STATE_DIR and PORTS=free for another one): %w", state, err)
	}
	if err != nil {
		return fmt.Errorf("STATE_DIR %s can not be used: %w", state, err)
	}
	defer unlock()
	// What a suite that was killed has left would be taken for this one's.
	if err := removeIfThere(filepath.Join(run, "suite.json")); err != nil {
		return err
	}
	if !carrier.outside {
		carrier.Address = local.Address(p.Broker)
	}
	s := suite{
		APIURL: "http://" + local.Address(file.Apps[0].Port), StateDir: state, LogsDir: logs, RunDir: run,
		Broker: carrier, Ports: p, Services: map[string]suiteService{},
		Database: suiteDatabase{OwnerURL: databaseURL, URLs: map[string]string{}},
	}
	for _, a := range apps {
		if _, ok := a.Env["PUBLIC_URL"]; ok {
			a.Env["PUBLIC_URL"] = s.APIURL // its port may be another than in the run file
		}
	}
	keeper := &supervisor{logs: logs, run: run, say: out.say}

	// Three generations: those that start first stop last.
	var parts, sidecars, services []*child
	defer func() {
		out.say("stopping")
		stopAll(services)
		stopAll(sidecars)
		stopAll(parts)
		err = errors.Join(err, removeIfThere(filepath.Join(run, "suite.json")))
		if err == nil {
			out.say("stopped")
		}
	}()

	// The parts: what the suite uses, and would find in a cluster.
	var roles []string
	for _, a := range file.Apps {
		roles = append(roles, a.role())
	}
	passwords, err := loadSecrets(filepath.Join(run, "secrets.json"), append([]string{superuser, owner}, roles...))
	if err != nil {
		return err
	}
	if databaseURL == "" {
		postgres, err := newCluster(ctx, state, p.Postgres, passwords, out.say)
		if err != nil {
			return err
		}
		parts = append(parts, keeper.start(postgres.process()))
		if err := postgres.prepare(ctx, roles); err != nil {
			return fmt.Errorf("%w (see %s)", err, keeper.logFile("postgres"))
		}
		s.Database.OwnerURL = postgres.url(owner, database)
		for _, a := range file.Apps {
			s.Database.URLs[a.ID] = postgres.url(a.role(), database)
		}
	} else {
		urls, err := outsideURLs(ctx, databaseURL, roles, passwords)
		switch {
		case err == nil:
			out.say("using the database of DATABASE_URL, with a role for each service")
		case errors.Is(err, errMayNot):
			out.say("using the database of DATABASE_URL, with its one login for all services (%v)", err)
		default:
			return err
		}
		for _, a := range file.Apps {
			s.Database.URLs[a.ID] = databaseURL
			if u, ok := urls[a.role()]; ok {
				s.Database.URLs[a.ID] = u
			}
		}
	}
	if carrier.outside {
		out.say("using the %s broker at %s", carrier.Kind, carrier.Address)
		if err := carrier.createTopics(ctx); err != nil {
			return err
		}
	} else {
		broker, err := carrier.process(state, p.Broker, around["broker"])
		if err != nil {
			return err
		}
		parts = append(parts, keeper.start(broker))
	}
	if smtpURL == "" {
		smtpURL = "smtp://127.0.0.1:" + around.port("smtp", p.SMTP)
		s.MailDir = filepath.Join(state, "mail")
		mail, err := mailProcess(s.MailDir, p.SMTP)
		if err != nil {
			return err
		}
		parts = append(parts, keeper.start(mail))
	}

	// The binaries, the resources, the keys.
	daprd, err := findDaprd(ctx, root, bin, out.say)
	if err != nil {
		return err
	}
	if err := buildServices(ctx, root, bin, file.Apps, out.say); err != nil {
		return err
	}
	resources, config := filepath.Join(state, "resources"), filepath.Join(state, "config.yaml")
	if err := assemble(filepath.Join(root, "dapr", "components"), resources, carrier.Kind); err != nil {
		return err
	}
	if err := writeConfig(filepath.Join(root, "dapr", file.Common.ConfigFile), config, file.Apps); err != nil {
		return err
	}
	key := filepath.Join(state, "jwt.pem")
	if err := ensureSigningKey(key); err != nil {
		return err
	}
	if !carrier.outside {
		if err := waitListening(ctx, carrier.Address); err != nil {
			return fmt.Errorf("wait for the broker: %w (see %s)", err, keeper.logFile("broker"))
		}
	}

	// Their schemas, by the owner's login. The services run without it.
	processes := map[string]process{}
	for _, a := range apps {
		t := tokens{App: newToken(), Dapr: newToken()}
		s.Services[a.name()] = describe(a, t)
		brokerEnv, err := around.broker(a.name(), carrier).env()
		if err != nil {
			return err
		}
		login, err := around.url(a.name()+"-database", s.Database.URLs[a.ID])
		if err != nil {
			return err
		}
		processes[a.name()] = serviceProcess(a, filepath.Join(bin, a.ID), brokerEnv, map[string]string{
			"HOST": "127.0.0.1", "PORT": strconv.Itoa(a.Port), "METRICS_PORT": strconv.Itoa(a.MetricsPort),
			"DATABASE_URL": login, "MIGRATE_AT_START": "false",
			"DAPR_HTTP_PORT": around.port(a.name()+"-dapr-http", a.HTTPPort), "DAPR_GRPC_PORT": around.port(a.name()+"-dapr-grpc", a.GRPCPort),
			"APP_API_TOKEN": t.App, "DAPR_API_TOKEN": t.Dapr,
		}, only(a, "task-api", signingKey(key)), only(a, "notification", map[string]string{"SMTP_URL": smtpURL}))
		processes[a.name()+"-daprd"] = sidecarProcess(file, a, around.port(a.name()+"-app", a.Port), t, daprd, resources, config, brokerEnv)
	}
	if err := migrate(ctx, keeper, apps, processes, s.Database); err != nil {
		if ctx.Err() != nil {
			return nil // stopped before it was ready
		}
		return err
	}

	// The services and their sidecars.
	starting, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	var ready atomic.Bool
	for _, a := range apps {
		service := processes[a.name()]
		// A wrong setting: it would end again and again.
		service.ended = func(err error) (final bool) {
			if final = !ready.Load(); final {
				giveUp(err)
			}
			return final
		}
		services = append(services, keeper.start(service))
		sidecars = append(sidecars, keeper.start(processes[a.name()+"-daprd"]))
	}
	if err := waitReady(starting, apps, out.say); err != nil {
		if ctx.Err() != nil {
			return nil // stopped before it was ready
		}
		if cause := context.Cause(starting); cause != nil {
			return cause
		}
		return fmt.Errorf("the suite is not ready: %w (see %s)", err, logs)
	}
	ready.Store(true)
	if err := writeJSON(filepath.Join(run, "suite.json"), s); err != nil {
		return err
	}
	for _, line := range addresses(p, apps) {
		out.say("%s", line)
	}
	mail := ""
	if s.MailDir != "" { // else it goes to SMTP_URL
		mail = ", mail is in " + s.MailDir
	}
	out.say("logs are in %s%s, Ctrl-C stops everything", logs, mail)
	fmt.Printf("taskwire is ready: %s (documentation: %s/docs)\n", s.APIURL, s.APIURL)
	<-ctx.Done()
	return nil
}

// ownPorts are the ports of the parts that the suite runs itself.
func ownPorts(b broker, databaseURL, smtpURL string) ports {
	var p ports
	if databaseURL == "" {
		p.Postgres = 5433
	}
	if smtpURL == "" {
		p.SMTP = 1025
	}
	if !b.outside {
		p.Broker = 9092
		if b.Kind == "redis" {
			p.Broker = 6379
		}
	}
	return p
}

// only is what one app gets and no other.
func only(a *app, id string, set map[string]string) map[string]string {
	if a.ID != id {
		return nil
	}
	return set
}

// signingKey is the one of the environment, else the suite's own.
func signingKey(path string) map[string]string {
	for _, name := range []string{"JWT_PRIVATE_KEY", "JWT_PRIVATE_KEY_FILE"} {
		if value := os.Getenv(name); value != "" {
			return map[string]string{name: value}
		}
	}
	return map[string]string{"JWT_PRIVATE_KEY_FILE": path}
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove %s: %w", path, err)
	}
	return nil
}
