package compose

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	common "github.com/dapr/dapr/pkg/proto/common/v1"
	internals "github.com/dapr/dapr/pkg/proto/internals/v1"
	sentry "github.com/dapr/dapr/pkg/proto/sentry/v1"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/taskwire/taskwire/test/manifests"
)

// machine is what docker compose would start, as processes: a container is an
// address of loopback, and its files are in a folder. Commands, settings, files
// and secrets are those of the compose file; only names become addresses.
type machine struct {
	project  *types.Project
	dir      string
	network  string // 127.x.y.
	programs map[string]string
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux gives each container an address of loopback")
	}
	if testing.Short() {
		t.Skip("it may have to build Dapr")
	}
	m := &machine{
		project: withSecrets(t), dir: t.TempDir(), programs: map[string]string{},
		network: fmt.Sprintf("127.%d.%d.", 1+mathrand.IntN(254), mathrand.IntN(256)),
	}
	local := filepath.Join(m.dir, "local")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", local, "./dapr/local")
	build.Dir = manifests.Root
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	find := exec.CommandContext(t.Context(), local, "programs")
	find.Dir, find.Stderr = manifests.Root, os.Stderr
	out, err = find.Output()
	require.NoError(t, err)
	paths := strings.Fields(string(out))
	require.Len(t, paths, 2)
	m.programs["./daprd"], m.programs["./sentry"], m.programs["local"] = paths[0], paths[1], local
	return m
}

// address is that of a container.
func (m *machine) address(container string) string {
	containers := m.project.ServiceNames()
	slices.Sort(containers)
	return m.network + fmt.Sprint(1+slices.Index(containers, container))
}

// translated has addresses in the place of names, and the paths of this machine.
func (m *machine) translated(container, text string) string {
	for name := range m.project.Services {
		text = regexp.MustCompile(`(^|[=/@,])`+name+`(:[0-9])`).ReplaceAllString(text, "${1}"+m.address(name)+"${2}")
		if text == "--app-channel-address="+name {
			text = "--app-channel-address=" + m.address(name)
		}
	}
	text = strings.ReplaceAll(text, "0.0.0.0", m.address(container))
	return regexp.MustCompile(`(^|=|: )(/(?:dapr|etc|var/run|run/secrets)/)`).ReplaceAllString(text, "${1}"+filepath.Join(m.dir, container)+"${2}")
}

// mount copies to the container's folder what the container would find.
func (m *machine) mount(t *testing.T, container string) {
	t.Helper()
	place := func(source, target string) {
		target = filepath.Join(m.dir, container, target)
		if info, err := os.Stat(source); err == nil && info.IsDir() {
			require.NoError(t, os.CopyFS(target, os.DirFS(source)))
			return
		}
		text, err := os.ReadFile(source)
		require.NoError(t, err)
		lines := strings.Split(string(text), "\n")
		for i := range lines {
			lines[i] = m.translated(container, lines[i])
		}
		// There is no DNS to ask for the names of containers.
		var resolve strings.Builder
		for _, name := range names {
			fmt.Fprintf(&resolve, `{{if eq .ID %q}}%s:50002{{end}}`, name, m.address(name+"-sidecar"))
		}
		all := strings.ReplaceAll(strings.Join(lines, "\n"), `"{{.ID}}-sidecar:50002"`, "'"+resolve.String()+"'")
		require.NoError(t, os.MkdirAll(filepath.Dir(target), 0o700))
		require.NoError(t, os.WriteFile(target, []byte(all), 0o600))
	}
	s := m.project.Services[container]
	for _, v := range s.Volumes {
		place(v.Source, v.Target)
	}
	for _, c := range s.Secrets {
		place(m.project.Secrets[c.Source].File, "/run/secrets/"+c.Target)
	}
	for _, c := range s.Configs {
		place(m.project.Configs[c.Source].File, c.Target)
	}
}

// run starts a container's command, without some of its words and with some
// more, until the test ends.
func (m *machine) run(t *testing.T, container string, without []string, more ...string) {
	t.Helper()
	m.mount(t, container)
	s := m.project.Services[container]
	var command, env []string
	for _, word := range words(s) {
		if !slices.Contains(without, word) {
			command = append(command, m.translated(container, word))
		}
	}
	for name, value := range s.Environment {
		env = append(env, name+"="+m.translated(container, *value))
	}
	m.start(t, container, env, m.programs[command[0]], append(command[1:], more...)...)
}

func (m *machine) start(t *testing.T, container string, env []string, program string, words ...string) {
	t.Helper()
	cmd := exec.Command(program, words...)
	cmd.Env = append(env, "PATH="+os.Getenv("PATH"), "HOME="+m.dir)
	cmd.Dir = m.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	log, err := os.Create(filepath.Join(m.dir, container+".log"))
	require.NoError(t, err)
	cmd.Stdout, cmd.Stderr = log, log
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		if t.Failed() {
			_, _ = log.Seek(0, io.SeekStart)
			for lines := bufio.NewScanner(log); lines.Scan(); {
				t.Log(container, lines.Text())
			}
		}
		_ = log.Close()
	})
}

