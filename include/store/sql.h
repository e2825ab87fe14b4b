/* The statements, all of them. */
#ifndef STORE_SQL_H
#define STORE_SQL_H

enum sql {
	SQL_INSERT,
	SQL_INSERT_ONE,
	SQL_LOOK,
	SQL_CONFIRM,
	SQL_TAKE,
	SQL_RELEASE,
	SQL_DEL,
	SQL_GC,
	SQL_STATUS,
	SQLS
};

/* Everything is schema-qualified: no search_path changes what a statement means. Parameters are $n.
 */
extern const char *const sql_text[SQLS];

#endif
