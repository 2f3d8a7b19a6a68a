/* See base_stream.h. Subjects: `head`; for parts `one` and `two` in turn, so that what an
 * unfinished base left goes by its subject while the base that counts has the other one; `begin`
 * for the message that keeps others out. What is removed lies before that message, so whoever slept
 * over another's base removes nothing of it. */
#include "search-index/base_stream.h"

#include <inttypes.h>
#include <stdio.h>

#define MESSAGE_BYTES ((size_t)512 << 10)
#define HEADERS_BYTES ((size_t)1024) /* of a message, and what the server adds */
#define SPARE_BYTES   ((uint64_t)64 << 10)

static const char expected_header[] = "Nats-Expected-Last-Sequence";

static bool subject_make(const search_spec *spec, const char *last, char text[CORE_SUBJECT_MAX],
                         core_error *error) {
    return core_subject_work(spec->config, fanout_work_word(FANOUT_WORK_SEARCH_BASE), last, text) ||
           core_error_set(error, CORE_ERROR_LIMIT, "the subject of the search base is too long");
}

static const char *parts_word(bool is_second) {
    return is_second ? "two" : "one";
}

static fanout_stream_spec stream_spec(const search_spec *spec, char stream[FANOUT_NAME_MAX],
                                      char subjects[CORE_SUBJECT_MAX]) {
    return fanout_stream_work_spec(spec->config, FANOUT_WORK_SEARCH_BASE, stream, subjects);
}

/* ---- Reading ---- */

static bool head_take(void *context, const fanout_message *message, core_error *error) {
    search_base_found *found = context;
    found->stored_us = message->stored_us;
    return search_base_head_read(message->payload, &found->head, error);
}

bool search_base_find(const search_spec *spec, fanout_connection *connection,
                      search_base_found *found, core_error *error) {
    char stream[FANOUT_NAME_MAX], subject[CORE_SUBJECT_MAX];
    fanout_stream_info info;
    *found = (search_base_found){.exists = false};
    const fanout_stream_spec wanted = stream_spec(spec, stream, subject);
    if (!fanout_stream_check(connection, &wanted, &found->exists, &info, error))
        return false;
    if (!found->exists)
        return true;
    found->bytes = info.bytes;
    if (!subject_make(spec, "head", subject, error) ||
        !fanout_stream_subject_end(connection, stream, subject, &found->sequence, error))
        return false;
    found->exists = found->sequence > 0;
    return !found->exists ||
           fanout_stream_read(connection, stream, found->sequence, head_take, found, error);
}

bool search_base_message(const search_spec *spec, fanout_connection *connection, uint64_t sequence,
                         core_buffer *bytes, core_error *error) {
    char stream[FANOUT_NAME_MAX], subjects[CORE_SUBJECT_MAX];
    (void)stream_spec(spec, stream, subjects);
    return fanout_stream_message(connection, stream, sequence, bytes, error);
}

bool search_base_catalog_load(const search_spec *spec, fanout_connection *connection,
                              const search_base_found *found, core_buffer *bytes,
                              search_base_catalog *catalog, core_error *error) {
    core_buffer message;
    bool ok = true;
    core_buffer_init(&message, SEARCH_BASE_BYTES_MAX);
    core_buffer_reset(bytes);
    for (uint64_t at = found->head.catalog; ok && at < found->sequence; at++) {
        ok = search_base_message(spec, connection, at, &message, error);
        if (ok)
            core_buffer_slice_append(bytes, core_buffer_slice(&message));
    }
    core_buffer_fini(&message);
    if (ok && !core_buffer_ok(bytes))
        ok = core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the base of the search log");
    return ok && search_base_catalog_read(core_buffer_slice(bytes), catalog, error);
}

/* ---- Writing ---- */

/* One message behind the last one that there was. */
static bool message_store(search_base_writer *writer, const char *subject, core_slice bytes,
                          core_error *error) {
    char expected[32], id[CORE_SNAPSHOT_ID_SIZE + 32];
    bool duplicate = false;
    uint64_t sequence;
    (void)snprintf(expected, sizeof expected, "%" PRIu64, writer->last);
    (void)snprintf(id, sizeof id, "%s-%" PRIu64, writer->id, writer->count);
    const fanout_header header = {.name = expected_header, .value = expected};
    const fanout_event event = {
        .subject = subject, .headers = &header, .header_count = 1, .id = id, .payload = bytes};
    if (!fanout_event_store(writer->connection, &event, &sequence, &duplicate, error))
        return false;
    if (duplicate || sequence != writer->last + 1)
        return core_error_set(error, CORE_ERROR_CONFLICT, "somebody else writes to stream %s",
                              writer->stream);
    writer->last = sequence;
    writer->count++;
    return true;
}

