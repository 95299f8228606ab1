#!/usr/bin/env bash
# Builds the programs of a test cluster into .local/kubernetes/bin, and the images
# of what runs in pods. Nothing is downloaded but Go modules; what is built
# already, of these versions, is not built again.
set -euo pipefail
. "$HERE/versions.sh"
mkdir -p "$BIN" "$IMAGES" "$KUBE/src"
export CGO_ENABLED=0 GOFLAGS="-mod=mod -buildvcs=false -trimpath" GOWORK=off

module() { GOFLAGS='' go mod download -json "$1" | jq -r .Dir; }

# program NAME VERSION FOLDER PACKAGE [LDFLAGS] [FLAGS …]
program() {
  local name=$1 version=$2 folder=$3 package=$4 ldflags=${5:-} began=$SECONDS
  shift 4 && { shift || true; }
  [ -x "$BIN/$name" ] && [ "$(cat "$BIN/.$name" 2>/dev/null)" = "$version" ] && return
  (cd "$folder" && go build "$@" -ldflags "-s -w $ldflags" -o "$BIN/$name" "$package") 2>"$KUBE/build.log" ||
    { grep -v '^go: downloading' "$KUBE/build.log"; echo "$name could not be built" >&2; exit 1; }
  echo "$version" >"$BIN/.$name"
  echo "built $name $version in $((SECONDS - began))s"
}

# source NAME: a copy of one of our modules, since building writes its go.sum.
source() {
  mkdir -p "$KUBE/src/$1"
  cp -r "$HERE/src/$1/." "$KUBE/src/$1/"
}

# Kubernetes is no library: its go.mod names its parts as folders. This one names
# them by the versions that they are published with.
kubernetes() {
  local dir=$KUBE/src/kubernetes from stamp='' p parts=v0.${KUBERNETES#v1.}
  for p in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    stamp="$stamp -X $p.gitVersion=$KUBERNETES -X $p.gitMajor=1 -X $p.gitMinor=$(cut -d. -f2 <<<"$KUBERNETES") -X $p.gitTreeState=archive"
  done
  if [ ! -e "$dir/go.mod" ] || ! grep -q "k8s.io/kubernetes $KUBERNETES$" "$dir/go.mod"; then
    from=$(module "k8s.io/kubernetes@$KUBERNETES")
    mkdir -p "$dir"
    {
      printf 'module kubernetes\n\n'
      grep -E '^(go|godebug) ' "$from/go.mod"
      printf '\nrequire (\n\tk8s.io/kubernetes %s\n' "$KUBERNETES"
      grep -E '^\s+\S+ v\S+' "$from/go.mod" | grep -v '=>' | sed -E "s#(k8s.io/[a-z-]+) v0.0.0( |\$)#\1 $parts\2#; s# // indirect##"
      echo ')'
    } >"$dir/go.mod"
    install -m 644 "$from/go.sum" "$dir/go.sum"
  fi
  for p in "$@"; do program "$p" "$KUBERNETES" "$dir" "k8s.io/kubernetes/cmd/$p" "$stamp"; done
}

# Dapr's own go.mod and go.sum, but for a module that its scheduler needs and the
# module proxy has only in the next version, the one of Dapr 1.18.2.
dapr() {
  local dir=$KUBE/src/dapr from next p
  if [ ! -e "$dir/go.mod" ] || ! grep -q "dapr/dapr $DAPR$" "$dir/go.mod"; then
    from=$(module "github.com/dapr/dapr@$DAPR")
    next=$(module github.com/dapr/dapr@v1.18.2)
    mkdir -p "$dir"
    {
      printf 'module dapr\n\n'
      grep -E '^go ' "$from/go.mod"
      printf '\nrequire github.com/dapr/dapr %s\nrequire github.com/diagridio/go-etcd-cron v0.12.6\n\n' "$DAPR"
      sed -n '/^replace/,/^)/p' "$from/go.mod"
    } >"$dir/go.mod"
    cat "$from/go.sum" <(grep 'diagridio/go-etcd-cron v0.12.6' "$next/go.sum") >"$dir/go.sum"
  fi
  for p in sentry injector operator placement scheduler; do
    program "dapr-$p" "$DAPR" "$dir" "github.com/dapr/dapr/cmd/$p" "-X github.com/dapr/dapr/pkg/buildinfo.version=${DAPR#v}"
  done
  program daprd "$DAPR" "$dir" github.com/dapr/dapr/cmd/daprd "-X github.com/dapr/dapr/pkg/buildinfo.version=${DAPR#v}" -tags stablecomponents
}

# image NAME:TAG PROGRAM: a program as an image, made again when it is newer.
image() {
  local tar=$IMAGES/$2.tar
  [ "$tar" -nt "$BIN/$2" ] || "$BIN/mkimage" -o "$tar" -t "$1" -e "/${2#dapr-}" "$BIN/$2=/${2#dapr-}"
}

# The CRDs of Dapr and KEDA come with their modules.
crds() {
  local dir
  mkdir -p "$KUBE/crds"
  [ -e "$KUBE/crds/.$DAPR-$KEDA" ] && return
  dir=$(module "github.com/dapr/dapr@$DAPR")
  cat "$dir"/charts/dapr/crds/*.yaml >"$KUBE/crds/dapr.yaml"
  dir=$(module "github.com/kedacore/keda/v2@$KEDA")
  cat "$dir"/config/crd/bases/keda.sh_scaledobjects.yaml "$dir"/config/crd/bases/keda.sh_triggerauthentications.yaml >"$KUBE/crds/keda.yaml"
  touch "$KUBE/crds/.$DAPR-$KEDA"
}

plane() {
  kubernetes kube-apiserver kube-controller-manager kube-scheduler kubectl
  source etcd
  program etcd "$ETCD" "$KUBE/src/etcd" go.etcd.io/etcd/server/v3
  crds
}

node() {
  local p
  plane
  kubernetes kubelet kube-proxy
  for p in coredns netpol tools helm; do source $p; done
  program coredns v1.12.4 "$KUBE/src/coredns" .
  # The same client library as Kubernetes' own.
  cp "$KUBE/src/kubernetes/go.sum" "$KUBE/src/netpol/go.sum"
  program netpol "$(cksum <"$HERE/src/netpol/main.go")" "$KUBE/src/netpol" .
  for p in mkimage pause; do program $p "$(cksum <"$HERE/src/tools/$p/main.go")" "$KUBE/src/tools" ./$p; done
  dapr
  [ -x "$BIN/helm" ] || cp "$(module helm.sh/helm/v3@v3.22.0)/go.sum" "$KUBE/src/helm/go.sum"
  program helm v3.22.0 "$KUBE/src/helm" helm.sh/helm/v3/cmd/helm
  image local.test/pause:v1 pause
  image local.test/coredns:v1 coredns
  for p in sentry injector operator placement scheduler; do image "local.test/dapr/$p:${DAPR#v}" "dapr-$p"; done
  image "local.test/dapr/daprd:${DAPR#v}" daprd
}

"$1"
