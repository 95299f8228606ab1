package service

import (
	"bytes"
	"context"
	"flag"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/database/databasetest"
)

func TestMain(m *testing.M) { os.Exit(databasetest.Main(m)) }

func program(run func(context.Context, testSettings, Base, []string) error) Program[testSettings] {
	return Program[testSettings]{Name: "test", Commands: []Command[testSettings]{
		{Name: "mend", Help: "mend what is broken", Usage: "test mend [--all]", Run: run},
	}}
}

func TestHelpListsTheCommands(t *testing.T) {
	p := program(nil)
	for _, name := range []string{"", "unheard-of"} {
		var out bytes.Buffer
		require.NoError(t, p.help(&out, name))
		for _, want := range []string{"serve", "migrate", "mend", "mend what is broken"} {
			require.Contains(t, out.String(), want)
		}
	}
	var out bytes.Buffer
	require.NoError(t, p.help(&out, "mend"))
	require.Contains(t, out.String(), "test mend [--all]")

	require.ErrorContains(t, p.run(t.Context(), []string{"mand"}), `unknown command "mand"`)
	require.ErrorContains(t, p.run(t.Context(), []string{"mand"}), "mend what is broken")
	require.NoError(t, p.run(t.Context(), []string{"mend", "--help"}), "without any setting")
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
	require.ErrorContains(t, program(nil).run(t.Context(), []string{"health"}), "PORT")
	t.Setenv("PORT", port)
	require.NoError(t, program(nil).run(t.Context(), []string{"health"}))
	status = http.StatusServiceUnavailable
	require.ErrorContains(t, program(nil).run(t.Context(), []string{"health"}), "not ready")
	server.Close()
	require.Error(t, program(nil).run(t.Context(), []string{"health"}), "nobody is there")
}

// A command works on the schema as it is: the database here has none.
func TestACommandDoesNotMigrate(t *testing.T) {
	t.Setenv("PORT", "8000")
	t.Setenv("DATABASE_URL", databasetest.New(t))
	t.Setenv("APP_API_TOKEN", "t")
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
	require.NoError(t, p.run(t.Context(), []string{"mend", "7", "--all"}))
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
			t.Setenv("APP_API_TOKEN", "t")
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
			require.NoError(t, p.run(t.Context(), nil))
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