static bool writer_connect(search_base_writer *writer, fanout_stream_info *info,
                           core_error *error) {
    char subjects[CORE_SUBJECT_MAX];
    const fanout_stream_spec wanted = stream_spec(writer->spec, writer->stream, subjects);
    if (!core_snapshot_id_make(writer->id, error) ||
        !fanout_stream_ensure(writer->connection, &wanted, info, error))
        return false;
    int64_t max = fanout_connection_max_payload(writer->connection);
    size_t most =
        max > 0 && (size_t)max > 2 * HEADERS_BYTES ? (size_t)max - HEADERS_BYTES : HEADERS_BYTES;
    writer->most_bytes = most < MESSAGE_BYTES ? most : MESSAGE_BYTES;
    writer->last = info->last_sequence;
    return true;
}

/* The other subject than the base has that counts: what is there is nobody's any more. */
static bool writer_tidy(search_base_writer *writer, const search_base_found *found,
                        core_error *error) {
    fanout_stream_info info;
    char begun[CORE_SUBJECT_MAX];
    writer->is_second = found->exists && !found->head.is_second;
    if (!subject_make(writer->spec, "begin", begun, error) ||
        !fanout_stream_purge(writer->connection, writer->stream, begun, writer->first, error) ||
        !subject_make(writer->spec, parts_word(writer->is_second), writer->subject, error) ||
        !fanout_stream_purge(writer->connection, writer->stream, writer->subject, writer->first,
                             error) ||
        !fanout_stream_inspect(writer->connection, writer->stream, &info, error))
        return false;
    uint64_t max = info.max_bytes > 0 ? (uint64_t)info.max_bytes : UINT64_MAX;
    writer->room_bytes = max > info.bytes + SPARE_BYTES ? max - info.bytes - SPARE_BYTES : 0;
    return true;
}

/* For the first message, which says nothing, there is always room. */
bool search_base_write_begin(search_base_writer *writer, const search_spec *spec,
                             fanout_connection *connection, search_base_found *found,
                             core_error *error) {
    static const uint8_t nothing[] = {0};
    char subject[CORE_SUBJECT_MAX];
    fanout_stream_info info;
    *writer = (search_base_writer){.spec = spec, .connection = connection};
    if (!writer_connect(writer, &info, error) || !subject_make(spec, "begin", subject, error) ||
        !message_store(writer, subject, core_slice_make(nothing, sizeof nothing), error))
        return false;
    writer->first = writer->last;
    return search_base_find(spec, connection, found, error) && writer_tidy(writer, found, error);
}

bool search_base_write(search_base_writer *writer, core_slice bytes, core_error *error) {
    uint64_t takes = bytes.length + HEADERS_BYTES;
    if (takes > writer->room_bytes)
        return core_error_set(error, CORE_ERROR_FULL,
                              "the documents do not fit into stream %s: raise search.base_bytes",
                              writer->stream);
    writer->room_bytes -= takes;
    return message_store(writer, writer->subject, bytes, error);
}

bool search_base_write_head(search_base_writer *writer, search_base_head *head, core_error *error) {
    char subject[CORE_SUBJECT_MAX];
    core_buffer bytes;
    core_buffer_init(&bytes, SEARCH_BASE_HEAD_BYTES);
    head->first = writer->first;
    head->is_second = writer->is_second;
    search_base_head_write(head, &bytes);
    bool ok = subject_make(writer->spec, "head", subject, error) &&
              (core_buffer_ok(&bytes) ||
               core_error_set(error, CORE_ERROR_INTERNAL, "no memory for a base's head")) &&
              message_store(writer, subject, core_buffer_slice(&bytes), error);
    core_buffer_fini(&bytes);
    return ok;
}

bool search_base_forget_older(const search_spec *spec, fanout_connection *connection,
                              const search_base_head *head, core_error *error) {
    char stream[FANOUT_NAME_MAX], subjects[CORE_SUBJECT_MAX];
    (void)stream_spec(spec, stream, subjects);
    return fanout_stream_purge(connection, stream, subjects, head->first, error);
}
