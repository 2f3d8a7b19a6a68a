/* Asks the auth room's access what it is told to on standard input, one JSON object a line, and
 * prints what it answers, one JSON object a line. Configuration comes from the environment.
 *
 * {"ask":"hold"|"release","role":R}
 * {"ask":"role","role":R}                                         the role must be held
 * {"ask":"table","role":R,"schema":S,"table":T,"oid":N,"columns":[C]}
 * {"ask":"channel","role":R,"sub":S,"claims":"JSON","hash":N,"topic":T,"times":N}
 * {"ask":"query","sql":SQL}                                       a job of the pool's own
 * Each has an "id" that its answer carries. A change is {"changed":R,"generation":N}. The end of
 * the input stops everything, in the order that auth.h asks for. */
#include "auth/auth.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ROLES_MAX = 128, TEXT_MAX = 20000 };

typedef struct {
    char id[32];
    char ask[32];
    char role[256];
    char schema[128];
    char table[128];
    char sub[256];
    char *claims;
    char *topic;
    char *sql;
    uint64_t oid;
    uint64_t hash;
    uint64_t times;
    core_slice columns; /* JSON */
} request;

static pthread_mutex_t output = PTHREAD_MUTEX_INITIALIZER;
static auth_role *held[ROLES_MAX];
static size_t held_count;

static void fail(const char *what) {
    (void)fprintf(stderr, "probe: %s\n", what);
    exit(1);
}

/* ---- Reading ---- */

static bool text_take(core_json_token token, char *text, size_t size) {
    core_buffer plain = core_buffer_over(text, size - 1);
    bool ok = core_json_unescape(token.raw, &plain) && core_buffer_ok(&plain);
    text[plain.length] = '\0';
    return ok;
}

static bool member_take(request *asked, core_json_token token, core_slice whole) {
    static const struct {
        const char *name;
        size_t at;
        size_t size;
    } texts[] = {
        {"id", offsetof(request, id), sizeof asked->id},
        {"ask", offsetof(request, ask), sizeof asked->ask},
        {"role", offsetof(request, role), sizeof asked->role},
        {"schema", offsetof(request, schema), sizeof asked->schema},
        {"table", offsetof(request, table), sizeof asked->table},
        {"sub", offsetof(request, sub), sizeof asked->sub},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(texts); i++)
        if (core_json_raw_is(token.key, texts[i].name))
            return text_take(token, (char *)asked + texts[i].at, texts[i].size);
    if (core_json_raw_is(token.key, "claims"))
        return text_take(token, asked->claims, TEXT_MAX);
    if (core_json_raw_is(token.key, "topic"))
        return text_take(token, asked->topic, TEXT_MAX);
    if (core_json_raw_is(token.key, "sql"))
        return text_take(token, asked->sql, TEXT_MAX);
    if (core_json_raw_is(token.key, "oid"))
        return core_slice_to_u64(whole, &asked->oid);
    if (core_json_raw_is(token.key, "hash"))
        return core_slice_to_u64(whole, &asked->hash);
    if (core_json_raw_is(token.key, "times"))
        return core_slice_to_u64(whole, &asked->times);
    asked->columns = core_json_raw_is(token.key, "columns") ? whole : asked->columns;
    return true;
}

static void request_read(core_slice line, request *asked) {
    core_json_reader reader = core_json_reader_make(line);
    core_json_token member;
    core_slice whole;
    if (core_json_next(&reader).kind != CORE_JSON_OBJECT_OPEN)
        fail("a line is no JSON object");
    while (core_json_member_next(&reader, &member))
        if (!core_json_skip(&reader, member, &whole) || !member_take(asked, member, whole))
            fail("a member was not understood");
}

/* ---- Answering ---- */

static core_json_writer answer_open(core_buffer *out, const char *id) {
    core_buffer_init(out, 1 << 20);
    core_json_writer writer = core_json_writer_make(out);
    core_json_object_open(&writer);
    core_json_key_text(&writer, "id");
    core_json_text(&writer, id);
    return writer;
}

static void answer_close(core_json_writer *writer, core_buffer *out) {
    core_json_object_close(writer);
    (void)pthread_mutex_lock(&output);
    (void)printf("%.*s\n", CORE_SLICE_ARGS(core_buffer_slice(out)));
    (void)fflush(stdout);
    (void)pthread_mutex_unlock(&output);
    core_buffer_fini(out);
}

static void answer_text(const char *id, const char *name, const char *text) {
    core_buffer out;
    core_json_writer writer = answer_open(&out, id);
    core_json_key_text(&writer, name);
    core_json_text(&writer, text);
    answer_close(&writer, &out);
}

