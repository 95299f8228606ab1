#!/usr/bin/env bash
# Brings up a Kubernetes with Dapr on this machine, loads images made of this
# tree, applies the suite, and tries it. KEEP=1 leaves the cluster up.
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../../.. && pwd)
cluster=$root/test/kubernetes/cluster/cluster.sh
say() { echo "== ${SECONDS}s: $*"; }

code=0
$cluster check node || code=$?
if [ $code = 4 ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  say "installing the packages of a node"
  $cluster packages
  code=0
  $cluster check node || code=$?
fi
[ $code != 3 ] || { echo "skipped: make k8s-test needs a machine that can be a node"; exit 0; }
[ $code = 0 ] || exit $code
$cluster build node
say "images of this tree"
cd "$root"
${GO:-go} run ./images
${GO:-go} run ./images local
kube=$(dirname "$(dirname "$(dirname "$($cluster kubeconfig)")")")
$cluster postgres
CGO_ENABLED=0 ${GO:-go} build -trimpath -o "$kube/bin/stranger" ./test/kubernetes/stranger
"$kube/bin/mkimage" -o "$kube/images/stranger.tar" -t local.test/stranger:dev -e /stranger "$kube/bin/stranger=/stranger"
${GO:-go} test -c -o "$kube/bin/live.test" ./test/kubernetes/live

say "a node"
[ -n "${KEEP:-}" ] || trap '$cluster down' EXIT
$cluster up node
say "Dapr"
$cluster dapr
$cluster load .local/images/*.tar >/dev/null
say "the suite"
TASKWIRE_CLUSTER=$($cluster kubeconfig)
export TASKWIRE_CLUSTER PATH=$kube/bin:$PATH
# In the node's network, where a pod's and a Service's addresses lead somewhere.
$cluster in bash -c 'cd "$1" && shift && exec "$@"' - "$root/test/kubernetes/live" "$kube/bin/live.test" -test.v -test.failfast -test.timeout 60m "${@:--test.run=.}" |
  grep --line-buffered -v '^=== '
say "done"
