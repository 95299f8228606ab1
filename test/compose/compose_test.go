// Package compose holds docker-compose.yml against the table of settings, and
// against what is said elsewhere about the same parts.
package compose

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/template"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/taskwire/taskwire/test/manifests"
	"github.com/taskwire/taskwire/test/services"
	"github.com/taskwire/taskwire/test/settings"
)

// names are those of the services.
var names = func() []string {
	all, err := services.Read(manifests.Root)
	if err != nil {
		panic(err)
	}
	return services.IDs(all)
}()

// load reads the compose file in a folder as docker compose does.
func load(t *testing.T, dir string, env ...string) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{filepath.Join(dir, "docker-compose.yml")},
		cli.WithWorkingDirectory(dir), cli.WithEnv(env), cli.WithResolvedPaths(true))
	require.NoError(t, err)
	project, err := options.LoadProject(t.Context())
	require.NoError(t, err)
	project, err = project.WithServicesEnvironmentResolved(true)
	require.NoError(t, err)
	return project
}

// copied is a folder with the compose files, for which secrets.sh has been run.
var copied = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "taskwire-compose-")
	if err != nil {
		return "", err
	}
	for _, part := range []string{"compose", "dapr", "k8s/observability", "k8s/components/postgres"} {
		if err := os.CopyFS(filepath.Join(dir, part), os.DirFS(filepath.Join(manifests.Root, part))); err != nil {
			return dir, err
		}
	}
	file, err := os.ReadFile(filepath.Join(manifests.Root, "docker-compose.yml"))
	if err != nil {
		return dir, err
	}
	if err := os.WriteFile(filepath.Join(dir, "docker-compose.yml"), file, 0o600); err != nil {
		return dir, err
	}
	return dir, makeSecrets(dir)
})

func makeSecrets(dir string) error {
	out, err := exec.Command("bash", filepath.Join(dir, "compose", "secrets.sh")).CombinedOutput()
	if err != nil {
		return fmt.Errorf("secrets.sh: %w: %s", err, out)
	}
	return nil
}

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, _ := copied(); dir != "" {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// withSecrets is what docker compose makes of the file once there are secrets.
func withSecrets(t *testing.T) *types.Project {
	t.Helper()
	dir, err := copied()
	require.NoError(t, err)
	return load(t, dir)
}

// contents are the files below a folder.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	files, err := fs.Glob(os.DirFS(dir), "*")
	require.NoError(t, err)
	for _, name := range files {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			maps.Copy(all, contents(t, path))
			continue
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		all[path] = string(text)
	}
	return all
}

// A database keeps the passwords that it was made with. Certificates and
// identities alone are made anew where their folder has gone.
func TestSecretsAreMadeOnce(t *testing.T) {
	dir := t.TempDir()
	for _, part := range []string{"compose", "dapr"} {
		require.NoError(t, os.CopyFS(filepath.Join(dir, part), os.DirFS(filepath.Join(manifests.Root, part))))
	}
	secrets := filepath.Join(dir, ".local", "compose")
	require.NoError(t, makeSecrets(dir))
	before := contents(t, secrets)
	require.NoError(t, makeSecrets(dir))
	require.Equal(t, before, contents(t, secrets), "the second run changes nothing")

	require.NoError(t, os.RemoveAll(filepath.Join(secrets, "identity")))
	require.NoError(t, makeSecrets(dir))
	after := contents(t, secrets)
	require.Len(t, after, len(before))
	for path, text := range after {
		require.Equal(t, !strings.Contains(path, "/identity/"), text == before[path], path)
	}
	// Containers read what is in there as other accounts than the one of this machine.
	info, err := os.Stat(secrets)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	for path := range after {
		info, err := os.Stat(path)
		require.NoError(t, err)
		if strings.Contains(path, "/identity/") {
			require.Equal(t, os.FileMode(0o644), info.Mode().Perm(), path)
		} else {
			require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), path)
		}
		require.NotContains(t, path, "root.key", "nobody signs another issuer")
		require.NotContains(t, path, "tokens.key", "nobody signs another token")
	}
}

