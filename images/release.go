package main

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// platforms are those that a release is for.
var platforms = []string{"linux/amd64", "linux/arm64"}

// unpacked is what an archive of a release holds beside the binaries: all that an
// operator needs who has no clone.
var unpacked = []string{
	"LICENSE", "dapr/components", "dapr/config.yaml", "dapr/dapr.yaml",
	"k8s/secrets.sh", "k8s/components/postgres/roles.sh", "systemd",
}

// versions are those that can be released.
var versions = regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)

// release makes what the release of a version is made of. In o.out are then
//
//	assets/          what people download: an archive for each platform, and kustomization.yaml
//	bin/PLATFORM/    the binaries that are in the archives and in the images
//	images.txt       the image of each service, one for all platforms, as sha256sum writes it
//	manifests.txt    the image of each service and platform: its digest, service and platform
//
// The same tree makes the same files and digests: a release that failed half-way
// is run again.
func release(ctx context.Context, o options, names []string) error {
	if !versions.MatchString(o.version) {
		return fmt.Errorf("a release has a version like v1.2.3, not %q", o.version)
	}
	var images, manifests, overrides strings.Builder
	for _, n := range names {
		index := mutate.IndexMediaType(empty.Index, types.DockerManifestList)
		for _, o.platform = range platforms {
			image, err := releaseOne(ctx, o, n)
			if err != nil {
				return fmt.Errorf("%s: %w", n, err)
			}
			digest, err := image.Digest()
			if err != nil {
				return fmt.Errorf("%s: digest the image: %w", n, err)
			}
			system, architecture, _ := strings.Cut(o.platform, "/")
			index = mutate.AppendManifests(index, mutate.IndexAddendum{
				Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: system, Architecture: architecture}},
			})
			fmt.Fprintf(&manifests, "%s/%s@%s %s %s\n", o.registry, n, digest, n, flat(o.platform))
		}
		digest, err := deliverIndex(ctx, o, n, index)
		if err != nil {
			return fmt.Errorf("%s: %w", n, err)
		}
		fmt.Fprintf(&images, "%s  %s/%s\n", digest.Hex, o.registry, n)
		fmt.Fprintf(&overrides, "  - name: ghcr.io/taskwire/%s\n    newName: %s/%s\n    digest: %s\n", n, o.registry, n, digest)
	}
	for _, p := range platforms {
		if err := archive(o, names, flat(p)); err != nil {
			return err
		}
	}
	for file, text := range map[string]string{
		"images.txt":                images.String(),
		"manifests.txt":             manifests.String(),
		"assets/kustomization.yaml": fmt.Sprintf(kustomization, o.version, overrides.String()),
	} {
		if err := os.WriteFile(filepath.Join(o.out, file), []byte(text), 0o600); err != nil {
			return fmt.Errorf("write what was made: %w", err)
		}
	}
	return nil
}

// kustomization is what an operator begins with.
const kustomization = `# taskwire %[1]s on Kubernetes: its manifests, and its images by their digests.
# Add what is yours: https://github.com/taskwire/taskwire/blob/%[1]s/docs/operations.md#on-kubernetes
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: taskwire
resources:
  - https://github.com/taskwire/taskwire//k8s/overlays/production?ref=%[1]s
images:
%[2]s`

// flat is a platform as a part of a file's name.
func flat(platform string) string { return strings.ReplaceAll(platform, "/", "_") }

// releaseOne builds the image of a service for a platform, and leaves its binary.
func releaseOne(ctx context.Context, o options, service string) (v1.Image, error) {
	binary, err := compile(ctx, o, service)
	if err != nil {
		return nil, err
	}
	folder := filepath.Join(o.out, "bin", flat(o.platform))
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return nil, fmt.Errorf("make the folder of the binaries: %w", err)
	}
	if err := os.WriteFile(filepath.Join(folder, service), binary, 0o700); err != nil { //nolint:gosec // it is a program
		return nil, fmt.Errorf("write the binary: %w", err)
	}
	return around(o, service, binary)
}

// deliverIndex pushes the image of all platforms when it is told to.
func deliverIndex(ctx context.Context, o options, service string, index v1.ImageIndex) (v1.Hash, error) {
	reference, err := name.NewTag(o.registry + "/" + service + ":" + o.version)
	if err != nil {
		return v1.Hash{}, fmt.Errorf("name the image: %w", err)
	}
	if o.push {
		if err := remote.WriteIndex(reference, index, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)); err != nil {
			return v1.Hash{}, fmt.Errorf("push the image: %w", err)
		}
	}
	digest, err := index.Digest()
	if err != nil {
		return v1.Hash{}, fmt.Errorf("digest the image: %w", err)
	}
	fmt.Fprintf(os.Stdout, "%-60s %s\n", reference, digest)
	return digest, nil
}

// archive packs the binaries of a platform, and what goes with them.
func archive(o options, names []string, platform string) (err error) {
	top := "taskwire_" + o.version + "_" + platform
	if err := os.MkdirAll(filepath.Join(o.out, "assets"), 0o750); err != nil {
		return fmt.Errorf("make the folder of the archives: %w", err)
	}
	file, err := os.Create(filepath.Join(o.out, "assets", top+".tar.gz"))
	if err != nil {
		return fmt.Errorf("make the archive: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	compressed := gzip.NewWriter(file)
	w := tar.NewWriter(compressed)
	for _, n := range names {
		if err := pack(w, filepath.Join(o.out, "bin", platform, n), top+"/bin/"+n); err != nil {
			return err
		}
	}
	all, err := apps(o.root)
	if err != nil {
		return err
	}
	for _, a := range all {
		if err := add(w, top+"/systemd/etc/ports/"+a.ID+".env", 0o644, []byte(a.ports())); err != nil {
			return err
		}
	}
	for _, path := range unpacked {
		err := filepath.WalkDir(filepath.Join(o.root, path), func(from string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			relative, err := filepath.Rel(o.root, from)
			if err != nil {
				return err
			}
			return pack(w, from, top+"/"+filepath.ToSlash(relative))
		})
		if err != nil {
			return fmt.Errorf("pack %s: %w", path, err)
		}
	}
	if err := errors.Join(w.Close(), compressed.Close()); err != nil {
		return fmt.Errorf("write the archive: %w", err)
	}
	return nil
}

// pack adds a file to an archive, with nothing of who made it and when.
func pack(w *tar.Writer, from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return fmt.Errorf("read what goes into the archive: %w", err)
	}
	info, err := os.Stat(from)
	if err != nil {
		return fmt.Errorf("read what goes into the archive: %w", err)
	}
	mode := int64(0o644)
	if info.Mode()&0o100 != 0 {
		mode = 0o755
	}
	return add(w, to, mode, data)
}

// add adds a file that need not be on the disk.
func add(w *tar.Writer, to string, mode int64, data []byte) error {
	header := &tar.Header{Typeflag: tar.TypeReg, Name: to, Mode: mode, Size: int64(len(data)), ModTime: time.Unix(0, 0)}
	if err := w.WriteHeader(header); err != nil {
		return fmt.Errorf("write the archive: %w", err)
	}
	if _, err := w.Write(data); err != nil {
		return fmt.Errorf("write the archive: %w", err)
	}
	return nil
}
