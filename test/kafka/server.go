package kafka

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/taskwire/taskwire/pkg/local"
)

const (
	startTime = 90 * time.Second
	stopTime  = 10 * time.Second
	// again is how long a broker that has died stays away.
	again = 200 * time.Millisecond
)

// Server is a broker that is kept running: one that dies is started again.
type Server struct {
	Address string // host:port

	stop  context.CancelFunc
	ended chan struct{}
}

// Start starts the Kafka of home with its data in dir. The broker's process id
// is in pidFile for as long as it runs, and its log in logFile.
func Start(ctx context.Context, home, dir, pidFile, logFile string) (*Server, error) {
	classes, err := jars(home)
	if err != nil {
		return nil, err
	}
	java := javaOf(classes)
	port, err := local.FreePort()
	if err != nil {
		return nil, err
	}
	controller, err := local.FreePort()
	if err != nil {
		return nil, err
	}
	for _, d := range []string{dir, filepath.Dir(pidFile), filepath.Dir(logFile)} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, fmt.Errorf("make the folders of Kafka: %w", err)
		}
	}
	settings := filepath.Join(dir, "server.properties")
	if err := os.WriteFile(settings, []byte(properties(dir, port, controller)), 0o600); err != nil {
		return nil, fmt.Errorf("write the settings of Kafka: %w", err)
	}
	// A folder that has been formatted stays as it is.
	format := java(ctx, "kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", "dGFza3dpcmUtdGVzdHMtMQ", "-c", settings)
	if out, err := format.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("format the folder of Kafka: %w: %s", err, out)
	}
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of Kafka: %w", err)
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	s := &Server{Address: local.Address(port), stop: stop, ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		defer log.Close()
		defer os.Remove(pidFile)
		// A child gets its death signal when the thread that started it ends.
		runtime.LockOSThread()
		for running.Err() == nil {
			keep(running, java(context.WithoutCancel(ctx), "kafka.Kafka", settings), pidFile, log)
			select {
			case <-running.Done():
			case <-time.After(again):
			}
		}
	}()
	if err := s.ready(ctx); err != nil {
		s.Stop()
		return nil, fmt.Errorf("wait for Kafka: %w (see %s)", err, logFile)
	}
	return s, nil
}

// Stop ends the broker and waits for it.
func (s *Server) Stop() {
	s.stop()
	<-s.ended
}

// keep runs a broker until it ends, or stops it when ctx does.
func keep(ctx context.Context, cmd *exec.Cmd, pidFile string, log *os.File) {
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = local.Child(syscall.SIGKILL, nil)
	if err := cmd.Start(); err != nil {
		fmt.Fprintf(log, "start Kafka: %v\n", err)
		return
	}
	if err := os.WriteFile(pidFile, []byte(strconv.Itoa(cmd.Process.Pid)+"\n"), 0o644); err != nil {
		fmt.Fprintf(log, "write the pid of Kafka: %v\n", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		fmt.Fprintf(log, "Kafka ended: %v\n", err)
		return
	case <-ctx.Done():
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-ended:
	case <-time.After(stopTime):
		_ = cmd.Process.Kill()
		<-ended
	}
}

// ready returns when the broker answers.
func (s *Server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Address))
	if err != nil {
		return err
	}
	defer client.Close()
	for {
		trying, stop := context.WithTimeout(ctx, 2*time.Second)
		err := client.Ping(trying)
		stop()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// javaOf runs the classes of Kafka with the memory that a test needs.
func javaOf(classes string) func(ctx context.Context, class string, args ...string) *exec.Cmd {
	java := "java"
	if home := os.Getenv("JAVA_HOME"); home != "" {
		java = filepath.Join(home, "bin", "java")
	}
	return func(ctx context.Context, class string, args ...string) *exec.Cmd {
		return exec.CommandContext(ctx, java, append([]string{"-Xmx512m", "-XX:+UseSerialGC", "-cp", classes, class}, args...)...)
	}
}

// properties are the settings of one node that is broker and controller.
func properties(dir string, port, controller int) string {
	return strings.Join([]string{
		"process.roles=broker,controller",
		"node.id=1",
		"controller.quorum.voters=1@" + local.Address(controller),
		"controller.listener.names=CONTROLLER",
		"listeners=PLAINTEXT://" + local.Address(port) + ",CONTROLLER://" + local.Address(controller),
		"advertised.listeners=PLAINTEXT://" + local.Address(port),
		"listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
		"log.dirs=" + filepath.Join(dir, "data"),
		"auto.create.topics.enable=false",
		// Above what the suite publishes, so that it can be shown what others may.
		"message.max.bytes=8388608",
		"group.initial.rebalance.delay.ms=0",
		// A broker that was killed is let in again when its session has ended.
		"broker.session.timeout.ms=2000",
		"broker.heartbeat.interval.ms=500",
		"group.min.session.timeout.ms=1000",
		// One node has one copy of everything.
		"offsets.topic.replication.factor=1",
		"offsets.topic.num.partitions=4",
		"transaction.state.log.replication.factor=1",
		"transaction.state.log.min.isr=1",
		"transaction.state.log.num.partitions=4",
		"share.coordinator.state.topic.replication.factor=1",
		"share.coordinator.state.topic.min.isr=1",
		"share.coordinator.state.topic.num.partitions=4",
		"",
	}, "\n")
}
