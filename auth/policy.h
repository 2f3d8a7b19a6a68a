/* Row-level security as a role meets it: the policies that govern its SELECTs on a table, as one
 * SQL condition, and the SQL functions that such conditions call.
 *
 * Private to auth; part of a role's grants, and as immutable. Source: PostgreSQL's
 * src/backend/rewrite/rowsecurity.c (get_policies_for_relation, add_security_quals): of the
 * policies FOR SELECT or ALL that name the role or one whose rights it has, any permissive one must
 * let the row pass, and every restrictive one; with no permissive one nothing passes. */
#ifndef WALCAST_AUTH_POLICY_H
#define WALCAST_AUTH_POLICY_H

#include "auth/grants.h"

/* The condition of a table's policies, given as the query gives them: a JSON array of [permissive,
 * text]. Appends "false" when none lets anything pass. False when the array is not as expected. */
CORE_MUST_CHECK bool auth_policy_condition(core_slice json, core_buffer *out);

/* All of the database's SQL functions that could be inlined into a condition of `role`, into
 * `grants`: not set-returning, not SECURITY DEFINER, without settings of their own, in the language
 * SQL with its body as text, the only one of its name, and the role may execute it. At most
 * AUTH_FUNCTIONS_MAX; those beyond are not known. */
#define AUTH_FUNCTIONS_MAX     2000
#define AUTH_FUNCTION_BODY_MAX 8192
CORE_MUST_CHECK bool auth_policy_functions_query(pg_connection *connection, auth_grants *grants,
                                                 const char *role, core_error *error);
bool auth_policy_functions_equal(const auth_grants *a, const auth_grants *b);

#endif
