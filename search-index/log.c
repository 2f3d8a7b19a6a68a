/* See log.h. */
#include "search-index/log.h"

#include "search-index/base_stream.h"

#include <stdio.h>
#include <stdlib.h>

#define HEAD_BYTES  ((size_t)16384) /* of a head with all pieces, and of the headers */
#define SPARE_BYTES ((size_t)64 << 10)
#define LOG_MAGIC   UINT32_C(0x534c4f47) /* "SLOG" */

struct search_log {
    uint32_t magic;
    search_spec spec;
    const char *name;
    fanout_connection *connection;
    bool is_made; /* the stream is there */
    core_buffer message;
};

search_log *search_log_new(const search_spec *spec, const char *name, core_error *error) {
    search_log *log = calloc(1, sizeof *log);
    if (log == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the search log");
        return NULL;
    }
    *log = (search_log){.magic = LOG_MAGIC, .spec = *spec, .name = name};
    core_buffer_init(&log->message, SEARCH_RECORD_BYTES);
    return log;
}

void search_log_free(search_log *log) {
    if (log == NULL)
        return;
    CORE_MAGIC_CHECK(log, LOG_MAGIC);
    if (log->connection != NULL)
        fanout_connection_free(log->connection);
    core_buffer_fini(&log->message);
    log->magic = 0;
    free(log);
}

fanout_connection *search_log_connection(search_log *log, core_error *error) {
    CORE_MAGIC_CHECK(log, LOG_MAGIC);
    if (log->connection == NULL)
        log->connection = fanout_connection_new(log->spec.config, log->name, log->spec.log,
                                                log->spec.metrics, error);
    return log->connection;
}

static bool stream_make(search_log *log, core_error *error) {
    char name[FANOUT_NAME_MAX], subjects[CORE_SUBJECT_MAX];
    fanout_stream_info info;
    const fanout_stream_spec spec =
        fanout_stream_work_spec(log->spec.config, FANOUT_WORK_SEARCH, name, subjects);
    log->is_made = log->is_made ||
                   fanout_stream_ensure(search_log_connection(log, error), &spec, &info, error);
    return log->is_made;
}

/* One message. */
static bool message_store(search_log *log, const search_record *record, uint64_t *sequence,
                          core_error *error) {
    char subject[CORE_SUBJECT_MAX], id[CORE_SNAPSHOT_ID_SIZE];
    bool duplicate;
    core_buffer_reset(&log->message);
    search_record_write(record, &log->message);
    if (!core_buffer_ok(&log->message))
        return core_error_set(error, CORE_ERROR_LIMIT, "a record of more than %zu bytes",
                              SEARCH_RECORD_BYTES);
    if (!core_snapshot_id_make(id, error))
        return false;
    if (!core_subject_work(log->spec.config, fanout_work_word(FANOUT_WORK_SEARCH), "log", subject))
        return core_error_set(error, CORE_ERROR_LIMIT, "the search log's subject is too long");
    const fanout_event event = {.subject = subject,
                                .id = record->id != NULL ? record->id : id,
                                .payload = core_buffer_slice(&log->message)};
    bool ok = fanout_event_store(log->connection, &event, sequence, &duplicate, error);
    log->is_made = ok || error->code == CORE_ERROR_LIMIT; /* else it may have been removed */
    return ok;
}

/* Documents leave room for what tells of them: marks (queue.h), cancelations, deletions. */
static bool documents_fit(const search_log *log, const search_record *record, core_error *error) {
    char name[FANOUT_NAME_MAX], subjects[CORE_SUBJECT_MAX];
    fanout_stream_info info;
    (void)fanout_stream_work_spec(log->spec.config, FANOUT_WORK_SEARCH, name, subjects);
    if (record->is_piece ||
        (record->kind != SEARCH_TASK_DOCUMENTS_ADD && record->kind != SEARCH_TASK_DOCUMENTS_UPDATE))
        return true;
    if (!fanout_stream_inspect(log->connection, name, &info, error))
        return false;
    return info.max_bytes <= 0 ||
           info.bytes + record->body.length + SPARE_BYTES <= (uint64_t)info.max_bytes ||
           core_error_set(
               error, CORE_ERROR_FULL,
               "the search log (stream %s) is full: send it again when it was compacted; "
               "where that does not help raise search.log_bytes",
               name);
}

/* What of a body one message takes, its head and headers left out. */
static size_t piece_bytes(const search_log *log, const search_record *record) {
    int64_t max = fanout_connection_max_payload(log->connection);
    size_t beside = HEAD_BYTES + record->index.length + record->primary_key.length +
                    record->project.length + record->facts.length * 2;
    return max > 0 && (size_t)max > 2 * beside ? (size_t)max - beside : beside;
}

