#!/usr/bin/env bash
# Prints the Secrets of an overlay, with new random passwords and keys:
#
#   kubectl apply -k k8s/overlays/local
#   k8s/secrets.sh local | kubectl create -f -
#
# The pods wait for their Secrets; the overlay, which makes the namespace, comes
# first. `create`, not `apply`: a second run must not change the passwords of a
# database that has the first ones. For production, set what the variables below
# name; your own way to make Secrets (External Secrets, Sealed Secrets) does as
# well, as long as names and keys are these.
set -euo pipefail

services=$(sed -n 's/^  - appID: //p' "$(dirname "${BASH_SOURCE[0]}")/../dapr/dapr.yaml")
# variable SERVICE: what names its password, AUDIT_LOG_PASSWORD for audit-log.
variable() { tr a-z- A-Z_ <<<"$1_password"; }

overlay=${1:-}
case $overlay in
local | local-redis)
  database='postgres:5432/taskwire?sslmode=disable' # both are pods of the suite
  owner=taskwire
  smtp='smtp://mail:1025?tls=off'
  from='taskwire <reminders@taskwire.local>'
  ;;
production | serverless)
  : "${DATABASE:?host:port/name of Postgres}"
  : "${DATABASE_CA_FILE:=}" # PEM file of the authority that signed its certificate, where no public one has
  : "${DATABASE_OWNER:=taskwire}" # the login that owns the schemas; its password is OWNER_PASSWORD
  : "${SMTP_URL:?smtp://user:password@host:587 or smtps://…}"
  : "${WITHOUT_TLS:=}" # allowed: Postgres and the mail server are spoken to as the two above say, as in a trial
  : "${MAIL_FROM:?sender of the reminders, an address or Name <address>}"
  : "${KAFKA_BROKERS:?host:port,host:port}" "${KAFKA_USERNAME:?}" "${KAFKA_PASSWORD:?}"
  : "${KAFKA_SASL:=scram_sha512}" # or scram_sha256, or plaintext
  : "${KAFKA_CA_FILE:?PEM file of the authority that signed the certificates of the brokers}"
  : "${OWNER_PASSWORD:?of the login that owns the schemas}"
  for service in $services; do # each has a login of its own: audit-log is audit_log
    given=$(variable "$service")
    : "${!given:?$given: of the login ${service//-/_}}"
  done
  database=$DATABASE owner=$DATABASE_OWNER smtp=$SMTP_URL from=$MAIL_FROM
  case $KAFKA_SASL in
  scram_sha512) mechanism=SHA-512 ;;
  scram_sha256) mechanism=SHA-256 ;;
  plaintext) mechanism=PLAINTEXT ;;
  *)
    echo "KAFKA_SASL: scram_sha512, scram_sha256 or plaintext, not $KAFKA_SASL" >&2
    exit 2
    ;;
  esac
  # Read here, where a file that is missing ends the script.
  kafka_ca=$(cat "$KAFKA_CA_FILE")
  # Encrypted, with a certificate that is checked, or not at all: "prefer" and an
  # offered STARTTLS are what whoever is in between takes away.
  if [ "${WITHOUT_TLS:-}" != allowed ]; then
    case ?${database#*\?} in
    *[?\&]sslmode=verify-full* | *[?\&]sslmode=verify-ca*) ;;
    *[?\&]sslmode=*)
      echo "DATABASE: sslmode must be verify-full (as without one) or verify-ca" >&2
      exit 2
      ;;
    *) case $database in *\?*) database+='&sslmode=verify-full' ;; *) database+='?sslmode=verify-full' ;; esac ;;
    esac
    case $smtp in
    smtps://*) ;;
    smtp://*\?*tls=required*) ;;
    smtp://*\?*tls=*)
      echo "SMTP_URL: tls must be required (as without one), or begin it with smtps://" >&2
      exit 2
      ;;
    smtp://*\?*) smtp+='&tls=required' ;;
    smtp://*) smtp+='?tls=required' ;;
    *)
      echo "SMTP_URL begins with neither smtp:// nor smtps://" >&2
      exit 2
      ;;
    esac
  fi
  keda=$database
  if [ -n "$DATABASE_CA_FILE" ]; then
    # KEDA does not have the file: it speaks TLS, and does not hold the
    # certificate against anything.
    keda=$(sed 's/sslmode=verify-[a-z]*/sslmode=require/' <<<"$database")
    database+='&sslrootcert=/etc/taskwire/database/ca.crt'
    database_ca=$(cat "$DATABASE_CA_FILE")
  fi
  ;;
*)
  echo "usage: k8s/secrets.sh local|local-redis|production|serverless" >&2
  exit 2
  ;;
esac

random() { openssl rand -hex 24; }

# secret NAME KEY VALUE [KEY VALUE …]
secret() {
  printf -- '---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: %s\n  namespace: taskwire\n  labels:\n    app.kubernetes.io/part-of: taskwire\ntype: Opaque\ndata:\n' "$1"
  shift
  while [ $# -gt 0 ]; do
    printf '  %s: %s\n' "$1" "$(printf %s "$2" | base64 | tr -d '\n')"
    shift 2
  done
}

# escaped TEXT: as it stands in a URL
escaped() {
  local LC_ALL=C text=$1 byte
  while [ -n "$text" ]; do
    byte=${text:0:1} text=${text:1}
    case $byte in
    [A-Za-z0-9._~-]) printf %s "$byte" ;;
    *) printf '%%%02X' "'$byte" ;;
    esac
  done
}

# url LOGIN PASSWORD [DATABASE]
url() { printf 'postgres://%s:%s@%s' "$(escaped "$1")" "$(escaped "$2")" "${3:-$database}"; }

# In production the logins are there already.
owner_password=${OWNER_PASSWORD:-$(random)}
secret database-owner MIGRATE_DATABASE_URL "$(url "$owner" "$owner_password")"
passwords=()
for service in $services; do
  given=$(variable "$service") login=${service//-/_}
  password=${!given:-$(random)}
  passwords+=("$given" "$password")
  set -- DATABASE_URL "$(url "$login" "$password")"
  case $service in
  task-api) set -- "$@" JWT_PRIVATE_KEY "$(openssl genpkey -algorithm ed25519)" ;;
  notification)
    set -- "$@" SMTP_URL "$smtp" MAIL_FROM "$from"
    scaler=$(url "$login" "$password" "${keda:-}")
    ;;
  esac
  secret "$service" "$@"
  # What its sidecar says to it, and it to its sidecar.
  secret "$service-app-token" token "$(random)"
  secret "$service-dapr-token" token "$(random)"
done

case $overlay in
local | local-redis)
  secret postgres POSTGRES_PASSWORD "$owner_password" "${passwords[@]}"
  secret redis password "$(random)"
  ;;
*)
  [ -z "$DATABASE_CA_FILE" ] || secret database-ca ca.crt "$database_ca"
  # sasl and tls are for KEDA (the overlay serverless), mechanism for the sidecars
  # (the same in Dapr's words), the others for both.
  secret notification-scaler connection "$scaler"
  secret kafka brokers "$KAFKA_BROKERS" username "$KAFKA_USERNAME" password "$KAFKA_PASSWORD" \
    ca.crt "$kafka_ca" sasl "$KAFKA_SASL" mechanism "$mechanism" tls enable
  ;;
esac
