/* See verify_history.h. */
#include "cdc/verify_history.h"

#include "cdc/marker.h"
#include "cdc/position_writer.h"

#include <stdio.h>

enum {
    MESSAGE_MAX_BYTES = 64 << 20, /* nats-server's own limit */
    ARENA_CHUNK_BYTES = 64 << 10,
    ARENA_MAX_BYTES = 16 << 20,
};

bool cdc_verify_history_init(cdc_verify_history *history, const core_config *config,
                             fanout_connection *connection, core_error *error) {
    *history = (cdc_verify_history){
        .config = config,
        .connection = connection,
        .stream = core_config_text(config, "nats.stream"),
    };
    core_buffer_init(&history->payload, MESSAGE_MAX_BYTES);
    core_arena_init(&history->arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
    fanout_stream_info info;
    if (!fanout_stream_inspect(connection, history->stream, &info, error))
        return false;
    history->bucket = fanout_bucket_new(connection, config, "state", error);
    return history->bucket != NULL;
}

void cdc_verify_history_fini(cdc_verify_history *history) {
    fanout_bucket_free(history->bucket);
    core_buffer_fini(&history->payload);
    core_arena_fini(&history->arena);
}

/* ---- Snapshots ---- */

static bool names_are(core_slice schema, core_slice table, const char *schema_text,
                      const char *table_text) {
    return core_slice_is(schema, schema_text) && core_slice_is(table, table_text);
}

/* Of a partitioned table the partitions are what is read. */
static bool record_is_of(const core_snapshot *record, const char *schema, const char *table) {
    bool is = names_are(record->schema, record->table, schema, table);
    for (size_t i = 0; !is && i < record->range_count; i++)
        is = names_are(record->ranges[i].schema, record->ranges[i].table, schema, table);
    return is;
}

void cdc_verify_snapshots_take(const core_snapshot *record, const char *schema, const char *table,
                               cdc_verify_snapshots *found) {
    if (!record_is_of(record, schema, table) || record->stream.length > 0)
        return;
    found->running = found->running || record->state == CORE_SNAPSHOT_REQUESTED ||
                     record->state == CORE_SNAPSHOT_RUNNING;
    bool is_later = found->done_id[0] == '\0' || record->start_sequence >= found->done_sequence;
    if (record->state != CORE_SNAPSHOT_DONE || record->filter.length > 0 || !is_later ||
        !core_slice_to_text(record->epoch, found->done_epoch, sizeof found->done_epoch))
        return;
    found->done_sequence = record->start_sequence;
    memcpy(found->done_id, record->id, sizeof found->done_id);
}

typedef struct {
    cdc_verify_history *history;
    const char *schema;
    const char *table;
    cdc_verify_snapshots *found;
    core_error *error;
} snapshots_looker;

/* A snapshot's id needs no escaping. */
static bool snapshot_on_key(void *context, const char *key) {
    snapshots_looker *looker = context;
    cdc_verify_history *history = looker->history;
    uint64_t revision = 0;
    core_snapshot record;
    if (!fanout_bucket_get(history->bucket, key, &history->payload, &revision, looker->error))
        return false;
    if (revision == 0)
        return true;
    core_arena_reset(&history->arena);
    if (!core_snapshot_decode(core_buffer_slice(&history->payload), &history->arena, &record,
                              looker->error))
        return core_error_wrap(looker->error, "key %s of bucket %s_state", key, history->stream);
    cdc_verify_snapshots_take(&record, looker->schema, looker->table, looker->found);
    return true;
}

bool cdc_verify_snapshots_look(cdc_verify_history *history, const char *schema, const char *table,
                               cdc_verify_snapshots *found, core_error *error) {
    snapshots_looker looker = {
        .history = history, .schema = schema, .table = table, .found = found, .error = error};
    *found = (cdc_verify_snapshots){0};
    return fanout_bucket_keys(history->bucket, CORE_SNAPSHOT_TOKEN, snapshot_on_key, &looker,
                              error);
}

/* ---- Progress ---- */

/* The last message's commit: all earlier ones are before it. Gone by age: nothing is known. */
static bool tail_look(cdc_verify_history *history, cdc_verify_progress_point *point,
                      core_error *error) {
    core_run run;
    if (point->stream.messages == 0)
        return true;
    if (!fanout_stream_message(history->connection, history->stream, point->stream.last_sequence,
                               &history->payload, error))
        return error->code == CORE_ERROR_INPUT;
    core_arena_reset(&history->arena);
    if (!core_run_decode(core_buffer_slice(&history->payload), &history->arena, &run, error))
        return core_error_wrap(error, "stream %s sequence %llu", history->stream,
                               (unsigned long long)point->stream.last_sequence);
    if (run.last_transaction.xid != 0 && run.last_transaction.commit_lsn > point->passed_lsn)
        point->passed_lsn = run.last_transaction.commit_lsn;
    return true;
}

/* A record of another stream of this name, one that is gone, says nothing of this one. The record
 * is read first: what it tells of is in the stream that is looked at after it. */
bool cdc_verify_progress_look(cdc_verify_history *history, cdc_verify_progress_point *point,
                              core_error *error) {
    uint64_t revision = 0;
    *point = (cdc_verify_progress_point){0};
    if (!fanout_bucket_get(history->bucket, cdc_position_key, &history->payload, &revision, error))
        return false;
    if (revision != 0 &&
        !cdc_position_decode(core_buffer_slice(&history->payload), &point->position, error))
        return false;
    if (!fanout_stream_inspect(history->connection, history->stream, &point->stream, error))
        return false;
    point->has_position =
        revision != 0 && point->position.stream_created_us == point->stream.created_us;
    if (!point->has_position)
        point->position = (cdc_position){0};
    point->passed_lsn = point->position.end_lsn;
    return tail_look(history, point, error);
}

bool cdc_verify_marks_look(cdc_verify_history *history, cdc_marks *marks, core_error *error) {
    uint64_t revision = 0;
    *marks = (cdc_marks){0};
    if (!fanout_bucket_get(history->bucket, cdc_marks_key, &history->payload, &revision, error))
        return false;
    return revision == 0 || cdc_marks_decode(core_buffer_slice(&history->payload), marks, error) ||
           core_error_wrap(error, "key %s of bucket %s_state", cdc_marks_key, history->stream);
}

/* ---- The table's subjects ---- */

static bool subject_last(cdc_verify_history *history, const core_subject_scope *scope,
                         core_slice schema, core_slice table, core_op op, uint64_t *last,
                         core_error *error) {
    char subject[CORE_SUBJECT_MAX];
    uint64_t sequence = 0;
    if (!core_subject_change(scope, schema, table, op, subject))
        return core_error_set(error, CORE_ERROR_INPUT, "the names are too long for a subject");
    if (!fanout_stream_subject_end(history->connection, history->stream, subject, &sequence, error))
        return false;
    *last = sequence > *last ? sequence : *last;
    return true;
}

bool cdc_verify_subject_look(cdc_verify_history *history, const char *schema, const char *table,
                             cdc_verify_subject *subject, core_error *error) {
    static const core_op ops[] = {CORE_OP_INSERT,   CORE_OP_UPDATE, CORE_OP_DELETE,
                                  CORE_OP_TRUNCATE, CORE_OP_READ,   CORE_OP_SCHEMA};
    const core_subject_scope scope = core_subject_scope_of(history->config);
    core_slice none = core_slice_make(NULL, 0);
    *subject = (cdc_verify_subject){0};
    for (size_t i = 0; i < CORE_COUNT_OF(ops); i++)
        if (!subject_last(history, &scope, core_slice_text(schema), core_slice_text(table), ops[i],
                          &subject->last_sequence, error))
            return false;
    if (!core_subject_filter_table(&scope, core_slice_text(schema), core_slice_text(table),
                                   subject->filter))
        return core_error_set(error, CORE_ERROR_INPUT, "the names are too long for a subject");
    return subject_last(history, &scope, none, none, CORE_OP_GAP, &subject->gap_sequence, error);
}
