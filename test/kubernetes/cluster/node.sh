#!/usr/bin/env bash
# The first process of the node's own namespaces (pid, mount, network, uts, ipc):
# all that the node does to processes, mounts and the network ends with it, and
# the machine's own network is out of its reach.
set -euo pipefail
NODE=10.99.0.1
export NODE
pods=10.97.0.0/24 keys=$RUN/pki
say() { echo "${SECONDS}s node: $*"; }

mount --make-rshared /
hostname node1
# Its own copies of what containerd, the kubelet and the network plugins write to.
mount -t tmpfs tmpfs /run
mkdir -p /run/netns /run/lock "$RUN"/{log,kubelet,containerd,cni,networks,pods,tun}
for place in /var/lib/kubelet:kubelet /var/lib/cni:networks /var/log/pods:pods; do
  mkdir -p "${place%%:*}"
  mount --bind "$RUN/${place#*:}" "${place%%:*}"
done
mkdir -p /var/log/containers
mount -t tmpfs tmpfs /var/log/containers
mount --make-rshared /var/lib/kubelet
# The kubelet would set these for the whole machine: it is shown what it wants.
for setting in vm/overcommit_memory:1 kernel/panic:10 kernel/panic_on_oops:1; do
  file=$RUN/tun/${setting%%/*}-$(basename "${setting%%:*}")
  echo "${setting#*:}" >"$file"
  mount --bind "$file" "/proc/sys/${setting%%:*}"
done

ip link set lo up
ip link add node0 type veth peer name node0p
ip addr add $NODE/24 dev node0
ip link set node0p up
ip link set node0 up
ip route add default via 10.99.0.254 dev node0
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.disable_ipv6=1

for controller in cpu cpuacct cpuset memory pids systemd devices freezer blkio hugetlb; do
  group=/sys/fs/cgroup/$controller
  [ -d $group ] || continue
  mkdir -p $group/taskwire-test
  if [ $controller = cpuset ]; then
    cat $group/cpuset.cpus >$group/taskwire-test/cpuset.cpus
    cat $group/cpuset.mems >$group/taskwire-test/cpuset.mems
  fi
done

echo "nameserver $NODE" >"$RUN/resolv.conf"
# Some machines forbid even root to lower oom_score_adj: runc would fail.
cat >"$RUN/containerd.toml" <<T
version = 2
root = "$RUN/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper"]
[grpc]
address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "local.test/pause:v1"
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"
default_runtime_name = "runc"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "$RUN/cni"
T
# Pods are routed, not bridged: the policies' enforcer sees what they send.
cat >"$RUN/cni/10-pods.conflist" <<J
{"cniVersion": "1.0.0", "name": "pods", "plugins": [
  {"type": "ptp", "mtu": 1500, "ipam": {"type": "host-local", "ranges": [[{"subnet": "$pods"}]], "routes": [{"dst": "0.0.0.0/0"}], "dataDir": "/var/lib/cni/networks"}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
J
start() { # start NAME PROGRAM ARGUMENT …
  setsid "${@:2}" </dev/null >"$RUN/log/$1.log" 2>&1 &
}
start containerd containerd --config "$RUN/containerd.toml" -l warn
containers() { ctr --address /run/containerd/containerd.sock -n k8s.io "$@"; }
until containers version >/dev/null 2>&1; do sleep 0.1; done
for image in "$IMAGES"/*.tar; do
  containers images import "$image" >>"$RUN/log/images.log" 2>&1 || { tail -3 "$RUN/log/images.log"; exit 1; }
done &
importing=$!
"$HERE/plane.sh"
wait $importing
say "$(containers images ls -q | grep -c :) images"

cat >"$RUN/kubelet.yaml" <<Y
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $keys/ca.crt}}
authorization: {mode: Webhook}
tlsCertFile: $keys/kubelet.crt
tlsPrivateKeyFile: $keys/kubelet.key
cgroupDriver: cgroupfs
cgroupRoot: /taskwire-test
failCgroupV1: false
failSwapOn: false
clusterDNS: [10.96.0.10]
clusterDomain: cluster.local
resolvConf: $RUN/resolv.conf
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: 100Mi, nodefs.available: "1%", imagefs.available: "1%", nodefs.inodesFree: "1%"}
enforceNodeAllocatable: [pods]
podCIDR: $pods
syncFrequency: 10s
nodeStatusUpdateFrequency: 5s
Y
start kubelet "$BIN/kubelet" --config "$RUN/kubelet.yaml" --kubeconfig "$keys/kubelet.kubeconfig" --hostname-override node1 --node-ip $NODE --root-dir /var/lib/kubelet
cat >"$RUN/kube-proxy.yaml" <<Y
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clusterCIDR: $pods
hostnameOverride: node1
bindAddress: $NODE
clientConnection: {kubeconfig: $keys/kube-proxy.kubeconfig}
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
Y
start kube-proxy "$BIN/kube-proxy" --config "$RUN/kube-proxy.yaml"
start netpol "$BIN/netpol" "$keys/admin.kubeconfig" $pods
"$BIN/kubectl" apply -f "$HERE/coredns.yaml" >"$RUN/log/coredns.log"

# A default StorageClass of folders, enough for the StatefulSets.
{
  echo '{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: standard, annotations: {storageclass.kubernetes.io/is-default-class: "true"}}, provisioner: kubernetes.io/no-provisioner, volumeBindingMode: WaitForFirstConsumer}'
  for i in 0 1 2 3 4 5 6 7; do
    mkdir -p "$RUN/volumes/$i"
    echo "---"
    echo "{apiVersion: v1, kind: PersistentVolume, metadata: {name: local-$i}, spec: {capacity: {storage: 20Gi}, accessModes: [ReadWriteOnce], storageClassName: standard, persistentVolumeReclaimPolicy: Retain, local: {path: $RUN/volumes/$i}, nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [node1]}]}]}}}}"
  done
} >"$RUN/storage.yaml"
"$BIN/kubectl" apply -f "$RUN/storage.yaml" >"$RUN/log/storage.log"
until "$BIN/kubectl" wait --for=condition=Ready node/node1 --timeout=60s >/dev/null 2>&1; do sleep 0.2; done
"$BIN/kubectl" -n kube-system rollout status deploy/coredns --timeout=60s >/dev/null
say "ready"
start api socat "UNIX-LISTEN:$RUN/api.sock,fork,unlink-early,mode=600" TCP:127.0.0.1:16443
touch "$RUN/node.ready"
while :; do
  sleep 3600 &
  wait $! || true
done
