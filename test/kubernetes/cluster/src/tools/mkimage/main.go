// mkimage writes a one-layer docker-archive that `ctr -n k8s.io images import` takes.
// mkimage -o out.tar -t local.test/hello:v1 [-u 65532:65532] -e /hello  FILE=/path/in/image ...
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"path"
	"sort"
	"strings"
	"time"
)

func main() {
	out := flag.String("o", "", "output tar")
	tag := flag.String("t", "", "image name")
	user := flag.String("u", "65532:65532", "user")
	entry := flag.String("e", "", "entrypoint, space separated")
	pathEnv := flag.String("p", "/", "PATH")
	cmd := flag.String("c", "", "cmd, space separated")
	stop := flag.String("s", "SIGTERM", "stop signal")
	flag.Parse()
	epoch := time.Unix(0, 0)
	var layer bytes.Buffer
	gz, _ := gzip.NewWriterLevel(&layer, gzip.BestSpeed)
	diff := sha256.New()
	tw := tar.NewWriter(io.MultiWriter(gz, diff))
	dirs := map[string]bool{}
	mkdir := func(d string, mode int64, uid int) {
		if d == "" || dirs[d] {
			return
		}
		dirs[d] = true
		must(tw.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: d + "/", Mode: mode, Uid: uid, Gid: uid, ModTime: epoch}))
	}
	file := func(name string, mode int64, b []byte) {
		parts := strings.Split(path.Dir(name), "/")
		for i := range parts {
			if d := strings.Join(parts[:i+1], "/"); d != "." {
				mkdir(d, 0o755, 0)
			}
		}
		must(tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(b)), ModTime: epoch}))
		_, err := tw.Write(b)
		must(err)
	}
	mkdir("tmp", 0o1777, 0)
	file("etc/passwd", 0o644, []byte("root:x:0:0:root:/root:/\nnonroot:x:65532:65532:nonroot:/home/nonroot:/\npostgres:x:999:999:postgres:/:/\n"))
	file("etc/group", 0o644, []byte("root:x:0:\nnonroot:x:65532:\npostgres:x:999:\n"))
	args := flag.Args()
	sort.Strings(args)
	for _, a := range args {
		src, dst, ok := strings.Cut(a, "=")
		if !ok {
			log.Fatalf("want FILE=/path, got %q", a)
		}
		b, err := os.ReadFile(src)
		must(err)
		st, err := os.Stat(src)
		must(err)
		mode := int64(0o644)
		if st.Mode()&0o111 != 0 {
			mode = 0o755
		}
		file(strings.TrimPrefix(dst, "/"), mode, b)
	}
	must(tw.Close())
	must(gz.Close())
	cfg, err := json.Marshal(map[string]any{
		"architecture": "amd64", "os": "linux", "created": "1970-01-01T00:00:00Z",
		"config":  map[string]any{"User": *user, "Entrypoint": strings.Fields(*entry), "Cmd": strings.Fields(*cmd), "Env": []string{"PATH=" + *pathEnv}, "WorkingDir": "/", "StopSignal": *stop},
		"rootfs":  map[string]any{"type": "layers", "diff_ids": []string{fmt.Sprintf("sha256:%x", diff.Sum(nil))}},
		"history": []any{map[string]any{"created": "1970-01-01T00:00:00Z", "created_by": "mkimage"}},
	})
	must(err)
	cn := fmt.Sprintf("%x.json", sha256.Sum256(cfg))
	man, err := json.Marshal([]any{map[string]any{"Config": cn, "RepoTags": []string{*tag}, "Layers": []string{"layer.tar.gz"}}})
	must(err)
	f, err := os.Create(*out)
	must(err)
	ow := tar.NewWriter(f)
	for _, e := range []struct {
		n string
		b []byte
	}{{cn, cfg}, {"layer.tar.gz", layer.Bytes()}, {"manifest.json", man}} {
		must(ow.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: e.n, Mode: 0o644, Size: int64(len(e.b)), ModTime: epoch}))
		_, err = ow.Write(e.b)
		must(err)
	}
	must(ow.Close())
	must(f.Close())
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
