/* See source.h. */
#include "search-index/source.h"

#include <stdio.h>

#define TIME_MS "3000" /* of the statement */

static bool role_take(pg_connection *connection, core_arena *arena, const core_route_caller *caller,
                      core_error *error) {
    core_slice claims =
        caller->claims_json.length > 0 ? caller->claims_json : core_slice_text("{}");
    core_slice role = core_arena_copy(arena, caller->role);
    core_slice text = core_arena_copy(arena, claims);
    core_slice subject = core_arena_copy(arena, caller->subject);
    if (role.data == NULL || text.data == NULL || subject.data == NULL)
        return core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the caller's claims");
    const char *const parameters[] = {(const char *)role.data, (const char *)text.data,
                                      (const char *)subject.data};
    pg_result *result = pg_query(connection,
                                 "SELECT pg_catalog.set_config('request.jwt.claims', $2, true),"
                                 " pg_catalog.set_config('request.jwt.claim.sub', $3, true),"
                                 " pg_catalog.set_config('request.jwt.claim.role', $1, true),"
                                 " pg_catalog.set_config('statement_timeout', '" TIME_MS "', true),"
                                 " pg_catalog.set_config('role', $1, true)",
                                 parameters, 3, error);
    pg_result_free(result);
    return result != NULL;
}

static bool run(pg_connection *connection, const char *sql, core_error *error) {
    pg_result *result = pg_query(connection, sql, NULL, 0, error);
    pg_result_free(result);
    return result != NULL;
}

pg_result *search_source_ask(pg_connection *connection, core_arena *arena,
                             const search_source_question *question,
                             char sqlstate[SEARCH_SQLSTATE_SIZE], core_error *error) {
    core_error ignored;
    pg_result *result = NULL;
    if (run(connection, "BEGIN READ ONLY", error) &&
        (question->settings == NULL || run(connection, question->settings, error)) &&
        (question->caller != NULL
             ? role_take(connection, arena, question->caller, error)
             : run(connection, "SET LOCAL statement_timeout = " TIME_MS, error)))
        result = pg_query(connection, question->sql, question->parameters, question->count, error);
    if (result == NULL && strcmp(pg_connection_sqlstate(connection), "42501") == 0)
        error->code = CORE_ERROR_DENIED;
    if (sqlstate != NULL)
        (void)snprintf(sqlstate, SEARCH_SQLSTATE_SIZE, "%s", pg_connection_sqlstate(connection));
    (void)run(connection, "ROLLBACK", &ignored);
    return result;
}

void search_source_place(const search_table_facts *table, core_buffer *out) {
    pg_identifier_append(out, table->schema);
    core_buffer_u8(out, '.');
    pg_identifier_append(out, table->table);
}
