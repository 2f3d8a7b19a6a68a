/* See rls.h. */
#include "search-index/rls.h"
#include "search-index/source.h"

#include <stdio.h>

#define SQL_MAX       ((size_t)64 << 10)
#define PARAMETER_MAX ((size_t)8 << 20)

typedef struct {
    search_call *call;
    pg_connection *connection;
    const search_definition *definition;
    search_facts facts;
    const search_hits *hits;
    bool *is_seen; /* of each hit */
} asking;

bool search_rls_wanted(search_call *call, search_open *open, bool *is_secured) {
    const search_definition *definition;
    core_error error;
    if (!search_worker_definition(call->worker, open, &definition, &error))
        return search_refuse_error(&call->refusal, SEARCH_CODE_INTERNAL, &error);
    *is_secured = definition != NULL && definition->security == SEARCH_SECURITY_RLS;
    return true;
}

bool search_rls_key(core_slice id, size_t parts, core_arena *arena, core_slice *key) {
    size_t at = 0;
    if (parts == 1) {
        key[0] = id;
        return true;
    }
    for (size_t i = 0; i < parts; i++) {
        const uint8_t *end =
            at <= id.length && id.length > at ? memchr(id.data + at, '_', id.length - at) : NULL;
        bool is_last = i + 1 == parts;
        if (is_last != (end == NULL))
            return false;
        size_t length = end != NULL ? (size_t)(end - id.data) - at : id.length - at;
        if (!search_percent_undo(core_slice_make(id.data + at, length), false, arena, &key[i]))
            return false;
        at += length + 1;
    }
    return true;
}

/* ---- Which table a hit is of ---- */

/* Of several tables "TABLE:" stands in front of the id; `*key` gets the rest. */
static bool hit_is_of(const asking *it, size_t table, core_slice id, core_slice *key) {
    core_slice name = it->definition->tables[table].table;
    *key = id;
    if (it->definition->table_count == 1)
        return true;
    if (!core_slice_begins(id, name) || id.length <= name.length || id.data[name.length] != ':')
        return false;
    *key = core_slice_make(id.data + name.length + 1, id.length - name.length - 1);
    return true;
}

/* ---- The statement ---- */

static void array_text(core_buffer *out, core_slice text) {
    core_buffer_u8(out, '"');
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] == '"' || text.data[i] == '\\')
            core_buffer_u8(out, '\\');
        core_buffer_u8(out, text.data[i]);
    }
    core_buffer_u8(out, '"');
}

/* The keys' parts and the hits' places as arrays. */
static bool arrays_write(const asking *it, size_t table, core_buffer *arrays, size_t *asked) {
    size_t parts = it->facts.tables[table].key_count;
    core_slice key[SEARCH_KEY_COLUMNS_MAX], text;
    *asked = 0;
    for (size_t i = 0; i <= parts; i++)
        core_buffer_u8(&arrays[i], '{');
    for (uint32_t hit = 0; hit < it->hits->hit_count; hit++) {
        if (!hit_is_of(it, table, it->hits->hits[hit].id, &text) ||
            !search_rls_key(text, parts, it->call->arena, key))
            continue;
        for (size_t i = 0; i <= parts; i++) {
            core_buffer_text(&arrays[i], *asked > 0 ? "," : "");
            if (i < parts)
                array_text(&arrays[i], key[i]);
            else
                core_buffer_format(&arrays[i], "%u", hit);
        }
        ++*asked;
    }
    bool ok = true;
    for (size_t i = 0; i <= parts; i++) {
        core_buffer_u8(&arrays[i], '}');
        core_buffer_u8(&arrays[i], '\0');
        ok = ok && core_buffer_ok(&arrays[i]);
    }
    return ok;
}

/* The types of the key's columns, in its order, as PostgreSQL writes them. */
static pg_result *types_ask(const asking *it, size_t table, core_error *error) {
    const search_table_facts *facts = &it->facts.tables[table];
    core_buffer names, place;
    core_buffer_init(&names, SQL_MAX);
    core_buffer_init(&place, 1024);
    core_buffer_u8(&names, '{');
    for (size_t i = 0; i < facts->key_count; i++) {
        core_buffer_text(&names, i > 0 ? "," : "");
        array_text(&names, facts->key[i]);
    }
    core_buffer_text(&names, "}");
    core_buffer_u8(&names, '\0');
    search_source_place(facts, &place);
    core_buffer_u8(&place, '\0');
    const char *const parameters[] = {(const char *)place.data, (const char *)names.data};
    pg_result *result =
        pg_query(it->connection,
                 "SELECT pg_catalog.format_type(a.atttypid, a.atttypmod)"
                 " FROM pg_catalog.unnest($2::text[]) WITH ORDINALITY AS k(name, n)"
                 " JOIN pg_catalog.pg_attribute a ON a.attrelid = pg_catalog.to_regclass($1)"
                 " AND a.attname = k.name AND a.attnum > 0 AND NOT a.attisdropped ORDER BY k.n",
                 parameters, 2, error);
    core_buffer_fini(&names);
    core_buffer_fini(&place);
    if (result != NULL && pg_result_rows(result) != facts->key_count) {
        pg_result_free(result);
        (void)core_error_set(error, CORE_ERROR_INPUT,
                             "table %.*s.%.*s has not the key any more that its index is made by",
                             CORE_SLICE_ARGS(facts->schema), CORE_SLICE_ARGS(facts->table));
        return NULL;
    }
    return result;
}