static void changed(void *context, const char *role, uint64_t generation) {
    (void)context;
    core_buffer out;
    core_json_writer writer = answer_open(&out, "");
    core_json_key_text(&writer, "changed");
    core_json_text(&writer, role);
    core_json_key_text(&writer, "generation");
    core_json_unsigned(&writer, generation);
    answer_close(&writer, &out);
}

/* ---- Roles and tables ---- */

static size_t role_find(const char *name) {
    for (size_t i = 0; i < held_count; i++)
        if (strcmp(auth_role_name(held[i]), name) == 0)
            return i;
    return held_count;
}

static void role_hold(auth_access *access, const request *asked) {
    core_error error = {.code = CORE_ERROR_NONE};
    auth_role *role = held_count < ROLES_MAX ? auth_access_role(access, asked->role, &error) : NULL;
    if (role != NULL)
        held[held_count++] = role;
    answer_text(asked->id, role != NULL ? "held" : "error",
                role != NULL ? asked->role : error.text);
}

static void role_release(const request *asked) {
    size_t at = role_find(asked->role);
    if (at == held_count)
        fail("release of a role that is not held");
    auth_role_release(held[at]);
    held[at] = held[--held_count];
    answer_text(asked->id, "released", asked->role);
}

static const char *verdict_name(auth_access_verdict verdict) {
    static const char *const names[] = {
        [AUTH_ACCESS_PENDING] = "pending",         [AUTH_ACCESS_ALLOWED] = "allowed",
        [AUTH_ACCESS_REFUSED] = "refused",         [AUTH_ACCESS_ABSENT] = "absent",
        [AUTH_ACCESS_UNAVAILABLE] = "unavailable", [AUTH_ACCESS_FILTERED] = "filtered",
    };
    return names[verdict];
}

static void columns_write(core_json_writer *writer, const auth_table *table, core_slice json) {
    core_json_reader reader = core_json_reader_make(json);
    (void)core_json_next(&reader);
    core_json_key_text(writer, "columns");
    core_json_array_open(writer);
    for (;;) {
        core_json_token token = core_json_next(&reader);
        char name[256];
        if (token.kind != CORE_JSON_STRING || !text_take(token, name, sizeof name))
            break;
        if (auth_table_column(table, core_slice_text(name)))
            core_json_text(writer, name);
    }
    core_json_array_close(writer);
    core_json_key_text(writer, "all");
    core_json_bool(writer, auth_table_all_columns(table));
}

static void decision_ask(const request *asked, bool of_table) {
    size_t at = role_find(asked->role);
    if (at == held_count)
        fail("a role that is not held");
    auth_table_decision decision;
    if (of_table)
        auth_role_table(held[at], core_slice_text(asked->schema), core_slice_text(asked->table),
                        (uint32_t)asked->oid, &decision);
    else
        auth_role_decision(held[at], &decision);
    core_buffer out;
    core_json_writer writer = answer_open(&out, asked->id);
    core_json_key_text(&writer, "verdict");
    core_json_text(&writer, verdict_name(decision.verdict));
    core_json_key_text(&writer, "generation");
    core_json_unsigned(&writer, decision.generation);
    core_json_key_text(&writer, "reason");
    core_json_text(&writer, decision.reason);
    if (decision.table != NULL)
        columns_write(&writer, decision.table, asked->columns);
    if (decision.verdict == AUTH_ACCESS_FILTERED) {
        core_json_key_text(&writer, "policy");
        core_json_string(&writer, auth_table_policy(decision.table));
    }
    answer_close(&writer, &out);
    auth_table_decision_fini(&decision);
}

/* ---- Channels ---- */

static void rights_answer(const char *id, const auth_channel_rights *rights, bool at_once) {
    core_buffer out;
    core_json_writer writer = answer_open(&out, id);
    core_json_key_text(&writer, "at_once");
    core_json_bool(&writer, at_once);
    core_json_key_text(&writer, "unavailable");
    core_json_bool(&writer, rights->unavailable);
    core_json_key_text(&writer, "allowed");
    core_json_array_open(&writer);
    for (size_t i = 0; i < AUTH_CHANNEL_RIGHTS; i++)
        core_json_bool(&writer, rights->allowed[i]);
    core_json_array_close(&writer);
    core_json_key_text(&writer, "reasons");
    core_json_array_open(&writer);
    for (size_t i = 0; i < AUTH_CHANNEL_RIGHTS; i++)
        core_json_text(&writer, rights->reasons[i]);
    core_json_array_close(&writer);
    answer_close(&writer, &out);
}

static void channel_done(void *context, const auth_channel_rights *rights) {
    rights_answer(context, rights, false);
    free(context);
}

