# What the test clusters are made of. Dapr's version is that of the sidecar.
KUBERNETES=v1.34.4
ETCD=v3.6.4
KEDA=v2.21.0
DAPR=$(sed -n 's#^require github.com/dapr/dapr \(v[^ ]*\).*#\1#p' "$ROOT/dapr/runtime/go.mod")