/* All columns that the document shows are named, so that the role must be allowed to read each. */
static void columns_write(const asking *it, core_buffer *sql) {
    core_buffer_text(sql, " WHERE (ROW(");
    for (size_t i = 0, written = 0; i < it->definition->field_count; i++) {
        const search_field *field = &it->definition->fields[i];
        if (field->related >= 0)
            continue;
        core_buffer_text(sql, written++ > 0 ? ", t." : "t.");
        pg_identifier_append(sql, field->column);
    }
    core_buffer_text(sql, ") IS NULL) IS NOT NULL");
}

static void statement_write(const asking *it, size_t table, const pg_result *types,
                            core_buffer *sql) {
    const search_table_facts *facts = &it->facts.tables[table];
    core_buffer_text(sql, "SELECT k.place FROM ROWS FROM (");
    for (size_t i = 0; i <= facts->key_count; i++)
        core_buffer_format(sql, "%spg_catalog.unnest($%zu::%s[])", i > 0 ? ", " : "", i + 1,
                           i < facts->key_count ? "text" : "int");
    core_buffer_text(sql, ") AS k(");
    for (size_t i = 0; i < facts->key_count; i++)
        core_buffer_format(sql, "k%zu, ", i);
    core_buffer_text(sql, "place) JOIN ");
    search_source_place(facts, sql);
    core_buffer_text(sql, " AS t ON ");
    for (size_t i = 0; i < facts->key_count; i++) {
        core_buffer_text(sql, i > 0 ? " AND t." : "t.");
        pg_identifier_append(sql, facts->key[i]);
        core_buffer_format(sql, " = k.k%zu::%s", i, pg_result_value(types, i, 0));
    }
    columns_write(it, sql);
    core_buffer_u8(sql, '\0');
}

/* ---- Asking ---- */

static bool places_take(const asking *it, const pg_result *result) {
    for (size_t i = 0; i < pg_result_rows(result); i++) {
        uint64_t place;
        if (core_slice_to_u64(core_slice_text(pg_result_value(result, i, 0)), &place) &&
            place < it->hits->hit_count)
            it->is_seen[place] = true;
    }
    return true;
}

static bool statement_run(const asking *it, const char *sql, const char *const *parameters,
                          size_t count, core_error *error) {
    const search_source_question question = {
        .caller = &it->call->request->caller, .sql = sql, .parameters = parameters, .count = count};
    pg_result *result = search_source_ask(it->connection, it->call->arena, &question, NULL, error);
    bool ok = result != NULL && places_take(it, result);
    pg_result_free(result);
    return ok;
}

static bool table_ask(const asking *it, size_t table, core_error *error) {
    size_t parts = it->facts.tables[table].key_count, asked;
    core_buffer arrays[SEARCH_KEY_COLUMNS_MAX + 1], sql;
    const char *parameters[SEARCH_KEY_COLUMNS_MAX + 1];
    for (size_t i = 0; i <= parts; i++)
        core_buffer_init(&arrays[i], PARAMETER_MAX);
    core_buffer_init(&sql, SQL_MAX);
    bool ok = arrays_write(it, table, arrays, &asked) ||
              core_error_set(error, CORE_ERROR_LIMIT, "the hits' keys are too large to ask for");
    pg_result *types = ok && asked > 0 ? types_ask(it, table, error) : NULL;
    ok = ok && (asked == 0 || types != NULL);
    if (ok && asked > 0) {
        statement_write(it, table, types, &sql);
        for (size_t i = 0; i <= parts; i++)
            parameters[i] = (const char *)arrays[i].data;
        ok = core_buffer_ok(&sql)
                 ? statement_run(it, (const char *)sql.data, parameters, parts + 1, error)
                 : core_error_set(error, CORE_ERROR_LIMIT, "the question is too large");
    }
    pg_result_free(types);
    core_buffer_fini(&sql);
    for (size_t i = 0; i <= parts; i++)
        core_buffer_fini(&arrays[i]);
    return ok;
}

static bool tables_ask(asking *it, core_error *error) {
    it->connection = search_worker_database(it->call->worker, error);
    if (it->connection == NULL)
        return false;
    for (size_t i = 0; i < it->definition->table_count; i++)
        if (!table_ask(it, i, error))
            return false;
    return true;
}

bool search_rls_seen(search_call *call, search_open *open, const search_hits *hits,
                     const search_hit **seen, size_t *count) {
    asking it = {.call = call, .hits = hits};
    core_error error;
    *count = 0;
    if (hits->hit_count == 0)
        return true;
    it.is_seen = core_arena_array(call->arena, hits->hit_count, sizeof *it.is_seen);
    bool ok = (it.is_seen != NULL ||
               core_error_set(&error, CORE_ERROR_INTERNAL, "no memory for the hits")) &&
              search_worker_definition(call->worker, open, &it.definition, &error) &&
              search_facts_read(search_open_entry(open)->facts, it.definition, call->arena,
                                &it.facts, &error) &&
              tables_ask(&it, &error);
    if (!ok)
        return search_refuse(
            &call->refusal,
            error.code == CORE_ERROR_DENIED ? SEARCH_CODE_INVALID_API_KEY : SEARCH_CODE_UNAVAILABLE,
            "Whether the caller may see the hits could not be asked: %s", error.text);
    for (uint32_t i = 0; i < hits->hit_count; i++)
        if (it.is_seen[i])
            seen[(*count)++] = &hits->hits[i];
    return true;
}
