#!/usr/bin/env bash
# Installs Dapr from its own chart, with the images that were built here, and
# waits until it is ready.
set -euo pipefail
. "$HERE/versions.sh"
chart=$RUN/dapr-chart
export HELM_CACHE_HOME=$RUN/helm HELM_CONFIG_HOME=$RUN/helm HELM_DATA_HOME=$RUN/helm
rm -rf "$chart"
cp -r "$(go mod download -json "github.com/dapr/dapr@$DAPR" | jq -r .Dir)/charts/dapr" "$chart"
chmod -R u+w "$chart"
"$BIN/kubectl" apply --server-side --force-conflicts -f "$KUBE/crds/dapr.yaml" >/dev/null
# Without its capabilities dropped, a sidecar is no part of a restricted namespace.
"$BIN/helm" upgrade --install dapr "$chart" -n dapr-system --create-namespace --skip-crds \
  --set "global.registry=local.test/dapr,global.tag=${DAPR#v},global.imagePullPolicy=Never" \
  --set dapr_sidecar_injector.sidecarImagePullPolicy=Never,dapr_sidecar_injector.sidecarDropALLCapabilities=true \
  --set dapr_scheduler.cluster.inMemoryStorage=true >"$RUN/log/helm.log"
for part in deploy/dapr-sentry deploy/dapr-operator deploy/dapr-sidecar-injector statefulset/dapr-placement-server statefulset/dapr-scheduler-server; do
  "$BIN/kubectl" -n dapr-system rollout status "$part" --timeout=180s >/dev/null
done
"$BIN/kubectl" -n dapr-system get pods
