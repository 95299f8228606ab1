#!/usr/bin/env bash
# Brings up a control plane, runs the tests of this folder on it, and ends it.
set -euo pipefail
cd "$(dirname "$0")"
cluster=../cluster/cluster.sh
$cluster check plane || { [ $? = 3 ] && exit 0; exit 1; }
began=$SECONDS
$cluster build plane
trap '$cluster down' EXIT
$cluster up plane
TASKWIRE_PLANE=$($cluster kubeconfig)
export TASKWIRE_PLANE
PATH=$(dirname "$(dirname "$(dirname "$TASKWIRE_PLANE")")")/bin:$PATH
for crds in "$(dirname "$(dirname "$(dirname "$TASKWIRE_PLANE")")")"/crds/*.yaml; do
  kubectl --kubeconfig "$TASKWIRE_PLANE" apply --server-side -f "$crds" >/dev/null
done
kubectl --kubeconfig "$TASKWIRE_PLANE" wait --for=condition=Established crd --all --timeout=60s >/dev/null
${GO:-go} test -count=1 -v -run . . | grep -v '^=== '
echo "the overlays on a control plane: $((SECONDS - began))s"
