/* See row_query.h. The question travels as one setting of a transaction that is rolled back
 * whatever happens. */
#include "auth/row_query.h"

#include <stdio.h>

#define QUOTE_SQL "$walcast$"

enum { TOGETHER_FACTOR = 4, SQL_EXTRA = 1024 };

/* ---- The question ---- */

static void columns_write(core_json_writer *json, const core_relation *relation,
                          const bool *reads) {
    core_json_key_text(json, "columns");
    core_json_array_open(json);
    for (size_t i = 0; i < relation->column_count; i++) {
        const core_column *column = &relation->columns[i];
        if (!reads[i])
            continue;
        core_json_array_open(json);
        core_json_string(json, column->name);
        core_json_unsigned(json, column->type_oid);
        core_json_signed(json, column->typmod);
        core_json_array_close(json);
    }
    core_json_array_close(json);
}

void auth_row_question_open(core_buffer *out, const char *role, core_slice condition,
                            const core_relation *relation, const bool *reads) {
    core_json_writer json = core_json_writer_make(out);
    core_json_object_open(&json);
    core_json_key_text(&json, "role");
    core_json_text(&json, role);
    core_json_key_text(&json, "table");
    core_json_string(&json, relation->table);
    core_json_key_text(&json, "condition");
    core_json_string(&json, condition);
    columns_write(&json, relation, reads);
    core_buffer_text(out, ",\"rows\":[");
}

void auth_row_question_add(core_buffer *out, const core_tuple *row, const bool *reads) {
    bool first = out->length > 0 && out->data[out->length - 1] == '[';
    core_buffer_text(out, first ? "" : ",");
    core_json_writer json = core_json_writer_make(out);
    core_json_array_open(&json);
    for (size_t i = 0; i < row->count; i++) {
        if (!reads[i])
            continue;
        if (row->values[i].kind == CORE_VALUE_TEXT)
            core_json_string(&json, row->values[i].bytes);
        else
            core_json_null(&json);
    }
    core_json_array_close(&json);
}

bool auth_row_question_close(core_buffer *out) {
    core_buffer_u8(out, ']');
    return core_buffer_ok(out);
}

/* ---- Asking ---- */

static void answers_fill(auth_row_answer *answers, size_t count, size_t rows,
                         auth_row_verdict verdict, bool late, const char *reason) {
    for (size_t i = 0; i < count; i++) {
        answers[i].late = late;
        for (size_t row = 0; row < rows; row++)
            answers[i].verdicts[row] = verdict;
        (void)snprintf(answers[i].reason, sizeof answers[i].reason, "%s", reason);
    }
}

/* [true, "what failed"] */
static bool answer_read(core_json_reader *json, size_t rows, auth_row_answer *answer) {
    if (core_json_next(json).kind != CORE_JSON_ARRAY_OPEN)
        return false;
    answer->late = false;
    for (size_t row = 0; row < rows; row++) {
        core_json_token token = core_json_next(json);
        char bytes[AUTH_ROW_REASON_MAX * 6];
        core_buffer plain = core_buffer_over(bytes, sizeof bytes);
        answer->verdicts[row] = core_json_is_true(token) ? AUTH_ROW_SEEN : AUTH_ROW_HIDDEN;
        if (token.kind != CORE_JSON_STRING)
            continue;
        answer->verdicts[row] = AUTH_ROW_FAILED;
        bool whole = core_json_unescape(token.raw, &plain) && core_buffer_ok(&plain);
        (void)snprintf(answer->reason, sizeof answer->reason, "%.*s", whole ? (int)plain.length : 0,
                       bytes);
    }
    return core_json_next(json).kind == CORE_JSON_ARRAY_CLOSE;
}

static bool answers_read(const char *text, size_t count, size_t rows, auth_row_answer *answers) {
    core_json_reader json = core_json_reader_make(core_slice_text(text != NULL ? text : ""));
    bool ok = core_json_next(&json).kind == CORE_JSON_ARRAY_OPEN;
    for (size_t i = 0; ok && i < count; i++)
        ok = answer_read(&json, rows, &answers[i]);
    return ok;
}

