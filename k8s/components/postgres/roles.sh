#!/bin/sh
# Run once, by the postgres image, on an empty volume: a login for each service,
# which owns nothing. The owner (POSTGRES_USER) makes the schemas when it migrates.
# In a shell of its own: the image's entrypoint reads this file into itself where
# it is not executable, and would go on with what is set here.
(
  set -eu
  # psql reads the passwords from its environment: they are in no command line.
  psql -v ON_ERROR_STOP=1 --no-psqlrc --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
\getenv task_api TASK_API_PASSWORD
\getenv audit_log AUDIT_LOG_PASSWORD
\getenv recurring_task RECURRING_TASK_PASSWORD
\getenv notification NOTIFICATION_PASSWORD
CREATE ROLE task_api LOGIN PASSWORD :'task_api';
CREATE ROLE audit_log LOGIN PASSWORD :'audit_log';
CREATE ROLE recurring_task LOGIN PASSWORD :'recurring_task';
CREATE ROLE notification LOGIN PASSWORD :'notification';
REVOKE ALL ON DATABASE taskwire FROM PUBLIC;
GRANT CONNECT ON DATABASE taskwire TO task_api, audit_log, recurring_task, notification;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
SQL
)
