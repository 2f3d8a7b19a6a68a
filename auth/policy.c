/* See policy.h. Texts come from pg_get_expr under an empty search_path, so what is not PostgreSQL's
 * own is named with its schema. */
#include "auth/policy.h"

#include <stdlib.h>

/* ---- Policies of a table ---- */

/* One element, [permissive, text]. */
static bool policy_read(core_json_reader *json, bool *permissive, core_slice *raw) {
    core_json_token first = core_json_next(json);
    core_json_token second = core_json_next(json);
    *permissive = core_json_is_true(first);
    *raw = second.raw;
    return second.kind == CORE_JSON_STRING && core_json_next(json).kind == CORE_JSON_ARRAY_CLOSE;
}

/* Those of one sort, joined by `word` in parentheses; how many. */
static bool policies_append(core_slice array, bool permissive, const char *word, core_buffer *out,
                            size_t *count) {
    core_json_reader json = core_json_reader_make(array);
    *count = 0;
    if (core_json_next(&json).kind != CORE_JSON_ARRAY_OPEN)
        return false;
    for (;;) {
        bool is_permissive;
        core_slice raw;
        core_json_token token = core_json_next(&json);
        if (token.kind == CORE_JSON_ARRAY_CLOSE)
            return true;
        if (token.kind != CORE_JSON_ARRAY_OPEN || !policy_read(&json, &is_permissive, &raw))
            return false;
        if (is_permissive != permissive)
            continue;
        core_buffer_text(out, (*count)++ > 0 ? word : "");
        core_buffer_u8(out, '(');
        if (!core_json_unescape(raw, out))
            return false;
        core_buffer_u8(out, ')');
    }
}

bool auth_policy_condition(core_slice json, core_buffer *out) {
    size_t start = out->length, permissive, restrictive;
    core_buffer_u8(out, '(');
    if (!policies_append(json, true, " OR ", out, &permissive))
        return false;
    if (permissive == 0) {
        out->length = start;
        core_buffer_text(out, "false");
        return core_buffer_ok(out);
    }
    core_buffer_text(out, ") AND (");
    if (!policies_append(json, false, " AND ", out, &restrictive))
        return false;
    if (restrictive == 0)
        out->length -= strlen(" AND (");
    else
        core_buffer_u8(out, ')');
    return core_buffer_ok(out);
}

/* ---- Functions ---- */

#define TEXT_OF(number)  TEXT_OF_(number)
#define TEXT_OF_(number) #number

enum {
    FUNCTION_SCHEMA,
    FUNCTION_NAME,
    FUNCTION_RESULT,
    FUNCTION_STRICT,
    FUNCTION_BODY,
    FUNCTION_TYPES,
    FUNCTION_NAMES,
    FUNCTION_COUNT,
};

/* Newer bodies that are no text (prosqlbody) have an empty prosrc. Names of arguments that are not
 * all IN would need more care than it is worth: such functions are left out. So are those beside
 * which a call of that name could mean another, in whatever language, and those that the role may
 * not execute, where PostgreSQL fails. */
#define FUNCTION_BODY_SQL                                                                          \
    " AND p.prosrc <> '' AND length(p.prosrc) <= " TEXT_OF(AUTH_FUNCTION_BODY_MAX)
#define FUNCTION_ARGUMENTS_SQL " AND p.pronargs <= " TEXT_OF(EXPR_FUNCTION_ARGUMENTS_MAX)

/* $1: the role. */
static const char functions_sql[] =
    "SELECT n.nspname, p.proname, p.prorettype, p.proisstrict, p.prosrc,"
    " (SELECT coalesce(json_agg(t::int8 ORDER BY i), '[]') FROM"
    "   unnest(p.proargtypes) WITH ORDINALITY AS a(t, i)),"
    " coalesce(to_json(p.proargnames), '[]'), p.pronargs"
    " FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
    " JOIN pg_language l ON l.oid = p.prolang"
    " WHERE l.lanname = 'sql' AND p.prokind = 'f' AND NOT p.proretset AND NOT p.prosecdef"
    " AND p.proconfig IS NULL AND p.provolatile IN ('i', 's') AND p.proargmodes IS NULL"
    " AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
    " AND has_function_privilege($1::name, p.oid, 'EXECUTE')"
    " AND NOT EXISTS (SELECT FROM pg_proc o WHERE o.proname = p.proname"
    "  AND o.pronamespace = p.pronamespace AND o.oid <> p.oid AND (o.provariadic <> 0"
    "  OR p.pronargs BETWEEN o.pronargs - o.pronargdefaults AND o.pronargs))" FUNCTION_BODY_SQL
        FUNCTION_ARGUMENTS_SQL " ORDER BY n.nspname COLLATE \"C\", p.proname COLLATE \"C\","
    " p.pronargs, p.oid LIMIT " TEXT_OF(AUTH_FUNCTIONS_MAX);

