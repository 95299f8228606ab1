package main

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"
)

// packed are the files of an archive, without its first folder, by their names.
func packed(t *testing.T, path string) map[string]string {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	expanded, err := gzip.NewReader(file)
	require.NoError(t, err)
	top := strings.TrimSuffix(filepath.Base(path), ".tar.gz") + "/"
	files := map[string]string{}
	for r := tar.NewReader(expanded); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(h.Name, top), h.Name)
		content, err := io.ReadAll(r)
		require.NoError(t, err)
		files[strings.TrimPrefix(h.Name, top)] = string(content)
	}
}

// One service stands for all here: each is built for both platforms.
func TestARelease(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	at := strings.TrimPrefix(server.URL, "http://") + "/taskwire"
	const version = "v1.2.3-rc.1"
	out := t.TempDir()
	require.NoError(t, run(t.Context(), options{registry: at, version: version, out: out, push: true, release: true}, []string{"audit-log"}))

	// By the digest that it names, the registry has an image of each platform.
	images, err := os.ReadFile(filepath.Join(out, "images.txt"))
	require.NoError(t, err)
	hex, image, ok := strings.Cut(strings.TrimSpace(string(images)), "  ")
	require.True(t, ok)
	require.Equal(t, at+"/audit-log", image)
	reference, err := name.NewDigest(image + "@sha256:" + hex)
	require.NoError(t, err)
	index, err := remote.Index(reference)
	require.NoError(t, err)
	manifest, err := index.IndexManifest()
	require.NoError(t, err)
	require.Len(t, manifest.Manifests, len(platforms))
	text, err := os.ReadFile(filepath.Join(out, "manifests.txt"))
	require.NoError(t, err)
	manifests := strings.Split(strings.TrimSpace(string(text)), "\n")
	for i, platform := range platforms {
		require.Equal(t, platform, manifest.Manifests[i].Platform.String())
		require.Equal(t, image+"@"+manifest.Manifests[i].Digest.String()+" audit-log "+flat(platform), manifests[i])
	}
	tagged, err := remote.Head(reference.Tag(version))
	require.NoError(t, err)
	require.Equal(t, reference.DigestStr(), tagged.Digest.String())

	// A binary that is downloaded is the one in the image.
	for i, machine := range []elf.Machine{elf.EM_X86_64, elf.EM_AARCH64} {
		files := packed(t, filepath.Join(out, "assets", "taskwire_"+version+"_"+flat(platforms[i])+".tar.gz"))
		program, err := elf.NewFile(strings.NewReader(files["bin/audit-log"]))
		require.NoError(t, err)
		require.Equal(t, machine, program.Machine)
		image, err := index.Image(manifest.Manifests[i].Digest)
		require.NoError(t, err)
		root := t.TempDir()
		unpack(t, image, root)
		there, err := os.ReadFile(filepath.Join(root, "audit-log"))
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("%x", sha256.Sum256(there)), fmt.Sprintf("%x", sha256.Sum256([]byte(files["bin/audit-log"]))))
		for _, want := range []string{"LICENSE", "dapr/config.yaml", "dapr/components/resiliency.yaml", "systemd/taskwire-service@.service", "systemd/etc/taskwire.env"} {
			require.NotEmpty(t, files[want], want)
		}
		require.Equal(t, "PORT=8001\nMETRICS_PORT=9101\nDAPR_HTTP_PORT=3501\nDAPR_GRPC_PORT=3601\n"+
			"# Of the sidecar alone; dapr/config.yaml knows the first one.\nDAPR_INTERNAL_GRPC_PORT=3701\nDAPR_METRICS_PORT=3801\n",
			files["systemd/etc/ports/audit-log.env"])
		// Secrets are made from what is in the archive alone.
		for path, text := range files {
			path = filepath.Join(root, filepath.Clean("/"+path))
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o750))
			require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		}
		secrets, err := exec.CommandContext(t.Context(), "bash", filepath.Join(root, "k8s/secrets.sh"), "local").Output()
		require.NoError(t, err)
		require.Contains(t, string(secrets), "name: notification-app-token\n")
	}

	// The operator's start names the images by digest, and the manifests by tag.
	start, err := os.ReadFile(filepath.Join(out, "assets", "kustomization.yaml"))
	require.NoError(t, err)
	require.Contains(t, string(start), "  - https://github.com/taskwire/taskwire//k8s/overlays/production?ref="+version+"\n")
	require.Contains(t, string(start), "  - name: ghcr.io/taskwire/audit-log\n    newName: "+image+"\n    digest: sha256:"+hex+"\n")
}

func TestAReleaseHasAVersion(t *testing.T) {
	for _, version := range []string{"1.2.3", "v1.2", "v1.2.3+dirty", "b924b49", "v1.2.3 x"} {
		err := run(t.Context(), options{registry: "ghcr.io/taskwire", version: version, out: t.TempDir(), release: true}, []string{"audit-log"})
		require.ErrorContains(t, err, "a release has a version like v1.2.3", version)
	}
}