func TestTheFileIsCleanBeforeThereAreSecrets(t *testing.T) {
	root, err := filepath.Abs(manifests.Root)
	require.NoError(t, err)
	for _, broker := range []string{"kafka", "redis"} {
		project := load(t, root, "BROKER="+broker)
		for name, s := range project.Services {
			for _, v := range s.Volumes {
				if v.Type == types.VolumeTypeBind {
					// Docker would make a folder of its own where secrets.sh makes one.
					secret := strings.Contains(v.Source, "/.local/")
					if !secret {
						_, err := os.Stat(v.Source)
						require.NoError(t, err, "%s mounts it", name)
					}
					require.Equal(t, !secret, bool(v.Bind.CreateHostPath), "%s: %s", name, v.Source)
					require.True(t, v.ReadOnly, "%s: %s", name, v.Source)
				}
			}
		}
	}
	t.Run("for docker compose itself", func(t *testing.T) {
		if exec.CommandContext(t.Context(), "docker", "compose", "version").Run() != nil {
			t.Skip("no docker compose here: the file was read by its library alone")
		}
		cmd := exec.CommandContext(t.Context(), "docker", "compose", "config", "--quiet")
		cmd.Dir = root
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Empty(t, string(out), "not a warning")
	})
}

// docs/settings.md is the one list.
func TestEachServiceGetsItsSettings(t *testing.T) {
	project := withSecrets(t)
	for _, name := range names {
		known := settings.Of(t, name)
		for container, migrates := range map[string]bool{name: false, name + "-migrate": true} {
			s := project.Services[container]
			for variable, value := range s.Environment {
				_, ok := known[variable]
				require.True(t, ok || strings.HasPrefix(variable, "OTEL_"), "%s has no setting %s", name, variable)
				require.NotNil(t, value, variable)
			}
			require.Empty(t, settings.Missing(known, func(variable string) bool {
				value := s.Environment[variable]
				return value != nil && *value != ""
			}), container)
			require.Equal(t, migrates, s.Environment["MIGRATE_DATABASE_URL"] != nil, "%s: the owner's login is for migrations", container)
		}
		sidecar := project.Services[name+"-sidecar"]
		for _, token := range []string{"APP_API_TOKEN", "DAPR_API_TOKEN"} {
			require.NotEmpty(t, sidecar.Environment[token])
			require.Equal(t, *project.Services[name].Environment[token], *sidecar.Environment[token], "%s of %s", token, name)
		}
		require.NotContains(t, sidecar.Environment, "DATABASE_URL")
	}
	block, _ := pem.Decode([]byte(*project.Services["task-api"].Environment["JWT_PRIVATE_KEY"]))
	require.NotNil(t, block, "the key survives the format of the file")
	_, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	require.NoError(t, err)
	// The database makes the logins that the services have.
	for _, name := range names {
		role := strings.ReplaceAll(name, "-", "_")
		password := project.Services["postgres"].Environment[strings.ToUpper(role)+"_PASSWORD"]
		require.NotNil(t, password)
		require.Contains(t, *project.Services[name].Environment["DATABASE_URL"], "//"+role+":"+*password+"@postgres:5432/")
	}
}

// The file itself has no secret, and no default for one.
func TestNoSecretIsInTheFile(t *testing.T) {
	root, err := filepath.Abs(manifests.Root)
	require.NoError(t, err)
	raw, err := os.ReadFile(filepath.Join(root, "docker-compose.yml"))
	require.NoError(t, err)
	var file struct {
		Services map[string]struct {
			Environment map[string]string `yaml:"environment"`
		}
	}
	require.NoError(t, yaml.Unmarshal(raw, &file))
	for name, s := range file.Services {
		secret := map[string]bool{}
		for _, of := range names {
			for variable, setting := range settings.Of(t, of) {
				secret[variable] = setting.Secret
			}
		}
		for variable, value := range s.Environment {
			if variable == "SMTP_URL" {
				require.NotContains(t, value, "@", "the mail catcher asks for no password")
				continue
			}
			require.False(t, secret[variable], "%s: %s", name, variable)
			require.NotRegexp(t, `(?i)(password|secret|token)$`, variable, name)
		}
	}
}

func TestNothingIsReachableFromOutside(t *testing.T) {
	project := withSecrets(t)
	var published []string
	for name, s := range project.Services {
		for _, p := range s.Ports {
			require.Equal(t, "127.0.0.1", p.HostIP, name)
			published = append(published, name)
		}
		// Not the host's, and not that of another container: that one goes when
		// its container is restarted, and whoever shared it is left without any.
		require.Empty(t, s.NetworkMode, name)
		require.False(t, s.Privileged, name)
		require.Contains(t, s.SecurityOpt, "no-new-privileges:true", name)
		_, door := s.Networks["door"]
		require.Equal(t, len(s.Ports) > 0, door, name)
	}
	slices.Sort(published)
	require.Equal(t, []string{"grafana", "mail", "task-api"}, published)
	for name, network := range project.Networks {
		require.Equal(t, name != "door", network.Internal, name)
	}
}

