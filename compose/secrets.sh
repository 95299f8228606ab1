#!/usr/bin/env bash
# Makes the passwords, keys and certificates of docker-compose.yml in
# .local/compose: a file for each container that needs some. What is there
# already is left as it is, since the database keeps the passwords that it was
# made with.
#
# To begin anew: docker compose down --volumes; rm -r .local/compose
# For new certificates and new identities of the sidecars alone, see
# docs/operations.md, "Between sidecars".
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=.local/compose
services=$(sed -n 's/^  - appID: //p' dapr/dapr.yaml)
umask 077
mkdir -p "$folder"
random() { openssl rand -hex 24; }
# As one line, since the format of the .env files knows no other.
line() { sed ':a;N;$!ba;s/\n/\\n/g'; }

passwords() {
  local service owner password app sidecar role
  owner=$(random)
  {
    echo "POSTGRES_PASSWORD=$owner"
    for service in $services; do
      password=$(random) app=$(random) sidecar=$(random) role=${service//-/_}
      {
        echo "DATABASE_URL=postgres://$role:$password@postgres:5432/taskwire?sslmode=disable"
        echo "APP_API_TOKEN=$app"
        echo "DAPR_API_TOKEN=$sidecar"
      } >"$folder/$service.env"
      printf 'APP_API_TOKEN=%s\nDAPR_API_TOKEN=%s\n' "$app" "$sidecar" >"$folder/$service-sidecar.env"
      echo "${role^^}_PASSWORD=$password"
    done
  } >"$folder/postgres.env"
  echo "JWT_PRIVATE_KEY=\"$(openssl genpkey -algorithm ed25519 | line)\"" >>"$folder/task-api.env"
  # Last: it says that all of it is there.
  echo "MIGRATE_DATABASE_URL=postgres://taskwire:$owner@postgres:5432/taskwire?sslmode=disable" >"$folder/owner.env"
}

# certificate NAME SUBJECT EXTENSIONS [SIGNER]: NAME.key and NAME.crt in $new, for ten years.
certificate() {
  printf '[any]\nbasicConstraints=critical,CA:true%s\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n' "$3" >"$new/$1.conf"
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$new/$1.key"
  openssl req -new -key "$new/$1.key" -subj "/O=taskwire/CN=$2" -out "$new/$1.csr"
  local by=(-signkey "$new/$1.key")
  [ -z "${4:-}" ] || by=(-CA "$new/$4.crt" -CAkey "$new/$4.key")
  openssl x509 -req -in "$new/$1.csr" -days 3653 -sha256 -set_serial "0x$(openssl rand -hex 16)" \
    "${by[@]}" -extfile "$new/$1.conf" -extensions any -out "$new/$1.crt" 2>/dev/null
}

base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }

# signed JSON: as a JSON Web Token by $new/tokens.key.
signed() {
  local text
  text=$(printf '{"alg":"RS256","kid":"sidecars","typ":"JWT"}' | base64url).$(printf %s "$1" | base64url)
  printf '%s.%s' "$text" "$(printf %s "$text" | openssl dgst -sha256 -sign "$new/tokens.key" | base64url)"
}

# Who a sidecar is: sentry signs its certificate when it shows the token that is
# made for it here. The keys of the root and of the tokens are not kept: nobody
# can sign another issuer or another token with them.
identities() {
  new=$(mktemp -d "$folder/identity.XXXXXX")
  trap 'rm -rf "$new"' EXIT
  certificate root 'taskwire compose root' ''
  certificate issuer 'taskwire compose issuer' ',pathlen:0' root
  openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out "$new/tokens.key" 2>/dev/null
  mkdir "$new/sentry"
  mv "$new/issuer.crt" "$new/issuer.key" "$new/sentry"
  mv "$new/root.crt" "$new/sentry/ca.crt"
  printf '{"keys":[{"kty":"RSA","use":"sig","alg":"RS256","kid":"sidecars","e":"AQAB","n":"%s"}]}\n' \
    "$(printf "$(openssl rsa -in "$new/tokens.key" -noout -modulus | sed 's/.*=//; s/../\\x&/g')" | base64url)" >"$new/sentry/jwks.json"
  echo "DAPR_TRUST_ANCHORS=\"$(line <"$new/sentry/ca.crt")\"" >"$new/trust.env"
  local service
  for service in $services; do
    signed '{"aud":"spiffe://taskwire/ns/dapr-system/dapr-sentry","sub":"spiffe://public/ns/taskwire/'"$service"'"}' >"$new/$service.token"
  done
  rm "$new"/*.{key,csr,conf}
  # They are read in containers, by accounts that are not this one. On this
  # machine nobody else gets past .local/compose.
  chmod -R u=rwX,go=rX "$new"
  mv "$new" "$folder/identity"
  trap - EXIT
}

chmod 700 "$folder"
if [ -e "$folder/owner.env" ]; then
  echo "passwords and keys are in $folder already: nothing is changed"
else
  passwords
  echo "passwords and keys are in $folder"
fi
if [ -e "$folder/identity" ]; then
  echo "certificates and identities of the sidecars are in $folder/identity already: nothing is changed"
else
  identities
  echo "certificates and identities of the sidecars are in $folder/identity"
fi