// sidecar runs one as the compose file says.
func (m *machine) sidecar(t *testing.T, app string, without ...string) {
	t.Helper()
	container := app + "-sidecar"
	m.run(t, container, without,
		"--dapr-internal-grpc-listen-address="+m.address(container), "--metrics-listen-address="+m.address(container))
}

// broker is that of `make run`, in the place of Kafka.
func (m *machine) broker(t *testing.T) {
	t.Helper()
	data := filepath.Join(m.dir, "kafka")
	require.NoError(t, os.Mkdir(data, 0o700))
	m.start(t, "kafka", nil, m.programs["local"], "broker", "-host", m.address("kafka"), "-port", "9092", "-data", data)
	eventually(t, func() error {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(t.Context(), "tcp", m.address("kafka")+":9092")
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// app stands in for a service, and keeps what its sidecar hands it.
type app struct {
	mu    sync.Mutex
	calls []string
	token string // what came with the last
}

func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/healthz":
		return
	case strings.HasPrefix(r.URL.Path, "/dapr/"): // what a sidecar asks at its start
		http.NotFound(w, r)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls = append(a.calls, r.Method+" "+r.URL.Path)
	a.token = r.Header.Get("dapr-api-token")
	_, _ = io.WriteString(w, "{}")
}

func (a *app) taken() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	taken := a.calls
	a.calls = nil
	return taken
}

func (m *machine) app(t *testing.T, name string) *app {
	t.Helper()
	a := &app{}
	l, err := net.Listen("tcp", net.JoinHostPort(m.address(name), *m.project.Services[name].Environment["PORT"]))
	require.NoError(t, err)
	server := &http.Server{Handler: a, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return a
}

// eventually polls until there is no error.
func eventually(t *testing.T, try func() error) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		err := try()
		if err == nil {
			return
		}
		require.True(t, time.Now().Before(deadline), "%v", err)
		time.Sleep(50 * time.Millisecond)
	}
}

// invoke has a service call another by its own sidecar.
func (m *machine) invoke(ctx context.Context, from, to, method, path string) (int, error) {
	target := fmt.Sprintf("http://%s:3500/v1.0/invoke/%s/method%s", m.address(from+"-sidecar"), to, path)
	req, err := http.NewRequestWithContext(ctx, method, target, http.NoBody)
	if err != nil {
		return 0, err
	}
	req.Header.Set("dapr-api-token", *m.project.Services[from].Environment["DAPR_API_TOKEN"])
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	return res.StatusCode, nil
}

// call is what a sidecar says to another, with somebody's credentials.
func call(ctx context.Context, address, verb, path string, as credentials.TransportCredentials) error {
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(as))
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	_, err = internals.NewServiceInvocationClient(conn).CallLocal(ctx, &internals.InternalInvokeRequest{
		Ver:      internals.APIVersion_V1,
		Metadata: map[string]*internals.ListStringValue{"content-type": {Values: []string{"application/json"}}},
		Message: &common.InvokeRequest{
			Method: path, ContentType: "application/json",
			Data:          &anypb.Any{Value: []byte(`{"id":"forged"}`)},
			HttpExtension: &common.HTTPExtension{Verb: common.HTTPExtension_Verb(common.HTTPExtension_Verb_value[verb])},
		},
	})
	return err
}

