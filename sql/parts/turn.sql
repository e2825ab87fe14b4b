-- Part of a transaction of provision.sh that changes roles: waits until it is its turn.
SET LOCAL lock_timeout = '1min';
SELECT rolsuper AS super FROM pg_catalog.pg_roles WHERE rolname = current_user \gset
\if :super
LOCK TABLE pg_catalog.pg_authid IN SHARE ROW EXCLUSIVE MODE;
\else
SELECT pg_catalog.pg_advisory_xact_lock(6910067, 1) \g /dev/null
\endif