// together says whether two containers are on a network with each other.
func together(project *types.Project, a, b string) bool {
	for network := range project.Services[a].Networks {
		if _, ok := project.Services[b].Networks[network]; ok {
			return true
		}
	}
	return false
}

// words are a container's entrypoint and command.
func words(s types.ServiceConfig) []string {
	return append(slices.Clone(s.Entrypoint), s.Command...)
}

// flag is the value of --name=value in a container's command.
func flag(t *testing.T, s types.ServiceConfig, name string) string {
	t.Helper()
	for _, word := range words(s) {
		if value, ok := strings.CutPrefix(word, "--"+name+"="); ok {
			return value
		}
	}
	t.Fatalf("%s has no --%s", s.Name, name)
	return ""
}

// A service and its sidecar name each other, on a network that both are on, and
// mean the same ports.
func TestServicesAndSidecarsFindEachOther(t *testing.T) {
	project := withSecrets(t)
	var file struct {
		Spec struct {
			NameResolution struct {
				Configuration struct{ Template string }
			} `yaml:"nameResolution"`
		}
	}
	raw, err := os.ReadFile(filepath.Join(manifests.Root, "compose/dapr.yaml"))
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(raw, &file))
	resolve, err := template.New("").Parse(file.Spec.NameResolution.Configuration.Template)
	require.NoError(t, err)
	// What is not given is as docs/settings.md says.
	port := func(name, variable string) string {
		if value := project.Services[name].Environment[variable]; value != nil {
			return *value
		}
		return settings.Of(t, name)[variable].Default
	}
	for _, name := range names {
		service := project.Services[name]
		host := *service.Environment["DAPR_HOST"]
		sidecar, ok := project.Services[host]
		require.True(t, ok, "DAPR_HOST of %s: %s", name, host)
		require.True(t, together(project, name, host), "%s and %s", name, host)
		require.Equal(t, name, flag(t, sidecar, "app-id"))
		require.Equal(t, name, flag(t, sidecar, "app-channel-address"))
		require.Equal(t, port(name, "PORT"), flag(t, sidecar, "app-port"))
		require.Equal(t, port(name, "DAPR_HTTP_PORT"), flag(t, sidecar, "dapr-http-port"))
		require.Equal(t, port(name, "DAPR_GRPC_PORT"), flag(t, sidecar, "dapr-grpc-port"))
		require.Equal(t, "0.0.0.0", *service.Environment["HOST"], name)
		require.Equal(t, "0.0.0.0", flag(t, sidecar, "dapr-listen-addresses"), name)

		var address strings.Builder
		require.NoError(t, resolve.Execute(&address, struct{ ID string }{name}))
		require.Equal(t, host+":"+flag(t, sidecar, "dapr-internal-grpc-port"), address.String())
		for _, other := range names {
			require.True(t, together(project, host, other+"-sidecar"), "%s and that of %s", host, other)
		}
	}
}

// Who holds a sidecar's token speaks for its service, and its fellows ask for
// none: on a network with it is nobody who has no business there.
func TestNobodyElseReachesASidecar(t *testing.T) {
	project := withSecrets(t)
	for _, name := range names {
		admitted := []string{name, "kafka", "prometheus", "redis", "sentry"}
		if name == "task-api" {
			admitted = append(admitted, "task-api-migrate")
		}
		for _, other := range names {
			admitted = append(admitted, other+"-sidecar")
		}
		var near []string
		for other := range project.Services {
			if together(project, name+"-sidecar", other) {
				near = append(near, other)
			}
		}
		require.ElementsMatch(t, admitted, near, name)
	}
	var near []string
	for other := range project.Services {
		if together(project, "sentry", other) {
			near = append(near, strings.TrimSuffix(other, "-sidecar"))
		}
	}
	require.ElementsMatch(t, append([]string{"sentry"}, names...), near)
}

