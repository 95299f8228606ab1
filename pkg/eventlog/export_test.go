package eventlog

// Schema is the SQL of the whole log; %[1]s is the schema, which it creates.
const Schema = "CREATE SCHEMA %[1]s;" + Tables + Partitions + Retention + Horizon
