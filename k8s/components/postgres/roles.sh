#!/bin/sh
# Run once, by the postgres image, on an empty volume: a login for each service,
# which owns nothing, by the passwords in its environment (AUDIT_LOG_PASSWORD is
# that of audit_log). The owner (POSTGRES_USER) makes the schemas when it migrates.
# In a shell of its own: the image's entrypoint reads this file into itself where
# it is not executable, and would go on with what is set here.
(
  set -eu
  logins=$(env | sed -n '/^POSTGRES_/d; s/^\([A-Z_]*\)_PASSWORD=.*/\1/p' | tr A-Z a-z)
  {
    echo 'REVOKE ALL ON DATABASE taskwire FROM PUBLIC;'
    echo 'REVOKE ALL ON SCHEMA public FROM PUBLIC;'
    for login in $logins; do
      # psql reads the passwords from its environment: they are in no command line.
      echo "\\getenv password $(echo "${login}_password" | tr a-z A-Z)"
      echo "CREATE ROLE $login LOGIN PASSWORD :'password';"
      echo "GRANT CONNECT ON DATABASE taskwire TO $login;"
    done
  } | psql -v ON_ERROR_STOP=1 --no-psqlrc --username "$POSTGRES_USER" --dbname "$POSTGRES_DB"
)