// A sidecar lets the others do what it lets them do on Kubernetes. Only the trust
// domain differs, since a sidecar outside Kubernetes can not ask for another.
func TestAccessIsThatOfKubernetes(t *testing.T) {
	type configuration struct {
		Metadata struct{ Name string }
		Spec     map[string]any
	}
	raw, err := os.ReadFile(filepath.Join(manifests.Root, "k8s/base/sidecars.yaml"))
	require.NoError(t, err)
	there := map[string]configuration{}
	documents := yaml.NewDecoder(strings.NewReader(strings.ReplaceAll(string(raw), "trustDomain: taskwire", "trustDomain: public")))
	for {
		var c configuration
		err := documents.Decode(&c)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		there[c.Metadata.Name] = c
	}
	project := withSecrets(t)
	for _, name := range names {
		deployment, err := os.ReadFile(filepath.Join(manifests.Root, "k8s/base", name+".yaml"))
		require.NoError(t, err)
		chosen := regexp.MustCompile(`(?m)^ +dapr.io/config: (.+)$`).FindSubmatch(deployment)
		require.NotNil(t, chosen, name)
		var here configuration
		sidecar := project.Services[name+"-sidecar"]
		require.Contains(t, words(sidecar), "--enable-mtls")
		require.Contains(t, words(sidecar), "--config=/dapr/access.yaml")
		require.Len(t, sidecar.Configs, 1)
		require.Equal(t, "/dapr/access.yaml", sidecar.Configs[0].Target)
		raw, err := os.ReadFile(project.Configs[sidecar.Configs[0].Source].File)
		require.NoError(t, err)
		require.NoError(t, yaml.Unmarshal(raw, &here))
		require.Equal(t, there[string(chosen[1])], here)
		require.Equal(t, "deny", here.Spec["accessControl"].(map[string]any)["defaultAction"])
		// Its own token, and nobody else's.
		require.Len(t, sidecar.Secrets, 1)
		require.Equal(t, name+".token", filepath.Base(project.Secrets[sidecar.Secrets[0].Source].File))
	}
}

// What a container is told to speak to is on a network with it.
func TestWhatIsNamedIsReached(t *testing.T) {
	project := withSecrets(t)
	for name, s := range project.Services {
		told := words(s)
		for _, value := range s.Environment {
			if value != nil {
				told = append(told, *value)
			}
		}
		for _, v := range s.Volumes {
			if v.Type == types.VolumeTypeBind && strings.HasSuffix(v.Source, ".yaml") && filepath.Base(filepath.Dir(v.Source)) == "compose" {
				text, err := os.ReadFile(v.Source)
				require.NoError(t, err)
				told = append(told, string(text))
			}
		}
		for other, o := range project.Services {
			address := regexp.MustCompile(`(?m)(^|[@/" ])` + other + `:[0-9]+`)
			if address.MatchString(strings.Join(told, "\n")) {
				require.True(t, together(project, name, other), "%s speaks to %s (%v)", name, other, o.NetworksByPriority())
			}
		}
	}
	require.True(t, together(project, "grafana", "prometheus"))
	require.True(t, together(project, "grafana", "tempo"))
	// Its --replay publishes.
	require.True(t, together(project, "task-api-migrate", *project.Services["task-api-migrate"].Environment["DAPR_HOST"]))
}

// unasked are without a client in their image, or without anything to ask for.
var unasked = map[string]bool{"collector": true, "reconcile": true, "sentry": true}

func TestPartsStartInTheirOrder(t *testing.T) {
	project := withSecrets(t)
	pinned := regexp.MustCompile(`^[a-z0-9./-]+:v?[0-9][0-9A-Za-z.-]*(@sha256:[0-9a-f]{64})?$`)
	for name, s := range project.Services {
		ours := strings.HasPrefix(s.Image, "ghcr.io/taskwire/")
		require.True(t, ours || pinned.MatchString(s.Image), "%s: %s is no version", name, s.Image)
		ends := strings.HasSuffix(name, "-migrate")
		if !ends && !unasked[name] {
			require.NotNil(t, s.HealthCheck, name)
		}
		for on, dependency := range s.DependsOn {
			need := types.ServiceConditionHealthy
			switch {
			case strings.HasSuffix(on, "-migrate"):
				need = types.ServiceConditionCompletedSuccessfully
			case unasked[on] || strings.HasSuffix(name, "-sidecar") && slices.Contains(names, on):
				need = types.ServiceConditionStarted
			}
			require.Equal(t, need, dependency.Condition, "%s on %s", name, on)
		}
	}
	for _, name := range names {
		require.Contains(t, project.Services[name].DependsOn, name+"-migrate")
		require.Contains(t, project.Services[name+"-migrate"].DependsOn, "postgres")
		for _, broker := range []string{"kafka", "redis"} {
			require.Contains(t, project.Services[name+"-sidecar"].DependsOn, broker)
		}
	}
}

