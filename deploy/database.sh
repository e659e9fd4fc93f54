#!/bin/sh
# Makes the database and its two roles in a new PostgreSQL: one owns the tables and migrates, the other serves. The image
# of PostgreSQL runs this once, when its volume is empty; by hand it wants PGHOST and the like, and the two passwords.
set -eu

psql -v ON_ERROR_STOP=1 -v owner="$DATABASE_OWNER_PASSWORD" -v password="$DATABASE_PASSWORD" \
  -U "${POSTGRES_USER:-postgres}" -d postgres <<'SQL'
CREATE ROLE onhand_owner LOGIN PASSWORD :'owner';
CREATE ROLE onhand LOGIN PASSWORD :'password';
CREATE DATABASE onhand OWNER onhand_owner ENCODING 'UTF8' TEMPLATE template0;
\connect onhand
REVOKE ALL ON SCHEMA public FROM PUBLIC;
ALTER SCHEMA public OWNER TO onhand_owner;
GRANT USAGE ON SCHEMA public TO onhand;
ALTER DEFAULT PRIVILEGES FOR ROLE onhand_owner IN SCHEMA public
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO onhand;
SQL
