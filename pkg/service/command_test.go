package service

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/pkg/telemetry/metrictest"
)

func TestMain(m *testing.M) { os.Exit(databasetest.Main(m)) }

const token = "what the sidecar says"

func program(work func(context.Context, testSettings, Base, []string) error) Program[testSettings] {
	return Program[testSettings]{Name: "test", Commands: []Command[testSettings]{
		{Name: "mend", Help: "mend what is broken", Usage: "test mend [--all]", Parse: func(settings testSettings, args []string) (Work, error) {
			if slices.Contains(args, "--nothing") {
				return nil, errors.New("mend: there is no --nothing")
			}
			return func(ctx context.Context, base Base) error { return work(ctx, settings, base, args) }, nil
		}},
	}}
}

// told runs the program and returns what it answers and the code that it ends with.
func (p Program[S]) told(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := p.run(t.Context(), &out, args)
	return out.String(), err
}

// None of it needs a setting, a database, or does what it is asked about.
func TestEveryCommandSaysHowItIsCalled(t *testing.T) {
	p := program(nil)
	list, err := p.told(t, "help")
	require.NoError(t, err)
	for _, c := range p.commands() {
		require.Contains(t, list, c.Help)
		for _, args := range [][]string{{"help", c.Name}, {c.Name, "--help"}, {c.Name, "-h"}, {c.Name, "more", "-help"}} {
			said, err := p.told(t, args...)
			require.NoError(t, err, "%q", args)
			require.Contains(t, said, "test "+c.Name, "%q", args)
			require.Contains(t, said, c.Help, "%q", args)
		}
	}
	for _, args := range [][]string{{"--help"}, {"-h"}, {"-help"}} {
		said, err := p.told(t, args...)
		require.NoError(t, err)
		require.Equal(t, list, said)
	}
	require.Contains(t, list, "ends with 0")
}

func TestAMistakeOfTheCallerIsSaidAndDoesNothing(t *testing.T) {
	t.Setenv("PORT", "8000")
	t.Setenv("DATABASE_URL", "postgres://127.0.0.1:1/none")
	t.Setenv("APP_API_TOKEN", token)
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"mand"}, `there is no command "mand"; see "test help"`},
		{[]string{"--all"}, `there is no command "--all"`},
		{[]string{"help", "mand"}, `there is no command "mand"`},
		{[]string{"help", "mend", "serve"}, "help takes the name of one command"},
		{[]string{"serve", "now"}, "serve takes no argument now"},
		{[]string{"migrate", "--force"}, "migrate takes no argument --force"},
		{[]string{"health", "8000"}, "health takes no argument"},
		{[]string{"config", "PORT"}, "config takes no argument"},
		{[]string{"version", "2"}, "version takes no argument"},
		{[]string{"mend", "--nothing"}, `mend: there is no --nothing; see "test mend --help"`},
	} {
		said, err := program(nil).told(t, c.args...)
		require.ErrorContains(t, err, c.says)
		require.Equal(t, 2, exitCode(err), "%q", c.args)
		require.Empty(t, said)
	}
	t.Setenv("PORT", "")
	_, err := program(nil).told(t, "migrate")
	require.Equal(t, 2, exitCode(err), "a wrong setting is the caller's mistake, too: %v", err)
	t.Setenv("PORT", "8000")
	_, err = program(nil).told(t, "migrate")
	require.Equal(t, 1, exitCode(err), "a database that is away is not: %v", err)
}

func TestTheVersionIsTold(t *testing.T) {
	for _, args := range [][]string{{"version"}, {"--version"}} {
		said, err := program(nil).told(t, args...)
		require.NoError(t, err)
		require.Equal(t, "test "+Version()+" "+runtime.Version()+" "+runtime.GOOS+"/"+runtime.GOARCH+"\n", said)
	}
	showBuild("test")
	labels := map[string]string{}
	for _, l := range metrictest.Of(t, "taskwire_build_info")[0].GetLabel() {
		labels[l.GetName()] = l.GetValue()
	}
	require.Equal(t, map[string]string{"service": "test", "version": Version(), "goversion": runtime.Version()}, labels)
}

func TestTheSettingsInForceAreShownWithoutSecrets(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte(token+"\n"), 0o600))
	t.Setenv("PORT", "8000")
	t.Setenv("DATABASE_URL", "postgres://shop:hunter2@db/shop?sslmode=disable")
	t.Setenv("APP_API_TOKEN_FILE", file)
	t.Setenv("LOG_LEVEL", "")
	said, err := program(nil).told(t, "config")
	require.NoError(t, err)
	lines := map[string]string{}
	for line := range strings.Lines(said) {
		name, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		lines[name] = strings.Join(strings.Fields(rest), " ")
	}
	for name, want := range map[string]string{ //nolint:gosec // nobody's password
		"PORT":                        "8000 environment",
		"DATABASE_URL":                "postgres://shop:xxxxx@db/shop?sslmode=disable environment",
		"APP_API_TOKEN":               "xxxxx " + file,
		"DAPR_API_TOKEN":              "(not set)",
		"LOG_LEVEL":                   "info default",
		"TEST_WAIT":                   "1s default",
		"OTEL_EXPORTER_OTLP_ENDPOINT": "(not set)",
	} {
		require.Equal(t, want, lines[name], name)
	}
	require.NotContains(t, said, token)
	require.NotContains(t, said, "hunter2")
}

