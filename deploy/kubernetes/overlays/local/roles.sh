#!/bin/sh
# Run once by PostgreSQL's image, on an empty volume: the role of the service. Its rights come with the migration.
# Every user of the machine can read a command's arguments, so the statement with the password is not one.
set -eu
password=$(cat /run/secrets/service_password)
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<SQL
CREATE ROLE credit_scoring LOGIN PASSWORD '$password'
SQL
