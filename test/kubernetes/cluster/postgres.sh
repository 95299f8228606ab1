#!/usr/bin/env bash
# Makes the image local.test/postgres:dev of the Debian package postgresql that is
# installed here: its programs, the libraries they need, a shell for initdb, and
# the entrypoint of test/kubernetes/postgres.
set -euo pipefail
found=(/usr/lib/postgresql/*/bin/postgres)
programs=$(dirname "${found[-1]}")
[ -x "$programs/postgres" ] || { echo "no Postgres to make an image of (apt-get install postgresql)" >&2; exit 3; }
version=$(basename "$(dirname "$programs")")
(cd "$ROOT/test" && CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o "$BIN/postgres-entrypoint" ./kubernetes/postgres)

declare -A files # place in the image: file
add() { # add FILE [PLACE]: with the libraries that it is linked to
  local library
  files[${2:-$1}]=$(readlink -f "$1")
  while read -r library; do
    [ -z "$library" ] || files[$library]=$(readlink -f "$library")
  done < <(ldd "$1" 2>/dev/null | grep -o '/[^ ]*\.so[^ ]*' || true)
}
files[/entrypoint]=$BIN/postgres-entrypoint
add /bin/dash /bin/sh
for p in postgres initdb psql pg_ctl pg_isready pg_dump pg_restore; do add "$programs/$p"; done
for p in "$(dirname "$programs")"/lib/*.so; do
  [[ $p == *llvm* ]] || add "$p" # compiling queries is not worth its 100 MB
done
while IFS= read -r -d '' p; do
  files[$p]=$(readlink -f "$p")
done < <(find -L "/usr/share/postgresql/$version" /usr/share/zoneinfo /usr/lib/locale/C.utf8 \
  \( -path '*/man' -o -path '*/posix' -o -path '*/right' \) -prune -o -type f -print0)
arguments=()
for p in "${!files[@]}"; do arguments+=("${files[$p]}=$p"); done
"$BIN/mkimage" -o "$IMAGES/postgres.tar" -t local.test/postgres:dev -p "$programs:/bin" -s SIGINT -e /entrypoint "${arguments[@]}"
