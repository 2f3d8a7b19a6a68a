/* Reading a snapshot, on a thread of the pool; see hub_snapshot.h.
 *
 * One REPEATABLE READ transaction. Happy path: take the snapshot's text and the WAL position behind
 * it; be sure from where the changes follow (hub_recent.h); describe each binding's table; become
 * the role; open a cursor for each binding; say that rows follow; fetch, encode and hand them over.
 * All that can be refused is refused before that. Row-level security is off, which makes PostgreSQL
 * refuse where it would leave rows out. */
#include "ws/hub_snapshot_private.h"

#include "ws/change_json.h"
#include "ws/frame.h"
#include "ws/snapshot_table.h"
#include "ws/sse_event.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define READ_SQL_MAX   ((size_t)4 << 20)
#define READ_ARENA_MAX ((size_t)16 << 20)
#define READ_HEAD_MAX  ((size_t)1 << 20)
#define READ_AGAIN_NS  50000000 /* before another snapshot, when the one taken leaves a doubt */
#define READ_FIRST     16       /* rows, while nothing is known of their size */

enum { PAGE_BYTES_MIN = 1024, PAGE_BYTES_MAX = 1 << 20 };

/* Bindings that say the same are read once. */
typedef struct {
    const ws_binding *binding;
    ws_snapshot_table table;
    auth_table_decision decision;
    ws_change_select select;
    uint16_t *chosen; /* columns of the relation, in the order of the question */
    size_t chosen_count;
    core_slice head; /* what stands before the data in each frame */
} read_part;

typedef struct {
    hub_snapshot *snapshot;
    pg_connection *connection;
    core_arena arena;
    core_buffer sql;
    core_buffer data;
    core_value *values; /* of the widest table */
    read_part *parts;
    size_t count;
    core_error *error;
} snapshot_read;

static bool read_is_off(const hub_snapshot *snapshot) {
    return atomic_load(&snapshot->cancelled) || atomic_load(&snapshot->all->stop);
}

static bool read_off(core_error *error) {
    return core_error_set(error, CORE_ERROR_TRANSIENT, "the snapshot was called off");
}

static bool run_sql(snapshot_read *read, const char *sql) {
    pg_result *result = pg_query(read->connection, sql, NULL, 0, read->error);
    pg_result_free(result);
    return result != NULL;
}

static bool run_buffer(snapshot_read *read) {
    core_buffer_u8(&read->sql, '\0');
    if (!core_buffer_ok(&read->sql))
        return core_error_set(read->error, CORE_ERROR_LIMIT, "the question is too long");
    return run_sql(read, (const char *)read->sql.data);
}

/* ---- The moment ---- */

/* In one statement the snapshot is taken before the position is asked for, so every commit that it
 * sees was written before that. */
static const char moment_sql[] =
    "SELECT pg_current_snapshot()::text, pg_current_wal_insert_lsn()::text,"
    " current_setting('wal_block_size'), (extract(epoch FROM clock_timestamp()) * 1000000)::int8";

static bool moment_read(const pg_result *result, hub_snapshot *snapshot, core_error *error) {
    uint64_t page_bytes = 0;
    ws_gate *gate = snapshot->gate;
    if (!core_lsn_parse(core_slice_text(pg_result_value(result, 0, 1)), &gate->lsn) ||
        !core_slice_to_u64(core_slice_text(pg_result_value(result, 0, 2)), &page_bytes) ||
        page_bytes < PAGE_BYTES_MIN || page_bytes > PAGE_BYTES_MAX ||
        !core_slice_to_i64(core_slice_text(pg_result_value(result, 0, 3)), &snapshot->taken_us))
        return core_error_set(error, CORE_ERROR_TRANSIENT, "the server gave no place in its WAL");
    gate->lsn = core_lsn_settle(gate->lsn, (uint32_t)page_bytes);
    return core_visibility_read(core_slice_text(pg_result_value(result, 0, 0)), &gate->visibility,
                                error);
}

