#!/usr/bin/env bash
# Makes the passwords and keys of docker-compose.yml, once, in .local/compose:
# a file for each container that needs some. A second run changes nothing, since
# the database keeps the passwords that it was made with.
#
# To begin anew: docker compose down --volumes; rm -r .local/compose
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=.local/compose
if [ -e "$folder/owner.env" ]; then
  echo "$folder is there already: nothing is changed"
  exit
fi
umask 077
mkdir -p "$folder"
random() { openssl rand -hex 24; }

owner=$(random)
{
  echo "POSTGRES_PASSWORD=$owner"
  for service in task-api audit-log recurring-task notification; do
    password=$(random) app=$(random) sidecar=$(random) role=${service//-/_}
    {
      echo "DATABASE_URL=postgres://$role:$password@postgres:5432/taskwire"
      echo "APP_API_TOKEN=$app"
      echo "DAPR_API_TOKEN=$sidecar"
    } >"$folder/$service.env"
    printf 'APP_API_TOKEN=%s\nDAPR_API_TOKEN=%s\n' "$app" "$sidecar" >"$folder/$service-sidecar.env"
    echo "${role^^}_PASSWORD=$password"
  done
} >"$folder/postgres.env"
# A line, since the format of these files knows no other.
echo "JWT_PRIVATE_KEY=\"$(openssl genpkey -algorithm ed25519 | sed ':a;N;$!ba;s/\n/\\n/g')\"" >>"$folder/task-api.env"
# Last: it says that all of it is there.
echo "MIGRATE_DATABASE_URL=postgres://taskwire:$owner@postgres:5432/taskwire" >"$folder/owner.env"
echo "passwords and keys are in $folder"
