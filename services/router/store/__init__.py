"""The router's rows in Postgres. Every function works within a transaction of one tenant."""
