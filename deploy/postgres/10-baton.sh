#!/bin/bash
# First start only: Baton's login, which owns its database and may create roles, but is no superuser. So row-level security
# binds it as it does on a managed Postgres.
set -eu
psql --no-psqlrc -v ON_ERROR_STOP=1 -v password="$BATON_DATABASE_PASSWORD" -U "$POSTGRES_USER" -d postgres <<'SQL'
CREATE ROLE baton LOGIN CREATEROLE NOSUPERUSER NOBYPASSRLS PASSWORD :'password';
CREATE DATABASE baton OWNER baton;
SQL
