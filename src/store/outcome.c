#include "store/outcome.h"

#include <string.h>

static int failed(const struct query_result *at, struct err *e)
{
	if (at->outcome == QUERY_BAD_PARAMS)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "invalid database parameters in ipam: %s", at->text);
	if (at->ended == WAIT_CANCELLED)
		return err_set(e, CNI_TRY_AGAIN_LATER, "given up: %s", wait_reason(WAIT_CANCELLED));
	if (at->outcome == QUERY_NOT_SENT && at->sqlstate[0])
		return err_set(e, CNI_TRY_AGAIN_LATER, "the database refuses the connection: %s",
			       at->text);
	if (at->outcome == QUERY_NOT_SENT)
		return err_set(e, CNI_TRY_AGAIN_LATER, "database unreachable: %s", at->text);
	if (at->outcome != QUERY_REJECTED)
		return err_set(e, CNI_TRY_AGAIN_LATER,
			       "the database has not confirmed, the outcome is unknown: %s",
			       at->text);
	err_set(e, CNI_TRY_AGAIN_LATER, "the database refused: %s", at->text);
	if (strcmp(at->sqlstate, "42P01") == 0 || strcmp(at->sqlstate, "42703") == 0)
		err_details(e,
			    "SQLSTATE %s: the schema is missing or older than this build: run "
			    "sql/migrate.sh",
			    at->sqlstate);
	else if (strcmp(at->sqlstate, "22012") == 0) /* the guard in sql.c */
		err_set(e, CNI_TRY_AGAIN_LATER,
			"the database's schema does not work with this build (schema %d): run "
			"sql/migrate.sh, or install the plugins that belong to it",
			STORE_SCHEMA);
	else if (strcmp(at->sqlstate, "42501") == 0)
		err_details(e, "SQLSTATE 42501: the role lacks a right: run sql/provision.sh");
	else if (at->sqlstate[0])
		err_details(e, "SQLSTATE %s", at->sqlstate);
	return -1;
}

int outcome_done(const struct query_result *at, struct err *e)
{
	return at->outcome == QUERY_OK ? STORE_DONE : failed(at, e);
}

int outcome_insert(const struct query_result *at, struct err *e)
{
	if (at->outcome == QUERY_REJECTED && strcmp(at->sqlstate, "23505") == 0)
		return STORE_CONFLICT;
	return outcome_done(at, e);
}

int outcome_all_recorded(size_t recorded, const struct reservation *c, struct err *e)
{
	if (recorded == c->n_ips)
		return STORE_DONE;
	err_set(e, CNI_TRY_AGAIN_LATER, "the database recorded %zu of %zu addresses", recorded,
		c->n_ips);
	return err_details(e, "is there a trigger or a rule on the table ips?");
}

bool outcome_hides_warnings(const struct rows *r)
{
	const char *level = r->columns ? rows_get(r, 0, r->columns - 1) : NULL;

	return level && (strcmp(level, "error") == 0 || strcmp(level, "fatal") == 0 ||
			 strcmp(level, "panic") == 0);
}

int outcome_refuse_hidden(const struct rows *r, struct err *e)
{
	if (!outcome_hides_warnings(r))
		return STORE_DONE;
	err_set(e, CNI_TRY_AGAIN_LATER,
		"the server hides warnings (client_min_messages), so nobody could tell a commit "
		"that was not replicated");
	return err_details(
		e, "set client_min_messages to warning or lower for this role and database");
}
