#!/bin/sh
# Run once, by the postgres image, on an empty volume: a login for each service,
# which owns nothing, by the passwords in its environment (AUDIT_LOG_PASSWORD is
# that of audit_log). The owner (POSTGRES_USER) makes the schemas when it migrates.
# In a shell of its own: the image's entrypoint reads this file into itself where
# it is not executable, and would go on with what is set here.
(
  set -eu
  {
    printf '%s\n' 'REVOKE ALL ON DATABASE taskwire FROM PUBLIC;' 'REVOKE ALL ON SCHEMA public FROM PUBLIC;'
    # Of sh "export NAME='value'", of bash "declare -x NAME="value"".
    export -p | while read -r _ variable; do
      variable=${variable#-x } variable=${variable%%=*}
      case $variable in
      POSTGRES_PASSWORD) ;;
      *_PASSWORD)
        login=${variable%_PASSWORD} # in lower case, as Postgres reads names
        # psql reads the passwords from its environment: they are in no command line.
        printf '%s\n' "\\getenv password $variable" "CREATE ROLE $login LOGIN PASSWORD :'password';" \
          "GRANT CONNECT ON DATABASE taskwire TO $login;"
        ;;
      esac
    done
  } | psql -v ON_ERROR_STOP=1 --no-psqlrc --username "$POSTGRES_USER" --dbname "$POSTGRES_DB"
)
