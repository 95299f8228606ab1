#!/usr/bin/env bash
# A real Kubernetes on this machine, without Docker and without a registry: built
# from Go modules, run from .local/kubernetes (KUBE_DIR).
#
#   cluster.sh check plane|node    say what this machine lacks, with exit code 3,
#                                  or 4 where it is packages alone
#   cluster.sh packages            install the Debian packages that a node needs
#   cluster.sh build plane|node    build the programs (minutes, the first time)
#   cluster.sh up plane            etcd, API server, controllers, scheduler: no pod runs
#   cluster.sh up node             the same and a node, in namespaces of its own (root)
#   cluster.sh postgres            make an image of this machine's Postgres
#   cluster.sh load IMAGE.tar …    give images to the node
#   cluster.sh dapr                install Dapr's control plane on the node
#   cluster.sh in COMMAND …        run something in the node's network
#   cluster.sh kubeconfig          print the path of the kubeconfig
#   cluster.sh down                end it, and forget its state
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$HERE/../../.." && pwd)
KUBE=${KUBE_DIR:-$ROOT/.local/kubernetes}
BIN=$KUBE/bin IMAGES=$KUBE/images RUN=$KUBE/run
export HERE ROOT KUBE BIN IMAGES RUN
export KUBECONFIG=$RUN/pki/admin.kubeconfig
PATH=$BIN:$PATH:/usr/sbin:/sbin
PACKAGES=(openssl curl jq postgresql containerd runc containernetworking-plugins nftables iptables ipset conntrack socat)

check() {
  local missing=() packages=() p
  for p in openssl curl jq; do command -v $p >/dev/null || packages+=("$p"); done
  if [ "$1" = node ]; then
    [ "$(uname -s)" = Linux ] || missing+=(Linux)
    [ "$(id -u)" = 0 ] || missing+=("root")
    [ -d /sys/fs/cgroup/memory ] || [ -e /sys/fs/cgroup/cgroup.controllers ] || missing+=("cgroups")
    [ -w /sys/fs/cgroup ] || missing+=("a writable /sys/fs/cgroup")
    unshare --mount --net --pid --uts --ipc --fork true 2>/dev/null || missing+=("namespaces (unshare)")
    for p in containerd runc nft iptables conntrack socat; do
      command -v $p >/dev/null || packages+=("$p")
    done
    compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || packages+=(postgresql)
  fi
  local list
  list=$(printf '%s, ' "${missing[@]}" "${packages[@]}")
  [ ${#missing[@]} -eq 0 ] || { echo "no test cluster ($1): this machine lacks ${list%, }"; exit 3; }
  [ ${#packages[@]} -eq 0 ] || { echo "no test cluster ($1) yet: this machine lacks ${list%, } (cluster.sh packages)"; exit 4; }
}

up_node() {
  rm -f "$RUN/node.ready"
  mkdir -p "$RUN/log"
  setsid unshare --mount --net --pid --uts --ipc --fork --kill-child --mount-proc --propagation slave \
    "$HERE/node.sh" </dev/null >"$RUN/log/node.log" 2>&1 &
  echo $! >"$RUN/node.pid"
  while [ ! -e "$RUN/node.ready" ]; do
    kill -0 "$(cat "$RUN/node.pid")" 2>/dev/null || { cat "$RUN/log/node.log"; echo "the node ended" >&2; exit 1; }
    sleep 0.1
  done
  cat "$RUN/log/node.log"
  # The node's network has no way out; the API comes out by a socket.
  setsid socat TCP-LISTEN:16443,bind=127.0.0.1,reuseaddr,fork UNIX-CONNECT:"$RUN/api.sock" </dev/null >"$RUN/log/api.log" 2>&1 &
  echo $! >"$RUN/api.pid"
}

inside() {
  local unshared init
  unshared=$(cat "$RUN/node.pid")
  init=$(tr -d ' ' <"/proc/$unshared/task/$unshared/children")
  exec nsenter --target "$init" --mount --net --pid --uts --ipc --wd=/ -- "$@"
}

load() {
  local image
  for image in "$@"; do
    (inside ctr --address /run/containerd/containerd.sock -n k8s.io images import "$(realpath "$image")")
  done
}

# Only what has been started here is ended: by its pid, if that is still it.
down() {
  local file pid name
  for name in api node kube-scheduler kube-controller-manager kube-apiserver etcd; do
    file=$RUN/$name.pid
    # The plane within a node wrote numbers of the node's own.
    [ -e "$file" ] && { [ ! -e "$RUN/node.ready" ] || [ $name = api ] || [ $name = node ]; } || continue
    pid=$(cat "$file")
    if { tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null | grep -qF -e "$HERE" -e "$BIN" -e "$RUN"; then
      # Killed, the node takes all of its processes, mounts and links with it.
      if [ $name = node ]; then kill -9 "$pid"; else kill "$pid"; fi
      while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
    fi
  done
  local group i
  for group in /sys/fs/cgroup/taskwire-test /sys/fs/cgroup/*/taskwire-test; do
    for i in $(seq 50); do
      [ -d "$group" ] || break
      # A group can go when its processes have gone.
      find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.1
    done
  done
  rm -rf "$RUN"
}

command=${1:-}
shift || true
case $command in
check) check "${1:-node}" ;;
packages) apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${PACKAGES[@]}" ;;
build) "$HERE/build.sh" "${1:-node}" ;;
up)
  if [ "${1:-}" = plane ]; then "$HERE/plane.sh"; else up_node; fi
  ;;
postgres) "$HERE/postgres.sh" ;;
load) load "$@" ;;
dapr) "$HERE/dapr.sh" ;;
in) inside "$@" ;;
kubeconfig) echo "$KUBECONFIG" ;;
down) down ;;
*)
  sed -n '2,/^set /s/^# \{0,1\}//p' "$0" | sed '/^set /d'
  exit 2
  ;;
esac
