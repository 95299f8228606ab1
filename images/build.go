package main

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// nonroot is who the services run as: the user that distroless images have.
const nonroot = "65532:65532"

// packageOf is the folder of the program that an image holds.
func packageOf(root, image string) (string, error) {
	for _, folder := range []string{"services", "dapr"} {
		dir := filepath.Join(root, folder, image)
		if _, err := os.Stat(filepath.Join(dir, "main.go")); err == nil {
			return dir, nil
		}
	}
	known, err := services(root)
	if err != nil {
		return "", err
	}
	return "", fmt.Errorf("there is no program of this name; the services are %s", strings.Join(known, ", "))
}

// build makes the image of a program. From the same tree it is the same image,
// to the last bit: nothing in it tells of the machine or of the time.
func build(ctx context.Context, o options, image string) (v1.Image, error) {
	binary, err := compile(ctx, o, image)
	if err != nil {
		return nil, err
	}
	return around(o, image, binary)
}

// around makes the image of a program around its binary.
func around(o options, image string, binary []byte) (v1.Image, error) {
	content, err := filesystem(image, binary)
	if err != nil {
		return nil, err
	}
	// Compressed once: its digest, its file and the registry all want it.
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }, tarball.WithCompressedCaching)
	if err != nil {
		return nil, fmt.Errorf("make the layer: %w", err)
	}
	built, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, fmt.Errorf("add the layer: %w", err)
	}
	return configure(o, image, built)
}

// compile builds a static binary of the program of an image.
func compile(ctx context.Context, o options, image string) ([]byte, error) {
	dir, err := packageOf(o.root, image)
	if err != nil {
		return nil, err
	}
	if image == "task-api" {
		if err := buildPage(ctx, o.root); err != nil {
			return nil, err
		}
	}
	temp, err := os.MkdirTemp("", "taskwire-image-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the binary: %w", err)
	}
	defer os.RemoveAll(temp)
	system, architecture, _ := strings.Cut(o.platform, "/")
	file := filepath.Join(temp, "binary")
	c := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false",
		"-ldflags", "-s -w -X github.com/taskwire/taskwire/pkg/service.version="+o.version, "-o", file, ".")
	c.Dir, c.Stdout, c.Stderr = dir, os.Stderr, os.Stderr
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOOS="+system, "GOARCH="+architecture)
	if err := c.Run(); err != nil {
		return nil, fmt.Errorf("build the binary: %w", err)
	}
	binary, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the binary: %w", err)
	}
	return binary, nil
}

// buildPage makes the page for people, which task-api embeds.
func buildPage(ctx context.Context, root string) error {
	c := exec.CommandContext(ctx, "go", "run", "./web/build")
	c.Dir, c.Stdout, c.Stderr = root, os.Stderr, os.Stderr
	if err := c.Run(); err != nil {
		return fmt.Errorf("build the page: %w", err)
	}
	return nil
}

// filesystem is all that is in an image, as a tar: the binary, a link to it that
// every image has, the names of who runs it, and a folder for what is written for
// a moment.
func filesystem(image string, binary []byte) ([]byte, error) {
	var content bytes.Buffer
	w := tar.NewWriter(&content)
	for _, f := range []struct {
		name string
		mode int64
		data []byte
	}{
		{"etc/", 0o755, nil},
		{"etc/group", 0o644, []byte("root:x:0:\nnonroot:x:65532:\n")},
		{"etc/passwd", 0o644, []byte("root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n")},
		{image, 0o755, binary},
		{"service", 0o777, nil},
		{"tmp/", 0o1777, nil},
	} {
		header := &tar.Header{Typeflag: tar.TypeReg, Name: f.name, Mode: f.mode, Size: int64(len(f.data)), ModTime: time.Unix(0, 0)}
		switch {
		case f.name == "service":
			header.Typeflag, header.Linkname = tar.TypeSymlink, image
		case f.data == nil:
			header.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("write the layer: %w", err)
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, fmt.Errorf("write the layer: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("write the layer: %w", err)
	}
	return content.Bytes(), nil
}

// configure says how an image is run, and what it is.
func configure(o options, image string, built v1.Image) (v1.Image, error) {
	file, err := built.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("read the configuration of the image: %w", err)
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, _ = strings.Cut(o.platform, "/")
	file.Config = v1.Config{
		User: nonroot, WorkingDir: "/", Entrypoint: []string{"/service"}, Env: []string{"PATH=/"},
		Labels: map[string]string{
			"org.opencontainers.image.title":    image,
			"org.opencontainers.image.version":  o.version,
			"org.opencontainers.image.source":   "https://github.com/taskwire/taskwire",
			"org.opencontainers.image.licenses": "Apache-2.0",
		},
	}
	configured, err := mutate.ConfigFile(built, file)
	if err != nil {
		return nil, fmt.Errorf("configure the image: %w", err)
	}
	return configured, nil
}