static bool text_keep(core_arena *arena, const char *text, core_slice *kept) {
    *kept = core_arena_copy(arena, core_slice_text(text != NULL ? text : ""));
    return kept->data != NULL;
}

static bool oid_read(core_slice text, uint32_t *oid) {
    uint64_t number;
    if (!core_slice_to_u64(text, &number) || number > UINT32_MAX)
        return false;
    *oid = (uint32_t)number;
    return true;
}

/* A JSON array of OIDs. */
static bool types_read(const char *text, auth_function *function) {
    core_json_reader json = core_json_reader_make(core_slice_text(text));
    (void)core_json_next(&json);
    for (size_t i = 0; i < function->function.argument_count; i++)
        if (!oid_read(core_json_next(&json).raw, &function->function.argument_oids[i]))
            return false;
    return true;
}

/* A JSON array of names, or an empty one. */
static bool names_read(core_arena *arena, const char *text, auth_function *function) {
    char bytes[AUTH_NAME_MAX * 6];
    core_json_reader json = core_json_reader_make(core_slice_text(text));
    (void)core_json_next(&json);
    for (size_t i = 0; i < function->function.argument_count; i++) {
        core_json_token token = core_json_next(&json);
        core_buffer plain = core_buffer_over(bytes, sizeof bytes);
        if (token.kind != CORE_JSON_STRING)
            return true;
        if (!core_json_unescape(token.raw, &plain) || !core_buffer_ok(&plain))
            return false;
        function->function.argument_names[i] = core_arena_copy(arena, core_buffer_slice(&plain));
        if (plain.length > 0 && function->function.argument_names[i].data == NULL)
            return false;
    }
    return true;
}

static uint64_t hash_mix(uint64_t hash, core_slice text) {
    return (hash ^ core_slice_hash(text)) * UINT64_C(1099511628211);
}

static uint64_t function_hash(uint64_t hash, const auth_function *made) {
    const expr_function *function = &made->function;
    hash = hash_mix(hash_mix(hash_mix(hash, made->schema), made->name), function->body);
    for (size_t i = 0; i < function->argument_count; i++)
        hash = hash_mix(hash, function->argument_names[i]) + function->argument_oids[i];
    return (hash + function->result_oid) * 2 + function->is_strict;
}

static bool function_read(auth_grants *grants, const pg_result *result, size_t row) {
    auth_function *function = &grants->functions[grants->function_count];
    uint64_t count;
    *function = (auth_function){
        .function = {.is_strict = pg_result_value(result, row, FUNCTION_STRICT)[0] == 't'},
    };
    if (!core_slice_to_u64(core_slice_text(pg_result_value(result, row, FUNCTION_COUNT)), &count) ||
        count > EXPR_FUNCTION_ARGUMENTS_MAX)
        return false;
    function->function.argument_count = (size_t)count;
    if (!text_keep(&grants->arena, pg_result_value(result, row, FUNCTION_SCHEMA),
                   &function->schema) ||
        !text_keep(&grants->arena, pg_result_value(result, row, FUNCTION_NAME), &function->name) ||
        !text_keep(&grants->arena, pg_result_value(result, row, FUNCTION_BODY),
                   &function->function.body) ||
        !oid_read(core_slice_text(pg_result_value(result, row, FUNCTION_RESULT)),
                  &function->function.result_oid) ||
        !types_read(pg_result_value(result, row, FUNCTION_TYPES), function) ||
        !names_read(&grants->arena, pg_result_value(result, row, FUNCTION_NAMES), function))
        return false;
    grants->function_count++;
    grants->functions_hash = function_hash(grants->functions_hash, function);
    return true;
}

