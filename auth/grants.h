/* What a role may see, as of one look: an immutable, counted list of the database's tables.
 *
 * Private to auth. One query gives it whole; two of them can be compared, so that nobody is told of
 * a change that is none. */
#ifndef WALCAST_AUTH_GRANTS_H
#define WALCAST_AUTH_GRANTS_H

#include "auth/auth.h"

#include <stdatomic.h>

#define AUTH_GRANTS_MAGIC     UINT32_C(0x6772616e)
#define AUTH_TABLES_MAX       50000 /* of a database; of those beyond nothing is known */
#define AUTH_GRANTS_MAX_BYTES ((size_t)32 << 20)
#define AUTH_NAME_MAX         64 /* PostgreSQL's names, with a final NUL */

struct auth_table {
    core_slice schema;
    core_slice name;
    uint32_t oid;
    bool usage;                /* on the schema */
    bool select;               /* on the whole table */
    bool row_security;         /* applies to the role */
    core_slice policy;         /* with it: what its policies ask of a row */
    bool unread;               /* the policies are too long: none of its rows is given out */
    core_slice facts;          /* and of its columns, as the query gives it (policy.c) */
    bool published;            /* its changes are in the stream */
    const core_slice *columns; /* without `select`: those it may read, sorted */
    size_t column_count;
};

typedef struct {
    core_slice schema, name;
    expr_function function;
} auth_function;

struct auth_grants {
    uint32_t magic;
    atomic_uint references;
    bool exists;    /* the role does */
    bool bypass;    /* superuser or BYPASSRLS */
    bool truncated; /* more than AUTH_TABLES_MAX */
    core_arena arena;
    auth_table *tables; /* sorted by schema, then name, as bytes */
    size_t count;
    bool secured;             /* row-level security applies on some */
    auth_function *functions; /* sorted by schema, name, arguments */
    size_t function_count;
    uint64_t functions_hash;
};

/* Asks for all that role `name` may see, and what of it `publication` holds. With one reference;
 * NULL on error. */
CORE_MUST_CHECK auth_grants *auth_grants_query(pg_connection *connection, const char *name,
                                               const char *publication, core_error *error);
bool auth_grants_equal(const auth_grants *a, const auth_grants *b);
/* SELECT on some of it. */
bool auth_grants_readable(const auth_table *table);
/* The first table whose policies are too long to be read; NULL: none. */
const auth_table *auth_grants_unread(const auth_grants *grants);
/* As auth_role_secured. */
bool auth_grants_secured(const auth_grants *grants, core_slice schema, core_slice name);
/* NULL: no such table. */
const auth_table *auth_grants_find(const auth_grants *grants, core_slice schema, core_slice name);
/* ALLOWED or REFUSED, with a reason that says what to do, for a role that exists or does not. */
auth_access_verdict auth_grants_role_verdict(const auth_grants *grants, const char *role,
                                             char reason[AUTH_REASON_MAX]);
/* The same for a table, or FILTERED; it must be of grants whose role exists. */
auth_access_verdict auth_grants_table_verdict(const auth_table *table, const char *role,
                                              char reason[AUTH_REASON_MAX]);

#endif