static void channel_ask(auth_access *access, const request *asked) {
    const auth_channel_question question = {
        .role = asked->role,
        .subject = asked->sub,
        .claims_json = core_slice_text(asked->claims),
        .claims_hash = asked->hash,
        .topic = core_slice_text(asked->topic),
    };
    for (uint64_t i = 0; i < (asked->times == 0 ? 1 : asked->times); i++) {
        auth_channel_rights rights;
        char *id = strdup(asked->id);
        if (id == NULL)
            fail("no memory");
        if (!auth_channel_check(access, &question, &rights, channel_done, id))
            continue;
        rights_answer(id, &rights, true);
        free(id);
    }
}

/* ---- The pool by itself ---- */

typedef struct {
    pg_job job; /* first */
    char id[32];
    char *sql;
    char value[256];
    unsigned runs;
} query_job;

static bool query_run(pg_job *job, pg_connection *connection, core_error *error) {
    query_job *query = (query_job *)job;
    query->runs++;
    pg_result *result = pg_query(connection, query->sql, NULL, 0, error);
    if (result == NULL)
        return false;
    const char *value = pg_result_rows(result) > 0 ? pg_result_value(result, 0, 0) : "";
    (void)snprintf(query->value, sizeof query->value, "%s", value != NULL ? value : "");
    pg_result_free(result);
    return true;
}

static void query_done(pg_job *job, bool ok, const core_error *error) {
    query_job *query = (query_job *)job;
    core_buffer out;
    core_json_writer writer = answer_open(&out, query->id);
    core_json_key_text(&writer, ok ? "value" : "error");
    core_json_text(&writer, ok ? query->value : error->text);
    core_json_key_text(&writer, "code");
    core_json_text(&writer, core_error_code_name(ok ? CORE_ERROR_NONE : error->code));
    core_json_key_text(&writer, "runs");
    core_json_unsigned(&writer, query->runs);
    answer_close(&writer, &out);
    free(query->sql);
    free(query);
}

static void query_ask(pg_pool *pool, const request *asked) {
    for (uint64_t i = 0; i < (asked->times == 0 ? 1 : asked->times); i++) {
        query_job *query = calloc(1, sizeof *query);
        core_error error = {.code = CORE_ERROR_NONE};
        if (query == NULL || (query->sql = strdup(asked->sql)) == NULL)
            fail("no memory");
        (void)snprintf(query->id, sizeof query->id, "%s", asked->id);
        query->job.run = query_run;
        query->job.done = query_done;
        if (!pg_pool_submit(pool, &query->job, &error))
            query_done(&query->job, false, &error);
    }
}

/* ---- All ---- */

static void request_answer(auth_access *access, pg_pool *pool, const request *asked) {
    if (strcmp(asked->ask, "hold") == 0)
        role_hold(access, asked);
    else if (strcmp(asked->ask, "release") == 0)
        role_release(asked);
    else if (strcmp(asked->ask, "role") == 0 || strcmp(asked->ask, "table") == 0)
        decision_ask(asked, strcmp(asked->ask, "table") == 0);
    else if (strcmp(asked->ask, "channel") == 0)
        channel_ask(access, asked);
    else if (strcmp(asked->ask, "query") == 0)
        query_ask(pool, asked);
    else
        fail("what is asked is not known");
}

static void requests_serve(auth_access *access, pg_pool *pool) {
    char *line = NULL;
    size_t size = 0;
    for (ssize_t length; (length = getline(&line, &size, stdin)) > 0;) {
        request asked = {.claims = calloc(1, TEXT_MAX),
                         .topic = calloc(1, TEXT_MAX),
                         .sql = calloc(1, TEXT_MAX)};
        if (asked.claims == NULL || asked.topic == NULL || asked.sql == NULL)
            fail("no memory");
        request_read(core_slice_make(line, (size_t)length - 1), &asked);
        request_answer(access, pool, &asked);
        free(asked.claims);
        free(asked.topic);
        free(asked.sql);
    }
    free(line);
}

int main(void) {
    core_error error = {.code = CORE_ERROR_NONE};
    core_config *config = core_config_load("/dev/null", stderr);
    core_log *log = core_log_new(STDERR_FILENO, CORE_LOG_DEBUG, false, core_clock_system());
    core_metrics *metrics = core_metrics_new();
    if (config == NULL || log == NULL || metrics == NULL)
        fail("configuration");
    pg_pool *pool = pg_pool_new(config, "walcast pool", log, metrics, &error);
    if (pool == NULL)
        fail(error.text);
    const auth_access_spec spec = {
        .config = config, .pool = pool, .log = log, .metrics = metrics, .changed = changed};
    auth_access *access = auth_access_new(&spec, &error);
    if (access == NULL)
        fail(error.text);
    requests_serve(access, pool);
    pg_pool_stop(pool);
    while (held_count > 0)
        auth_role_release(held[--held_count]);
    auth_access_free(access);
    pg_pool_free(pool);
    core_metrics_free(metrics);
    core_log_free(log);
    core_config_free(config);
    return 0;
}
