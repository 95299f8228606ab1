// Command images builds the images of the suite without a Docker daemon: the
// static binary of a service, from this tree, in one layer on nothing. The
// Dockerfile makes the same with one; a test holds the two together.
//
//	go run ./images [-tag dev] [-version v1.2.3] [-platform linux/arm64] [-out .local/images] [-push] [NAME …]
//	go run ./images -release -version v1.2.3 [-out .local/images] [-push] [NAME …]
//
// Each image is written as NAME.tar, which `docker load` and `ctr images import`
// take, and pushed to its registry with -push. With -release it makes what a
// release is made of in place of these: release.go says what.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// options are what the command line says.
type options struct {
	root, out, registry, tag, version, platform string
	push, release                               bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var o options
	flag.StringVar(&o.registry, "registry", "ghcr.io/taskwire", "registry and path of the images' names")
	flag.StringVar(&o.tag, "tag", "dev", "tag of the images")
	flag.StringVar(&o.version, "version", "", "version that the binaries say (that of git unless it is given)")
	flag.StringVar(&o.platform, "platform", "linux/"+runtime.GOARCH, "linux/amd64 or linux/arm64")
	flag.StringVar(&o.out, "out", filepath.Join(".local", "images"), "folder that the images are written to")
	flag.BoolVar(&o.push, "push", false, "push the images to the registry, as `docker login` has signed in there")
	flag.BoolVar(&o.release, "release", false, "make the archives, images of all platforms and kustomization.yaml of a release")
	flag.Parse()
	if err := run(ctx, o, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "images:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, o options, names []string) (err error) {
	if o.root, err = output(ctx, ".", "go", "env", "GOWORK"); err != nil {
		return err
	}
	o.root = filepath.Dir(o.root)
	if len(names) == 0 {
		if names, err = services(o.root); err != nil {
			return err
		}
	}
	if o.version == "" {
		// Without git, in an unpacked archive say, there is no version to tell.
		if o.version, err = output(ctx, o.root, "git", "describe", "--tags", "--always", "--dirty"); err != nil {
			o.version = "development"
		}
	}
	if err := os.MkdirAll(o.out, 0o750); err != nil {
		return fmt.Errorf("make the folder of the images: %w", err)
	}
	if o.release {
		return release(ctx, o, names)
	}
	for _, n := range names {
		image, err := build(ctx, o, n)
		if err != nil {
			return fmt.Errorf("%s: %w", n, err)
		}
		if err := deliver(ctx, o, n, image); err != nil {
			return fmt.Errorf("%s: %w", n, err)
		}
	}
	return nil
}

// deliver writes an image to its file, and to its registry when it is told to.
func deliver(ctx context.Context, o options, image string, built v1.Image) error {
	reference, err := name.NewTag(o.registry + "/" + image + ":" + o.tag)
	if err != nil {
		return fmt.Errorf("name the image: %w", err)
	}
	// Written whole, or not at all.
	file := filepath.Join(o.out, image+".tar")
	if err := tarball.WriteToFile(file+".part", reference, built); err != nil {
		return fmt.Errorf("write the image: %w", err)
	}
	if err := os.Rename(file+".part", file); err != nil {
		return fmt.Errorf("write the image: %w", err)
	}
	if o.push {
		if err := remote.Write(reference, built, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)); err != nil {
			return fmt.Errorf("push the image: %w", err)
		}
	}
	digest, err := built.Digest()
	if err != nil {
		return fmt.Errorf("digest the image: %w", err)
	}
	size, err := compressed(built)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stdout, "%-60s %5.1f MB  %s\n", reference, float64(size)/1e6, digest)
	return nil
}

// compressed is the size of an image's layers as they are stored and sent, in bytes.
func compressed(image v1.Image) (size int64, err error) {
	layers, err := image.Layers()
	if err != nil {
		return 0, fmt.Errorf("list the layers: %w", err)
	}
	for _, l := range layers {
		s, err := l.Size()
		if err != nil {
			return 0, fmt.Errorf("measure a layer: %w", err)
		}
		size += s
	}
	return size, nil
}

// output is what a command prints.
func output(ctx context.Context, dir, command string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, command, args...)
	c.Dir, c.Stderr = dir, os.Stderr
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("run %s %s: %w", command, args[0], err)
	}
	return strings.TrimSpace(string(out)), nil
}
