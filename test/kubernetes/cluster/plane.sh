#!/usr/bin/env bash
# The control plane: etcd, the API server on 127.0.0.1:16443, the controllers and
# the scheduler. NODE, the address of a node, has the API listen there, too.
set -euo pipefail
mkdir -p "$RUN/log" "$RUN/etcd"
keys=$RUN/pki services=10.96.0.0/16 pods=10.97.0.0/24 etcd=http://127.0.0.1:12379
"$HERE/pki.sh" "127.0.0.1,10.96.0.1${NODE:+,$NODE}"

start() { # start PROGRAM ARGUMENT …
  setsid "$BIN/$1" "${@:2}" </dev/null >"$RUN/log/$1.log" 2>&1 &
  echo $! >"$RUN/$1.pid"
}

# until PROGRAM COMMAND …: wait until the command succeeds, while the program lives.
until_ready() {
  local program=$1 i
  shift
  for i in $(seq 1200); do
    "$@" >/dev/null 2>&1 && return
    kill -0 "$(cat "$RUN/$program.pid")" 2>/dev/null || break
    sleep 0.1
  done
  echo "$program is not ready:" >&2
  tail -20 "$RUN/log/$program.log" >&2
  exit 1
}

# Data that nobody needs after a crash is not synced to disk.
start etcd --data-dir "$RUN/etcd" --name test --listen-client-urls $etcd --advertise-client-urls $etcd \
  --listen-peer-urls http://127.0.0.1:12380 --initial-advertise-peer-urls http://127.0.0.1:12380 \
  --initial-cluster test=http://127.0.0.1:12380 --unsafe-no-fsync --log-level warn
if [ -n "${NODE:-}" ]; then
  address=(--bind-address 0.0.0.0 --advertise-address "$NODE")
else
  address=(--bind-address 127.0.0.1 --endpoint-reconciler-type none)
fi
start kube-apiserver --etcd-servers $etcd --secure-port 16443 "${address[@]}" --service-cluster-ip-range $services \
  --tls-cert-file "$keys/apiserver.crt" --tls-private-key-file "$keys/apiserver.key" --client-ca-file "$keys/ca.crt" \
  --token-auth-file "$keys/tokens.csv" --authorization-mode Node,RBAC --enable-admission-plugins NodeRestriction \
  --service-account-issuer https://kubernetes.default.svc.cluster.local \
  --service-account-key-file "$keys/accounts.pub" --service-account-signing-key-file "$keys/accounts.key" \
  --kubelet-certificate-authority "$keys/ca.crt" --kubelet-client-certificate "$keys/kubelet-client.crt" \
  --kubelet-client-key "$keys/kubelet-client.key" --kubelet-preferred-address-types InternalIP \
  --requestheader-client-ca-file "$keys/front-proxy-ca.crt" --requestheader-allowed-names front-proxy-client \
  --requestheader-username-headers X-Remote-User --requestheader-group-headers X-Remote-Group \
  --requestheader-extra-headers-prefix X-Remote-Extra- \
  --proxy-client-cert-file "$keys/front-proxy.crt" --proxy-client-key-file "$keys/front-proxy.key" \
  --enable-aggregator-routing --allow-privileged
until_ready kube-apiserver "$BIN/kubectl" get --raw /readyz
# Before the API server is ready they would find no rights, and end.
start kube-controller-manager --kubeconfig "$keys/kube-controller-manager.kubeconfig" \
  --authentication-kubeconfig "$keys/kube-controller-manager.kubeconfig" --authorization-kubeconfig "$keys/kube-controller-manager.kubeconfig" \
  --bind-address 127.0.0.1 --secure-port 16444 --leader-elect=false --use-service-account-credentials \
  --service-account-private-key-file "$keys/accounts.key" --root-ca-file "$keys/ca.crt" \
  --cluster-signing-cert-file "$keys/ca.crt" --cluster-signing-key-file "$keys/ca.key" \
  --service-cluster-ip-range $services --cluster-cidr $pods --allocate-node-cidrs=false
start kube-scheduler --kubeconfig "$keys/kube-scheduler.kubeconfig" --authentication-kubeconfig "$keys/kube-scheduler.kubeconfig" \
  --authorization-kubeconfig "$keys/kube-scheduler.kubeconfig" --bind-address 127.0.0.1 --secure-port 16445 --leader-elect=false
until_ready kube-controller-manager curl -skf https://127.0.0.1:16444/healthz
until_ready kube-scheduler curl -skf https://127.0.0.1:16445/healthz
until_ready kube-controller-manager "$BIN/kubectl" -n default get serviceaccount default
echo "the control plane is up"