// What a container asks itself knows the service's port alone, not its secrets.
func TestHealthAsksTheServiceThatRunsBeside(t *testing.T) {
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		require.Equal(t, "/readyz", r.URL.Path)
		w.WriteHeader(status)
	}))
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	require.NoError(t, err)
	_, err = program(nil).told(t, "health")
	require.ErrorContains(t, err, "PORT is not set; it must be a whole number from 0 to 65535")
	require.Equal(t, 2, exitCode(err))
	t.Setenv("PORT", port)
	_, err = program(nil).told(t, "health")
	require.NoError(t, err)
	status = http.StatusServiceUnavailable
	_, err = program(nil).told(t, "health")
	require.ErrorContains(t, err, "not ready")
	require.Equal(t, 1, exitCode(err))
	server.Close()
	_, err = program(nil).told(t, "health")
	require.Error(t, err, "nobody is there")
}

// A command works on the schema as it is: the database here has none.
func TestACommandDoesNotMigrate(t *testing.T) {
	t.Setenv("PORT", "8000")
	t.Setenv("DATABASE_URL", databasetest.New(t))
	t.Setenv("APP_API_TOKEN", token)
	usual := slog.Default()
	t.Cleanup(func() { slog.SetDefault(usual) })
	var got []string
	p := program(func(ctx context.Context, s testSettings, b Base, args []string) error {
		got = args
		var schemas int
		require.NoError(t, b.DB.NewRaw("SELECT count(*) FROM pg_namespace WHERE nspname = 'shop'").Scan(ctx, &schemas))
		require.Zero(t, schemas)
		require.Equal(t, 8000, s.Port)
		return nil
	})
	p.Schema.Name = "shop"
	_, err := p.told(t, "mend", "7", "--all")
	require.NoError(t, err)
	require.Equal(t, []string{"7", "--all"}, got)
}

// Where an init container migrates, the service's own login may not: serving
// leaves the schema alone.
func TestServingMigratesUnlessItIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		migrates string
		schemas  int
	}{
		"unless told": {"true", 1},
		"when told":   {"false", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("PORT", "8000")
			t.Setenv("DATABASE_URL", databasetest.New(t))
			t.Setenv("APP_API_TOKEN", token)
			t.Setenv("MIGRATE_AT_START", c.migrates)
			usual := slog.Default()
			t.Cleanup(func() { slog.SetDefault(usual) })
			p := Program[testSettings]{Name: "test", Serve: func(ctx context.Context, _ testSettings, b Base) error {
				var schemas int
				require.NoError(t, b.DB.NewRaw("SELECT count(*) FROM pg_namespace WHERE nspname = 'shop'").Scan(ctx, &schemas))
				require.Equal(t, c.schemas, schemas)
				return nil
			}}
			p.Schema.Name, p.Schema.Files = "shop", fstest.MapFS{"0001_goods.tx.up.sql": {Data: []byte("CREATE TABLE shop.goods (id int)")}}
			logged, err := p.told(t)
			require.NoError(t, err)
			first, _, _ := strings.Cut(logged, "\n")
			require.Contains(t, first, "msg=starting service=test command=serve version="+Version()+" go="+runtime.Version())
		})
	}
}

func TestFlagsMayStandAnywhere(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		rest []string
		all  bool
		fail string
	}{
		"before":         {[]string{"--all", "1", "2"}, []string{"1", "2"}, true, ""},
		"between":        {[]string{"1", "-all", "2"}, []string{"1", "2"}, true, ""},
		"behind":         {[]string{"1", "2", "--all"}, []string{"1", "2"}, true, ""},
		"none":           {nil, nil, false, ""},
		"after --":       {[]string{"1", "--", "--all"}, []string{"1", "--all"}, false, ""},
		"one not known":  {[]string{"1", "--none"}, nil, false, "none"},
		"one as it's no": {[]string{"--all=perhaps"}, nil, false, "perhaps"},
	} {
		t.Run(name, func(t *testing.T) {
			flags := flag.NewFlagSet("mend", flag.ContinueOnError)
			all := flags.Bool("all", false, "")
			rest, err := ParseFlags(flags, c.args)
			if c.fail != "" {
				require.ErrorContains(t, err, c.fail)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.rest, rest)
			require.Equal(t, c.all, *all)
		})
	}
}