// identity asks sentry for the certificate of an app, with the token of one.
func (m *machine) identity(t *testing.T, app string, token sentry.SignCertificateRequest_TokenValidator, of string) (tls.Certificate, error) {
	t.Helper()
	request := &sentry.SignCertificateRequest{Id: app, Namespace: "taskwire", TokenValidator: token}
	if of != "" {
		raw, err := os.ReadFile(m.project.Secrets[of+"-identity"].File)
		require.NoError(t, err)
		request.Token = string(raw)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	require.NoError(t, err)
	request.CertificateSigningRequest = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr})
	conn, err := grpc.NewClient("passthrough:///"+m.address("sentry")+":50001", grpc.WithTransportCredentials(anyServer()))
	require.NoError(t, err)
	defer conn.Close()
	answer, err := sentry.NewCAClient(conn).SignCertificate(t.Context(), request, grpc.WaitForReady(true))
	if err != nil {
		return tls.Certificate{}, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return tls.X509KeyPair(answer.GetWorkloadCertificate(), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// anyServer is a client with these certificates that believes any server: it is
// an attacker's, or one whose server is known by its address.
func anyServer(certificates ...tls.Certificate) credentials.TransportCredentials {
	config := &tls.Config{Certificates: certificates, MinVersion: tls.VersionTLS12}
	config.InsecureSkipVerify = true // an attacker does not mind who answers
	return credentials.NewTLS(config)
}

// A sidecar adds its service's token for whoever calls it: who may call is for
// the sidecar to know. Without that, a gRPC call from anywhere put a forged entry
// into the audit trail.
func TestAForgedEventByCallLocalIsRefused(t *testing.T) {
	m := newMachine(t)
	m.broker(t)
	// Where it listens for its health and its metrics can not be told.
	m.run(t, "sentry", nil, "--listen-address="+m.address("sentry"), "--healthz-port=0", "--enable-metrics=false")
	audit := m.app(t, "audit-log")
	m.app(t, "task-api")
	m.app(t, "notification")
	// Its first certificate says that sentry is up; a sidecar that comes too early ends.
	_, err := m.identity(t, "task-api", sentry.SignCertificateRequest_JWKS, "task-api")
	require.NoError(t, err)
	for _, name := range []string{"task-api", "audit-log", "notification"} {
		m.sidecar(t, name)
	}
	eventually(t, func() error {
		code, err := m.invoke(t.Context(), "task-api", "audit-log", http.MethodGet, "/api/audit")
		if err == nil && code != http.StatusOK {
			err = fmt.Errorf("audit-log's sidecar answers %d", code)
		}
		return err
	})
	require.Equal(t, []string{"GET /api/audit"}, audit.taken(), "task-api asks for the trail")
	require.Equal(t, *m.project.Services["audit-log"].Environment["APP_API_TOKEN"], audit.token)

	address := m.address("audit-log-sidecar") + ":50002"
	forge := func(as credentials.TransportCredentials) error {
		return call(t.Context(), address, http.MethodPost, "events/audit-logs", as)
	}
	t.Run("plain gRPC", func(t *testing.T) {
		require.Equal(t, codes.Unavailable, status.Code(forge(insecure.NewCredentials())))
	})
	t.Run("TLS without a certificate", func(t *testing.T) {
		require.Equal(t, codes.Unavailable, status.Code(forge(anyServer())))
	})
	t.Run("a certificate of one's own making", func(t *testing.T) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		self := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature}
		self.URIs = append(self.URIs, &url.URL{Scheme: "spiffe", Host: "public", Path: "/ns/taskwire/task-api"})
		der, err := x509.CreateCertificate(rand.Reader, self, self, key.Public(), key)
		require.NoError(t, err)
		require.Equal(t, codes.Unavailable, status.Code(forge(anyServer(tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}))))
	})
	t.Run("another service's certificate", func(t *testing.T) {
		notification, err := m.identity(t, "notification", sentry.SignCertificateRequest_JWKS, "notification")
		require.NoError(t, err)
		require.Equal(t, codes.PermissionDenied, status.Code(forge(anyServer(notification))))
		require.Equal(t, codes.PermissionDenied, status.Code(call(t.Context(), address, http.MethodGet, "api/audit", anyServer(notification))))
		var code int
		eventually(t, func() error { // its sidecar may have come later than the others
			code, err = m.invoke(t.Context(), "notification", "audit-log", http.MethodGet, "/api/audit")
			return err
		})
		require.Equal(t, http.StatusForbidden, code)
	})
	t.Run("the front door's, for what it may not", func(t *testing.T) {
		frontDoor, err := m.identity(t, "task-api", sentry.SignCertificateRequest_JWKS, "task-api")
		require.NoError(t, err)
		require.Equal(t, codes.PermissionDenied, status.Code(forge(anyServer(frontDoor))))
		require.NoError(t, call(t.Context(), address, http.MethodGet, "api/audit", anyServer(frontDoor)))
		require.Equal(t, []string{"GET /api/audit"}, audit.taken(), "what it may passes: these calls are well made")
	})
	t.Run("a name that is not one's own", func(t *testing.T) {
		for why, ask := range map[string]func() (tls.Certificate, error){
			"without a token": func() (tls.Certificate, error) {
				return m.identity(t, "task-api", sentry.SignCertificateRequest_INSECURE, "")
			},
			"without a word on it": func() (tls.Certificate, error) {
				return m.identity(t, "task-api", sentry.SignCertificateRequest_UNKNOWN, "")
			},
			"with another's": func() (tls.Certificate, error) {
				return m.identity(t, "task-api", sentry.SignCertificateRequest_JWKS, "notification")
			},
		} {
			_, err := ask()
			require.Contains(t, []codes.Code{codes.PermissionDenied, codes.InvalidArgument}, status.Code(err), "%s: %v", why, err)
		}
	})
	require.Empty(t, audit.taken(), "nothing of that has come to the service")
}

// What the test above refuses works where the sidecars do not know each other:
// so it is under `make run`, as SECURITY.md says.
func TestWithoutIdentitiesAnybodyForgesEvents(t *testing.T) {
	m := newMachine(t)
	m.broker(t)
	audit := m.app(t, "audit-log")
	m.sidecar(t, "audit-log", "--enable-mtls", "--config=/dapr/access.yaml")
	eventually(t, func() error {
		return call(t.Context(), m.address("audit-log-sidecar")+":50002", http.MethodPost, "events/audit-logs", insecure.NewCredentials())
	})
	require.Equal(t, []string{"POST /events/audit-logs"}, audit.taken())
	require.Equal(t, *m.project.Services["audit-log"].Environment["APP_API_TOKEN"], audit.token)
}
