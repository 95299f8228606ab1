#!/usr/bin/env bash
# pki.sh ADDRESS,…: the keys of a control plane, a token for its admin, and a
# kubeconfig for each of its parts, in $RUN/pki.
set -euo pipefail
mkdir -p "$RUN/pki"
chmod 700 "$RUN/pki"
cd "$RUN/pki"
quiet() { openssl "$@" 2>/dev/null; }

authority() { # authority FILE NAME
  quiet ecparam -name prime256v1 -genkey -noout -out "$1.key"
  quiet req -x509 -new -key "$1.key" -subj "/CN=$2" -days 30 -out "$1.crt" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
}

certificate() { # certificate FILE SUBJECT ALTERNATIVE-NAMES AUTHORITY USAGE
  quiet ecparam -name prime256v1 -genkey -noout -out "$1.key"
  {
    echo "extendedKeyUsage=$5"
    echo "keyUsage=digitalSignature"
    [ -z "$3" ] || echo "subjectAltName=$3"
  } >"$1.ext"
  quiet req -new -key "$1.key" -subj "$2" | quiet x509 -req -CA "$4.crt" -CAkey "$4.key" -CAcreateserial -days 30 -extfile "$1.ext" -out "$1.crt"
}

kubeconfig() { # kubeconfig FILE USER
  cat >"$1" <<K
apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: "https://127.0.0.1:16443", certificate-authority-data: $(base64 -w0 ca.crt)}}]
users: [{name: user, user: {$2}}]
contexts: [{name: test, context: {cluster: test, user: user}}]
current-context: test
K
}

addresses=$(for a in ${1//,/ }; do printf ',IP:%s' "$a"; done)
authority ca taskwire-test
authority front-proxy-ca taskwire-test-front-proxy
quiet genrsa -out accounts.key 2048
quiet rsa -in accounts.key -pubout -out accounts.pub

certificate apiserver /CN=kube-apiserver "DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc$addresses" ca serverAuth
certificate kubelet-client /O=system:masters/CN=apiserver-kubelet-client "" ca clientAuth
certificate front-proxy /CN=front-proxy-client "" front-proxy-ca clientAuth
certificate kubelet /O=system:nodes/CN=system:node:node1 "DNS:node1$addresses" ca serverAuth,clientAuth
for part in kube-controller-manager kube-scheduler kube-proxy; do
  certificate $part /CN=system:$part "" ca clientAuth
done
for part in kube-controller-manager kube-scheduler kube-proxy kubelet; do
  kubeconfig $part.kubeconfig "client-certificate-data: $(base64 -w0 $part.crt), client-key-data: $(base64 -w0 $part.key)"
done
umask 077
openssl rand -hex 24 >admin.token
echo "$(cat admin.token),admin,admin,\"system:masters\"" >tokens.csv
kubeconfig admin.kubeconfig "token: $(cat admin.token)"