static bool rows_run(pg_connection *connection, core_slice question, int64_t timeout_ms,
                     size_t count, size_t rows, auth_row_answer *answers, core_error *error) {
    core_buffer sql;
    core_buffer_init(&sql, strlen(auth_row_body_sql) + SQL_EXTRA + 2 * AUTH_ROW_QUESTION_MAX);
    core_buffer_format(&sql,
                       "BEGIN; SET LOCAL statement_timeout = %lld; SET LOCAL search_path = '';"
                       " SET LOCAL client_min_messages = error; SET LOCAL jit = off;"
                       " SELECT pg_catalog.set_config('walcast.rows', ",
                       (long long)timeout_ms);
    pg_literal_append(&sql, question);
    core_buffer_text(&sql, ", true); DO " QUOTE_SQL);
    core_buffer_text(&sql, auth_row_body_sql);
    core_buffer_text(&sql, QUOTE_SQL "; SELECT pg_catalog.current_setting('walcast.answers')");
    core_buffer_u8(&sql, '\0');
    pg_result *result =
        core_buffer_ok(&sql) ? pg_query(connection, (const char *)sql.data, NULL, 0, error) : NULL;
    bool ok = result != NULL && pg_result_rows(result) == 1 &&
              answers_read(pg_result_value(result, 0, 0), count, rows, answers);
    if (!core_buffer_ok(&sql) || (result != NULL && !ok))
        (void)core_error_set(error, CORE_ERROR_LIMIT, "a row and claims are too large to ask for");
    pg_result_free(result);
    core_buffer_fini(&sql);
    return ok;
}

static void rows_rollback(pg_connection *connection) {
    core_error ignored = {.code =
                              CORE_ERROR_NONE}; /* a broken connection is given up by the pool */
    if (pg_connection_alive(connection))
        pg_result_free(pg_query(connection, "ROLLBACK", NULL, 0, &ignored));
}

/* Whether the statement failed of itself, on a connection that is well. */
static bool failed_itself(pg_connection *connection) {
    const char *state = pg_connection_sqlstate(connection);
    return pg_connection_alive(connection) && state[0] != '\0' && strncmp(state, "57P", 3) != 0 &&
           strncmp(state, "53", 2) != 0;
}

static bool took_too_long(pg_connection *connection) {
    return strcmp(pg_connection_sqlstate(connection), "57014") == 0;
}

/* The claims from `first` on, `count` of them. `*answered`: they have answers, each its own. */
static bool some_ask(pg_connection *connection, const auth_row_asked *asked, size_t first,
                     size_t count, int64_t timeout_ms, bool *answered, core_error *error) {
    core_buffer question;
    core_buffer_init(&question, AUTH_ROW_QUESTION_MAX);
    core_buffer_slice_append(&question, asked->question);
    core_buffer_text(&question, ",\"claims\":");
    core_json_writer json = core_json_writer_make(&question);
    core_json_array_open(&json);
    for (size_t i = first; i < first + count; i++)
        core_json_string(&json, asked->claims[i]);
    core_json_array_close(&json);
    core_buffer_u8(&question, '}');
    auth_row_answer *answers = asked->answers + first;
    bool ok =
        core_buffer_ok(&question)
            ? rows_run(connection, core_buffer_slice(&question), timeout_ms, count,
                       asked->row_count, answers, error)
            : core_error_set(error, CORE_ERROR_LIMIT, "a row and claims are too large to ask for");
    core_buffer_fini(&question);
    bool itself = ok || error->code == CORE_ERROR_LIMIT || failed_itself(connection);
    bool slow = !ok && took_too_long(connection);
    rows_rollback(connection);
    if (!ok)
        answers_fill(answers, count, asked->row_count, itself ? AUTH_ROW_FAILED : AUTH_ROW_UNKNOWN,
                     slow, slow ? "the policies took too long (auth.policy_timeout)" : error->text);
    *answered = ok;
    return itself;
}

bool auth_row_query(pg_connection *connection, const auth_row_asked *asked, int64_t timeout_ms,
                    core_error *error) {
    int64_t ends_ms = core_clock_ms(core_clock_system()) + TOGETHER_FACTOR * timeout_ms;
    bool answered;
    if (!some_ask(connection, asked, 0, asked->claims_count, timeout_ms, &answered, error))
        return false;
    bool each = !answered && asked->claims_count > 1;
    for (size_t i = 0; each && i < asked->claims_count; i++)
        if (core_clock_ms(core_clock_system()) < ends_ms &&
            !some_ask(connection, asked, i, 1, timeout_ms, &answered, error))
            return false;
    return true;
}