static bool moment_take(snapshot_read *read) {
    hub_snapshot *snapshot = read->snapshot;
    uint64_t generation = hub_recent_generation(&snapshot->all->recent);
    if (!run_sql(read, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"))
        return false;
    pg_result *result = pg_query(read->connection, moment_sql, NULL, 0, read->error);
    bool ok = result != NULL && moment_read(result, snapshot, read->error);
    pg_result_free(result);
    if (ok)
        snapshot->place =
            hub_recent_ask(&snapshot->all->recent, generation, &snapshot->gate->visibility);
    return ok;
}

/* $1: transactions that run in the snapshot. How many of them may have written their commit: all
 * but those of sessions that are seen to be at something else. */
static const char doubts_sql[] =
    "SELECT count(*) FROM unnest($1::text[]) AS x(id) WHERE NOT EXISTS (SELECT FROM"
    " pg_stat_activity a WHERE a.backend_xid::text = x.id AND (a.state LIKE 'idle in transaction%'"
    " OR (a.state = 'active' AND a.wait_event IS DISTINCT FROM 'SyncRep'"
    " AND a.query_start < clock_timestamp() - interval '1 s')))"
    " AND NOT (EXISTS (SELECT FROM pg_prepared_xacts p WHERE p.transaction::text = x.id)"
    " AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.wait_event = 'SyncRep'))";

/* They run still, and have not begun to commit: so none of them is in the stream. */
static bool doubts_are_clear(snapshot_read *read, bool *clear) {
    const hub_recent_answer *place = &read->snapshot->place;
    core_buffer_reset(&read->sql);
    core_buffer_u8(&read->sql, '{');
    for (size_t i = 0; i < place->doubt_count; i++)
        core_buffer_format(&read->sql, "%s%u", i > 0 ? "," : "", place->doubts[i]);
    core_buffer_text(&read->sql, "}");
    core_buffer_u8(&read->sql, '\0');
    if (!core_buffer_ok(&read->sql))
        return core_error_set(read->error, CORE_ERROR_INTERNAL, "out of memory");
    const char *const ids[] = {(const char *)read->sql.data};
    pg_result *result = pg_query(read->connection, doubts_sql, ids, 1, read->error);
    *clear = result != NULL && strcmp(pg_result_value(result, 0, 0), "0") == 0;
    pg_result_free(result);
    return result != NULL;
}

/* One of which it is sure from where the changes follow. */
static bool moment_settle(snapshot_read *read) {
    const hub_snapshot *snapshot = read->snapshot;
    int64_t until_ms = core_clock_ms(core_clock_system()) + WS_SNAPSHOT_DOUBT_MS;
    for (;;) {
        if (!moment_take(read))
            return false;
        bool sure = snapshot->place.verdict == HUB_RECENT_SURE;
        if (snapshot->place.verdict == HUB_RECENT_DOUBT && !doubts_are_clear(read, &sure))
            return false;
        if (sure)
            return true;
        if (!run_sql(read, "ROLLBACK"))
            return false;
        if (read_is_off(snapshot))
            return read_off(read->error);
        if (core_clock_ms(core_clock_system()) > until_ms)
            return core_error_set(
                read->error, CORE_ERROR_TRANSIENT,
                "a transaction that began long ago may have committed without being visible yet "
                "(waiting for a synchronous standby?), so it is not known what follows the rows; "
                "try again, and see that postgres.url's user may read pg_stat_activity "
                "(pg_read_all_stats)");
        (void)nanosleep(&(struct timespec){.tv_nsec = READ_AGAIN_NS}, NULL);
    }
}

/* ---- What is read ---- */

static bool binding_same(const ws_binding *a, const ws_binding *b) {
    return core_slice_equal(a->schema, b->schema) && core_slice_equal(a->table, b->table) &&
           core_slice_equal(a->filter, b->filter) && core_slice_equal(a->select, b->select);
}

static bool part_is_new(const ws_subscription *subscription, size_t at) {
    for (size_t i = 0; i < at; i++)
        if (subscription->bindings[i].snapshot &&
            binding_same(&subscription->bindings[i], &subscription->bindings[at]))
            return false;
    return subscription->bindings[at].snapshot;
}

/* Up to the data, the ids of all bindings that say the same included. */
static bool part_head_make(snapshot_read *read, read_part *part) {
    const ws_subscription *subscription = read->snapshot->passenger.subscription;
    core_buffer head;
    core_buffer_init(&head, READ_HEAD_MAX);
    core_json_writer json = core_json_writer_make(&head);
    uint32_t last_id = 0;
    ws_protocol_change_head(subscription->protocol, ws_topic_plain(subscription->topic), &head);
    core_json_array_open(&json);
    for (size_t i = 0; i < subscription->count; i++) {
        const ws_binding *binding = &subscription->bindings[i];
        if (!binding->snapshot || !binding_same(binding, part->binding) || binding->id == last_id)
            continue;
        core_json_unsigned(&json, binding->id);
        last_id = binding->id;
    }
    core_json_array_close(&json);
    core_buffer_text(&head, WS_PROTOCOL_CHANGE_MIDDLE);
    part->head = core_arena_copy(&read->arena, core_buffer_slice(&head));
    bool ok = core_buffer_ok(&head) && part->head.data != NULL;
    core_buffer_fini(&head);
    return ok || core_error_set(read->error, CORE_ERROR_INTERNAL, "out of memory");
}

/* As for a change of the table: what the role may see of it. */
static bool part_decide(snapshot_read *read, read_part *part) {
    const core_relation *relation = &part->table.relation;
    auth_role_table(read->snapshot->role->role, relation->schema, relation->table, relation->oid,
                    &part->decision);
    switch (part->decision.verdict) {
    case AUTH_ACCESS_ALLOWED:
    case AUTH_ACCESS_FILTERED: /* the database filters, under the role and its claims */
        break;
    case AUTH_ACCESS_PENDING:
        return core_error_set(read->error, CORE_ERROR_TRANSIENT,
                              "what the role may see of %.*s.%.*s is just being asked; try again",
                              CORE_SLICE_ARGS(relation->schema), CORE_SLICE_ARGS(relation->table));
    case AUTH_ACCESS_UNAVAILABLE:
        return core_error_set(read->error, CORE_ERROR_TRANSIENT, "%s", part->decision.reason);
    default:
        return core_error_set(read->error, CORE_ERROR_DENIED, "%s", part->decision.reason);
    }
    part->select = (ws_change_select){
        .columns = part->binding->columns,
        .count = part->binding->column_count,
        .visible = auth_table_all_columns(part->decision.table) ? NULL : part->decision.table,
        .schema = core_tenants_shown(&read->snapshot->all->tenants, relation->schema)};
    return true;
}

static bool part_choose(snapshot_read *read, read_part *part) {
    const core_relation *relation = &part->table.relation;
    part->chosen =
        core_arena_array(&read->arena, relation->column_count + 1U, sizeof *part->chosen);
    if (part->chosen == NULL)
        return core_error_set(read->error, CORE_ERROR_INTERNAL, "out of memory");
    for (uint16_t i = 0; i < relation->column_count; i++)
        if (ws_change_selects(relation, &relation->columns[i], &part->select))
            part->chosen[part->chosen_count++] = i;
    return true;
}

static bool part_make(snapshot_read *read, const ws_binding *binding) {
    read_part *part = &read->parts[read->count++];
    *part = (read_part){.binding = binding, .decision = {.verdict = AUTH_ACCESS_PENDING}};
    return ws_snapshot_table_describe(read->connection, read->snapshot->all->publication,
                                      binding->schema, binding->table, &read->arena, &part->table,
                                      read->error) &&
           part_decide(read, part) && part_choose(read, part) && part_head_make(read, part);
}

static bool parts_make(snapshot_read *read) {
    const ws_subscription *subscription = read->snapshot->passenger.subscription;
    read->parts = core_arena_array(&read->arena, subscription->count + 1, sizeof *read->parts);
    read->values = core_arena_array(&read->arena, CORE_COLUMNS_MAX, sizeof *read->values);
    if (read->parts == NULL || read->values == NULL)
        return core_error_set(read->error, CORE_ERROR_INTERNAL, "out of memory");
    for (size_t i = 0; i < subscription->count; i++)
        if (part_is_new(subscription, i) && !part_make(read, &subscription->bindings[i]))
            return false;
    return true;
}

/* ---- The questions ---- */

static void question_append(snapshot_read *read, size_t number) {
    const read_part *part = &read->parts[number];
    const core_relation *relation = &part->table.relation;
    core_buffer *sql = &read->sql;
    core_buffer_reset(sql);
    core_buffer_format(sql, "DECLARE walcast_%zu NO SCROLL CURSOR FOR SELECT ", number);
    for (size_t i = 0; i < part->chosen_count; i++) {
        core_buffer_text(sql, i > 0 ? ", " : "");
        pg_identifier_append(sql, relation->columns[part->chosen[i]].name);
    }
    core_buffer_text(sql, part->table.is_root ? " FROM " : " FROM ONLY ");
    pg_identifier_append(sql, relation->schema);
    core_buffer_u8(sql, '.');
    pg_identifier_append(sql, relation->table);
    core_buffer_text(sql, " WHERE true");
    if (part->table.filter.length > 0)
        core_buffer_format(sql, " AND (%.*s)", CORE_SLICE_ARGS(part->table.filter));
}

/* A filter of its own: the binding's belongs to the hub's thread. */
static bool question_filter(snapshot_read *read, const read_part *part, const char **parameters,
                            size_t *count, expr_filter **filter) {
    if (part->binding->filter.length == 0)
        return true;
    *filter = expr_filter_new(part->binding->filter, read->error);
    expr_bound *bound =
        *filter != NULL ? expr_filter_bind(*filter, &part->table.relation, read->error) : NULL;
    core_buffer_text(&read->sql, " AND (");
    bool ok = bound != NULL;
    if (ok && !expr_bound_sql(bound, 1, &read->sql, parameters, count))
        ok = core_error_set(read->error, CORE_ERROR_LIMIT, "the filter is too long");
    core_buffer_u8(&read->sql, ')');
    expr_bound_free(bound);
    return ok;
}

/* Opening it checks the role's privileges. */
static bool question_ask(snapshot_read *read, size_t number) {
    const char **parameters =
        core_arena_array(&read->arena, EXPR_FILTER_VALUES_MAX, sizeof *parameters);
    size_t count = 0;
    expr_filter *filter = NULL;
    if (parameters == NULL)
        return core_error_set(read->error, CORE_ERROR_INTERNAL, "out of memory");
    question_append(read, number);
    bool ok = question_filter(read, &read->parts[number], parameters, &count, &filter);
    core_buffer_u8(&read->sql, '\0');
    if (ok && !core_buffer_ok(&read->sql))
        ok = core_error_set(read->error, CORE_ERROR_LIMIT, "the question is too long");
    pg_result *result = ok ? pg_query(read->connection, (const char *)read->sql.data, parameters,
                                      count, read->error)
                           : NULL;
    pg_result_free(result);
    expr_filter_free(filter);
    return result != NULL;
}

static bool role_become(snapshot_read *read) {
    core_slice name = core_slice_text(auth_role_name(read->snapshot->role->role));
    core_buffer_reset(&read->sql);
    core_buffer_text(&read->sql, "SET LOCAL row_security = on; SET LOCAL jit = off;"
                                 " SET LOCAL cursor_tuple_fraction = 1;"
                                 " SET LOCAL request.jwt.claims = ");
    pg_literal_append(&read->sql, read->snapshot->passenger.subscription->claims_json);
    core_buffer_text(&read->sql, "; SET LOCAL ROLE ");
    pg_identifier_append(&read->sql, name);
    if (run_buffer(read))
        return true;
    if (strcmp(pg_connection_sqlstate(read->connection), "42501") == 0)
        return core_error_set(read->error, CORE_ERROR_DENIED,
                              "postgres.url's user may not read as role %.*s, which a snapshot "
                              "needs: GRANT the role to it",
                              CORE_SLICE_ARGS(name));
    return false;
}

static bool questions_ask(snapshot_read *read) {
    if (!role_become(read))
        return false;
    for (size_t i = 0; i < read->count; i++)
        if (!question_ask(read, i))
            return false;
    return true;
}

/* ---- Rows ---- */

static core_block *row_frame(const snapshot_read *read, const read_part *part) {
    ws_protocol protocol = read->snapshot->passenger.subscription->protocol;
    if (!core_buffer_ok(&read->data))
        return NULL;
    if (protocol == WS_PROTOCOL_SSE) {
        const ws_sse_event event = {.data = core_buffer_slice(&read->data)};
        return ws_sse_event_block(&event);
    }
    core_slice pieces[] = {part->head, core_buffer_slice(&read->data),
                           core_slice_text(ws_protocol_change_tail(protocol))};
    return ws_frame_block(WS_FRAME_TEXT, pieces, CORE_COUNT_OF(pieces));
}

static void piece_hand_over(hub_snapshot *snapshot) {
    ws_rows *piece = snapshot->piece;
    snapshot->piece = NULL;
    hub_snapshot_tell_piece(snapshot, piece);
}

static bool room_for(snapshot_read *read, size_t bytes) {
    hub_snapshot *snapshot = read->snapshot;
    snapshot->bytes += bytes;
    if (snapshot->bytes > snapshot->all->max_bytes)
        return core_error_set(read->error, CORE_ERROR_LIMIT,
                              "the rows take more than %zu bytes (ws.snapshot_max_bytes); ask for "
                              "fewer with a filter or select",
                              snapshot->all->max_bytes);
    if (atomic_load(&snapshot->all->bytes) + bytes > WS_SNAPSHOT_TOTAL_BYTES)
        return core_error_set(read->error, CORE_ERROR_FULL,
                              "clients that read slowly hold all memory for snapshots; try again "
                              "later");
    return true;
}

/* Takes the frame. */
static bool piece_add(snapshot_read *read, core_block *frame) {
    hub_snapshot *snapshot = read->snapshot;
    if (snapshot->piece == NULL)
        snapshot->piece = ws_rows_new();
    ws_rows *piece = snapshot->piece;
    if (piece == NULL || frame == NULL) {
        core_block_release(frame);
        return core_error_set(read->error, CORE_ERROR_INTERNAL, "out of memory for a row");
    }
    piece->frames[piece->count++] = frame;
    if (!room_for(read, frame->length))
        return false; /* not counted: the piece is not handed over */
    atomic_fetch_add(&snapshot->all->bytes, frame->length);
    piece->bytes += frame->length;
    snapshot->rows++;
    if (piece->count == WS_ROWS_MAX || piece->bytes >= snapshot->all->piece_bytes)
        piece_hand_over(snapshot);
    return true;
}

static bool row_take(snapshot_read *read, const read_part *part, const pg_result *result,
                     size_t row, size_t *bytes) {
    const core_relation *relation = &part->table.relation;
    for (uint16_t i = 0; i < relation->column_count; i++)
        read->values[i] = (core_value){.kind = CORE_VALUE_UNCHANGED};
    for (size_t i = 0; i < part->chosen_count; i++) {
        const char *text = pg_result_value(result, row, i);
        core_value *value = &read->values[part->chosen[i]];
        *value = (core_value){.kind = CORE_VALUE_NULL};
        if (text != NULL)
            *value = (core_value){.kind = CORE_VALUE_TEXT, .bytes = core_slice_text(text)};
        *bytes += value->bytes.length;
    }
    const core_change change = {.op = CORE_OP_READ,
                                .relation = relation,
                                .transaction = {.commit_time_us = read->snapshot->taken_us},
                                .new_tuple = {relation->column_count, read->values}};
    core_buffer_reset(&read->data);
    ws_change_json(&read->data, &change, NULL, &part->select);
    return piece_add(read, row_frame(read, part));
}

static size_t fetch_next(size_t rows, size_t bytes) {
    size_t next = WS_SNAPSHOT_FETCH_BYTES / (bytes / (rows > 0 ? rows : 1) + 1);
    if (next > 8 * rows)
        next = 8 * rows; /* the next ones may be larger */
    if (next > WS_SNAPSHOT_FETCH_ROWS)
        return WS_SNAPSHOT_FETCH_ROWS;
    return next > 0 ? next : 1;
}

static bool part_read(snapshot_read *read, size_t number) {
    size_t wanted = READ_FIRST;
    for (bool more = true; more;) {
        char sql[64];
        size_t bytes = 0;
        (void)snprintf(sql, sizeof sql, "FETCH FORWARD %zu FROM walcast_%zu", wanted, number);
        if (read_is_off(read->snapshot))
            return read_off(read->error);
        pg_result *result = pg_query(read->connection, sql, NULL, 0, read->error);
        if (result == NULL)
            return false;
        size_t rows = pg_result_rows(result);
        bool ok = true;
        for (size_t i = 0; ok && i < rows; i++)
            ok = row_take(read, &read->parts[number], result, i, &bytes);
        pg_result_free(result);
        if (!ok)
            return false;
        more = rows == wanted;
        wanted = fetch_next(rows, bytes);
    }
    return true;
}

/* The last piece has the gate, and may have no rows. */
static bool last_hand_over(snapshot_read *read) {
    hub_snapshot *snapshot = read->snapshot;
    if (snapshot->piece == NULL)
        snapshot->piece = ws_rows_new();
    if (snapshot->piece == NULL)
        return core_error_set(read->error, CORE_ERROR_INTERNAL, "out of memory");
    snapshot->piece->gate = snapshot->gate;
    snapshot->piece->total = snapshot->rows;
    snapshot->gate = NULL;
    piece_hand_over(snapshot);
    return true;
}

static bool rows_read(snapshot_read *read) {
    hub_snapshot_tell_ready(read->snapshot);
    for (size_t i = 0; i < read->count; i++)
        if (!part_read(read, i))
            return false;
    return run_sql(read, "COMMIT") && last_hand_over(read);
}

/* ---- The job ---- */

static bool read_all(snapshot_read *read) {
    hub_snapshot *snapshot = read->snapshot;
    if (read_is_off(snapshot))
        return read_off(read->error);
    if (snapshot->gate == NULL)
        snapshot->gate = calloc(1, sizeof *snapshot->gate);
    if (snapshot->gate == NULL)
        return core_error_set(read->error, CORE_ERROR_INTERNAL, "out of memory");
    return moment_settle(read) && parts_make(read) && questions_ask(read) && rows_read(read);
}

/* Whatever went wrong stays the error. */
static void read_roll_back(snapshot_read *read) {
    core_error ignored = {.text = ""};
    if (!pg_connection_alive(read->connection))
        return;
    pg_result *result = pg_query(read->connection, "ROLLBACK", NULL, 0, &ignored);
    pg_result_free(result);
}

bool hub_snapshot_run(pg_job *job, pg_connection *connection, core_error *error) {
    hub_snapshot *snapshot = (hub_snapshot *)job;
    if (snapshot->rows > 0 || snapshot->ready) /* only this thread sets it */
        return core_error_set(error, CORE_ERROR_TRANSIENT,
                              "the connection to the database was lost while rows were read");
    snapshot_read read = {.snapshot = snapshot, .connection = connection, .error = error};
    core_arena_init(&read.arena, 16384, READ_ARENA_MAX);
    core_buffer_init(&read.sql, READ_SQL_MAX);
    core_buffer_init(&read.data, WS_CHANGE_JSON_MAX);
    bool ok = read_all(&read);
    for (size_t i = 0; i < read.count; i++)
        auth_table_decision_fini(&read.parts[i].decision);
    if (!ok)
        read_roll_back(&read);
    core_buffer_fini(&read.data);
    core_buffer_fini(&read.sql);
    core_arena_fini(&read.arena);
    return ok;
}
