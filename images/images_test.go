package main

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/stretchr/testify/require"
)

// maxSize is the most that an image may weigh, in bytes as it is stored and sent.
const maxSize = 30_000_000

// images are those that were built, by their names.
var images = map[string]v1.Image{}

// built is an image, which is built for the first test that looks at it.
func built(t *testing.T, image string) v1.Image {
	t.Helper()
	if images[image] == nil {
		images[image] = builtAnew(t, image)
	}
	return images[image]
}

// builtAnew is an image that is built for this test.
func builtAnew(t *testing.T, image string) v1.Image {
	t.Helper()
	out := t.TempDir()
	o := options{registry: "ghcr.io/taskwire", tag: "test", version: "v0.0.0-test", platform: "linux/amd64", out: out}
	require.NoError(t, run(t.Context(), o, []string{image}))
	file, err := os.ReadFile(filepath.Join(out, image+".tar"))
	require.NoError(t, err)
	made, err := tarball.Image(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(file)), nil }, nil)
	require.NoError(t, err)
	return made
}

// Every service becomes a small image of one layer that runs as nobody in
// particular.
func TestImagesAreOneSmallLayer(t *testing.T) {
	all, err := services("..")
	require.NoError(t, err)
	require.Contains(t, all, "task-api")
	for _, service := range all {
		t.Run(service, func(t *testing.T) {
			image := built(t, service)
			layers, err := image.Layers()
			require.NoError(t, err)
			require.Len(t, layers, 1)
			size, err := compressed(image)
			require.NoError(t, err)
			require.Less(t, size, int64(maxSize))
			file, err := image.ConfigFile()
			require.NoError(t, err)
			require.Equal(t, "linux", file.OS)
			require.Equal(t, "65532:65532", file.Config.User)
			require.Equal(t, []string{"/service"}, file.Config.Entrypoint)
			require.Equal(t, "v0.0.0-test", file.Config.Labels["org.opencontainers.image.version"])
			require.Equal(t, service, file.Config.Labels["org.opencontainers.image.title"])
			require.Equal(t, []string{"etc", "etc/group", "etc/passwd", service, "service", "tmp"}, names(t, image))
		})
	}
}

// The same tree gives the same image, to the last bit.
func TestAnImageIsReproducible(t *testing.T) {
	first, err := built(t, "audit-log").Digest()
	require.NoError(t, err)
	second, err := builtAnew(t, "audit-log").Digest()
	require.NoError(t, err)
	require.Equal(t, first, second)
}

// What an image holds is enough to run: no libraries, zone files or
// certificates of a system.
func TestAnImageNeedsNothingElse(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.Chmod(root, 0o755))
	unpack(t, built(t, "recurring-task"), root)
	binary := filepath.Join(root, "recurring-task")
	program, err := elf.Open(binary)
	require.NoError(t, err)
	defer program.Close()
	libraries, err := program.ImportedLibraries()
	require.NoError(t, err)
	require.Empty(t, libraries)
	for _, segment := range program.Progs {
		require.NotEqual(t, elf.PT_INTERP, segment.Type, "it asks for a dynamic linker")
	}

	command := exec.CommandContext(t.Context(), binary, "help")
	if os.Getuid() == 0 {
		command = exec.CommandContext(t.Context(), "/service", "help")
		command.Dir = "/"
		command.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
	}
	command.Env = []string{}
	out, err := command.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "usage: recurring-task [command]")
}

func TestAnImageOfNothingIsRefused(t *testing.T) {
	err := run(t.Context(), options{tag: "test", platform: "linux/amd64", out: t.TempDir(), version: "v0"}, []string{"task"})
	require.ErrorContains(t, err, "there is no program of this name; the services are task-api")
}

// With Docker the same is built.
func TestTheDockerfileSaysTheSame(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "Dockerfile"))
	require.NoError(t, err)
	dockerfile := string(text)
	for _, want := range []string{
		"CGO_ENABLED=0", "-trimpath", "-s -w -X github.com/taskwire/taskwire/pkg/service.version=${VERSION}",
		"FROM scratch", "USER " + nonroot, "ENV PATH=/", `ENTRYPOINT ["/service"]`, "ln -s ${SERVICE} /image/service",
		"COPY --from=page /page services/task-api/internal/page/dist\n", `nonroot:x:65532:65532:nonroot:/:/sbin/nologin`, `nonroot:x:65532:\n`,
	} {
		require.Contains(t, dockerfile, want)
	}
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`)
	module, err := os.ReadFile(filepath.Join("..", "pkg", "go.mod"))
	require.NoError(t, err)
	require.Contains(t, dockerfile, "FROM golang:"+version.FindStringSubmatch(string(module))[1]+" ")

	// What it copies is there, and not ignored.
	ignored, err := os.ReadFile(filepath.Join("..", ".dockerignore"))
	require.NoError(t, err)
	require.Contains(t, "\n"+string(ignored), "\n*\n", "secrets and state stay outside")
	for _, m := range regexp.MustCompile(`(?m)^COPY ([^-\n][^\n]*) \S+$`).FindAllStringSubmatch(dockerfile, -1) {
		for _, path := range strings.Fields(m[1]) {
			path = strings.ReplaceAll(path, "${SERVICE}", "audit-log")
			_, err := os.Stat(filepath.Join("..", path)) //nolint:gosec // our own Dockerfile
			require.NoError(t, err)
			top, _, _ := strings.Cut(path, "/")
			require.Contains(t, string(ignored), "\n!"+top+"\n")
		}
	}
}

// names are those of the files in an image, in their order.
func names(t *testing.T, image v1.Image) []string {
	t.Helper()
	var all []string
	each(t, image, func(h *tar.Header, _ io.Reader) { all = append(all, strings.TrimSuffix(h.Name, "/")) })
	return all
}

func unpack(t *testing.T, image v1.Image, root string) {
	t.Helper()
	each(t, image, func(h *tar.Header, r io.Reader) {
		path := filepath.Join(root, filepath.Clean("/"+h.Name))
		switch h.Typeflag {
		case tar.TypeDir:
			require.NoError(t, os.MkdirAll(path, h.FileInfo().Mode().Perm()))
			return
		case tar.TypeSymlink:
			require.NoError(t, os.Symlink(h.Linkname, path))
			return
		}
		content, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, content, h.FileInfo().Mode().Perm()))
	})
}

func each(t *testing.T, image v1.Image, look func(*tar.Header, io.Reader)) {
	t.Helper()
	content := mutate.Extract(image)
	defer content.Close()
	r := tar.NewReader(content)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(t, err)
		look(h, r)
	}
}