// The sidecars are told the same as those of `make run`.
func TestTheSidecarsAreThoseOfTheLocalSuite(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(manifests.Root, "dapr/dapr.yaml"))
	require.NoError(t, err)
	var run struct {
		Common struct {
			Path      string `yaml:"appHealthCheckPath"`
			Interval  string `yaml:"appHealthProbeInterval"`
			Timeout   string `yaml:"appHealthProbeTimeout"`
			Threshold string `yaml:"appHealthThreshold"`
			Buffer    string `yaml:"readBufferSize"`
		}
		Apps []struct {
			AppID   string `yaml:"appID"`
			AppPort string `yaml:"appPort"`
		}
	}
	require.NoError(t, yaml.Unmarshal(raw, &run))
	require.Len(t, run.Apps, len(names))
	modules, err := os.ReadFile(filepath.Join(manifests.Root, "dapr/runtime/go.mod"))
	require.NoError(t, err)
	version := regexp.MustCompile(`github.com/dapr/dapr v([0-9.]+)`).FindSubmatch(modules)
	require.NotNil(t, version)
	project := withSecrets(t)
	for _, app := range run.Apps {
		sidecar := project.Services[app.AppID+"-sidecar"]
		tag := func(image string) string { tag, _, _ := strings.Cut(image, "@"); return tag }
		require.Equal(t, "daprio/daprd:"+string(version[1]), tag(sidecar.Image))
		require.Equal(t, "daprio/sentry:"+string(version[1]), tag(project.Services["sentry"].Image))
		for _, flag := range []string{
			"--app-id=" + app.AppID, "--app-port=" + app.AppPort, "--enable-app-health-check",
			"--app-health-check-path=" + run.Common.Path, "--app-health-probe-interval=" + run.Common.Interval,
			"--app-health-probe-timeout=" + run.Common.Timeout, "--app-health-threshold=" + run.Common.Threshold,
			"--read-buffer-size=" + run.Common.Buffer,
		} {
			require.Contains(t, words(sidecar), flag)
		}
		require.Equal(t, app.AppPort, *project.Services[app.AppID].Environment["PORT"])
	}
}

// Each service and its sidecar, by its name.
func TestPrometheusScrapesEveryService(t *testing.T) {
	project := withSecrets(t)
	var listed []struct{ Targets []string }
	require.NoError(t, yaml.Unmarshal([]byte(project.Configs["scraped"].Content), &listed))
	require.Len(t, listed, 1)
	require.Equal(t, names, listed[0].Targets)
	mounted := project.Services["prometheus"].Configs
	require.Len(t, mounted, 1)

	raw, err := os.ReadFile(filepath.Join(manifests.Root, "compose/prometheus.yaml"))
	require.NoError(t, err)
	var file struct {
		ScrapeConfigs []struct {
			JobName        string                     `yaml:"job_name"`
			FileSDConfigs  []struct{ Files []string } `yaml:"file_sd_configs"`
			RelabelConfigs []struct {
				SourceLabels []string `yaml:"source_labels"`
				TargetLabel  string   `yaml:"target_label"`
				Replacement  string
			} `yaml:"relabel_configs"`
		} `yaml:"scrape_configs"`
	}
	require.NoError(t, yaml.Unmarshal(raw, &file))
	addresses := map[string]string{}
	for _, job := range file.ScrapeConfigs {
		require.Equal(t, []string{mounted[0].Target}, job.FileSDConfigs[0].Files)
		require.Len(t, job.RelabelConfigs, 2)
		require.Equal(t, "service", job.RelabelConfigs[0].TargetLabel)
		require.Equal(t, []string{"__address__"}, job.RelabelConfigs[0].SourceLabels)
		require.Equal(t, []string{"service"}, job.RelabelConfigs[1].SourceLabels)
		require.Equal(t, "__address__", job.RelabelConfigs[1].TargetLabel)
		addresses[job.JobName] = job.RelabelConfigs[1].Replacement
	}
	for _, name := range names {
		port := *project.Services[name].Environment["METRICS_PORT"]
		require.Equal(t, name+":"+port, strings.ReplaceAll(addresses["taskwire"], "$1", name))
		require.Equal(t, name+"-sidecar:9090", strings.ReplaceAll(addresses["taskwire-sidecars"], "$1", name))
	}
}