bool search_log_append(search_log *log, const search_record *record, uint64_t *sequence,
                       core_error *error) {
    uint64_t pieces[SEARCH_PIECES_MAX];
    search_record whole = *record;
    int64_t began_ms = core_clock_ms(log->spec.clock);
    if (search_log_connection(log, error) == NULL || !stream_make(log, error))
        return false;
    if (!documents_fit(log, record, error))
        return false;
    size_t most = piece_bytes(log, record);
    if (record->body.length <= most)
        return message_store(log, record, sequence, error);
    if (record->body.length / most >= SEARCH_PIECES_MAX)
        return core_error_set(error, CORE_ERROR_LIMIT,
                              "%zu bytes in messages of %zu: more than %d of them",
                              record->body.length, most, SEARCH_PIECES_MAX);
    for (; whole.body.length > most;
         whole.body = core_slice_make(whole.body.data + most, whole.body.length - most)) {
        const search_record piece = {.kind = record->kind,
                                     .at_us = record->at_us,
                                     .is_piece = true,
                                     .body = core_slice_make(whole.body.data, most)};
        if (!message_store(log, &piece, &pieces[whole.piece_count++], error))
            return false;
    }
    whole.pieces = pieces;
    if ((core_clock_ms(log->spec.clock) - began_ms) * 1000 > SEARCH_PIECE_AGE_US / 2)
        return core_error_set(error, CORE_ERROR_TRANSIENT,
                              "the search log took the body's pieces too slowly: ask again");
    return message_store(log, &whole, sequence, error);
}

typedef struct {
    int64_t oldest_us; /* what was taken before it is too old */
    core_buffer *body;
} completing;

static bool piece_take(void *context, const fanout_message *message, core_error *error) {
    completing *it = context;
    search_record piece;
    core_arena arena;
    core_arena_init(&arena, 65536, 2 * SEARCH_RECORD_LINE);
    bool ok = search_record_read(message->payload, &arena, &piece, error);
    if (ok && message->stored_us < it->oldest_us)
        ok = core_error_set(error, CORE_ERROR_INPUT, "piece %llu of a body is too old",
                            (unsigned long long)message->sequence);
    if (ok)
        core_buffer_slice_append(it->body, piece.body);
    core_arena_fini(&arena);
    return ok;
}

bool search_record_complete(fanout_connection *connection, const char *stream, int64_t stored_us,
                            search_record *record, core_buffer *body, core_error *error) {
    completing it = {.oldest_us = stored_us - SEARCH_PIECE_AGE_US, .body = body};
    bool ok = true;
    core_buffer_reset(body);
    for (size_t i = 0; ok && i < record->piece_count; i++)
        ok = fanout_stream_read(connection, stream, record->pieces[i], piece_take, &it, error);
    record->is_void = !ok && error->code == CORE_ERROR_INPUT;
    core_buffer_slice_append(body, record->body);
    record->body = core_buffer_slice(body);
    return record->is_void ||
           (ok && (core_buffer_ok(body) ||
                   core_error_set(error, CORE_ERROR_INTERNAL, "no memory for a record's body")));
}

/* Where messages are missing behind the first one that the server tells, its base says whether they
 * were forgotten: nats-server 2.9 still tells a first message that is gone when it removed more
 * than one file of a stream by subject, until it is started again. */
static bool forgotten_look(const search_spec *spec, fanout_connection *connection,
                           fanout_stream_info *info, core_error *error) {
    search_base_found found;
    uint64_t before = info->last_sequence - info->messages; /* what is there, if it has no holes */
    if (info->first_sequence > before)
        return true;
    if (!search_base_find(spec, connection, &found, error))
        return false;
    if (!found.exists || found.head.log_created_us != info->created_us)
        return true;
    if (before > found.head.spared)
        before = found.head.spared;
    if (info->first_sequence <= before)
        info->first_sequence = before + 1;
    return true;
}

bool search_log_look(const search_spec *spec, fanout_connection *connection,
                     char stream[FANOUT_NAME_MAX], char filter[CORE_SUBJECT_MAX], bool *exists,
                     fanout_stream_info *info, core_error *error) {
    fanout_stream_spec stream_spec =
        fanout_stream_work_spec(spec->config, FANOUT_WORK_SEARCH, stream, filter);
    return fanout_stream_check(connection, &stream_spec, exists, info, error) &&
           (!*exists || forgotten_look(spec, connection, info, error));
}