uint64_t auth_policy_hash(const auth_grants *grants, const auth_table *table) {
    return hash_mix(hash_mix(grants->functions_hash, table->policy), table->facts);
}

bool auth_policy_functions_query(pg_connection *connection, auth_grants *grants, const char *role,
                                 core_error *error) {
    const char *const parameters[] = {role};
    pg_result *result = pg_query_kept(connection, functions_sql, parameters, 1, error);
    if (result == NULL)
        return core_error_wrap(error, "asking for the functions of policies");
    size_t rows = pg_result_rows(result);
    grants->functions = core_arena_array(&grants->arena, rows + 1, sizeof *grants->functions);
    bool ok = grants->functions != NULL;
    for (size_t row = 0; ok && row < rows; row++)
        ok = function_read(grants, result, row);
    pg_result_free(result);
    return ok || core_error_set(error, CORE_ERROR_LIMIT,
                                "the functions of policies do not fit into memory");
}

static bool function_equal(const auth_function *a, const auth_function *b) {
    const expr_function *one = &a->function, *other = &b->function;
    if (one->result_oid != other->result_oid || one->is_strict != other->is_strict ||
        one->argument_count != other->argument_count || !core_slice_equal(a->schema, b->schema) ||
        !core_slice_equal(a->name, b->name) || !core_slice_equal(one->body, other->body))
        return false;
    for (size_t i = 0; i < one->argument_count; i++)
        if (one->argument_oids[i] != other->argument_oids[i] ||
            !core_slice_equal(one->argument_names[i], other->argument_names[i]))
            return false;
    return true;
}

bool auth_policy_functions_equal(const auth_grants *a, const auth_grants *b) {
    if (a->function_count != b->function_count)
        return false;
    for (size_t i = 0; i < a->function_count; i++)
        if (!function_equal(&a->functions[i], &b->functions[i]))
            return false;
    return true;
}

bool auth_grants_function(const auth_grants *grants, core_slice schema, core_slice name,
                          size_t arguments, expr_function *function) {
    const auth_function *found = NULL;
    for (size_t i = 0; i < grants->function_count; i++) {
        const auth_function *at = &grants->functions[i];
        if (at->function.argument_count != arguments || !core_slice_equal(at->name, name) ||
            !core_slice_equal(at->schema, schema))
            continue;
        if (found != NULL)
            return false; /* overloaded: types would have to decide */
        found = at;
    }
    if (found != NULL)
        *function = found->function;
    return found != NULL;
}

/* ---- Facts of columns ---- */

/* One element, [name, collation, is_enum]; the collation in expr_collation's numbers. */
static bool fact_read(core_json_reader *json, core_slice *raw, expr_column_facts *facts) {
    core_json_token name = core_json_next(json), collation = core_json_next(json),
                    is_enum = core_json_next(json);
    uint64_t number;
    *raw = name.raw;
    if (name.kind != CORE_JSON_STRING || !core_slice_to_u64(collation.raw, &number) ||
        number > EXPR_COLLATION_LOOSE || core_json_next(json).kind != CORE_JSON_ARRAY_CLOSE)
        return false;
    *facts = (expr_column_facts){.collation = (expr_collation)number,
                                 .is_enum = core_json_is_true(is_enum)};
    return true;
}

static void fact_place(core_slice name, expr_column_facts fact, const core_relation *relation,
                       expr_column_facts *facts) {
    for (size_t i = 0; i < relation->column_count; i++)
        if (core_slice_equal(relation->columns[i].name, name))
            facts[i] = fact;
}

void auth_table_facts(const auth_table *table, const core_relation *relation,
                      expr_column_facts *facts) {
    char bytes[AUTH_NAME_MAX * 6];
    core_json_reader json = core_json_reader_make(table->facts);
    expr_column_facts fact;
    core_slice raw;
    for (size_t i = 0; i < relation->column_count; i++)
        facts[i] = (expr_column_facts){.collation = EXPR_COLLATION_LOOSE};
    (void)core_json_next(&json);
    while (core_json_next(&json).kind == CORE_JSON_ARRAY_OPEN && fact_read(&json, &raw, &fact)) {
        core_buffer plain = core_buffer_over(bytes, sizeof bytes);
        if (core_json_unescape(raw, &plain) && core_buffer_ok(&plain))
            fact_place(core_buffer_slice(&plain), fact, relation, facts);
    }
}
