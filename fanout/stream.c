/* Streams: made or checked, looked at, and read one message at a time; see fanout.h.
 *
 * Happy path of _ensure: ask, make when missing, check, update limits that differ. Two processes
 * that make the same stream at once both succeed: the server takes an equal creation twice. A
 * subject that another stream takes, a stream that is not ours, or a server without JetStream are
 * CONFIG; everything else is TRANSIENT. */
#include "fanout/filter.h"
#include "fanout/newborn.h"
#include "fanout/stream_check.h"

#include <stdio.h>
#include <string.h>

enum { NS_PER_US = 1000 };

static const int64_t change_duplicate_window_ms = 100; /* ids are used once; the least allowed */
static const int64_t realtime_duplicate_window_ms = 10 * CORE_MS_PER_S; /* ids are not used */
static const int64_t event_duplicate_window_ms = 10 * 60 * CORE_MS_PER_S;
static const int64_t audit_duplicate_window_ms = 2 * 60 * CORE_MS_PER_S;

fanout_stream_spec fanout_stream_change_spec(const core_config *config, char *subjects,
                                             size_t subjects_size) {
    char filter[CORE_SUBJECT_MAX];
    bool fits = core_subject_filter_source(config, filter);
    (void)snprintf(subjects, subjects_size, "%s", fits ? filter : ""); /* refused by the server */
    return (fanout_stream_spec){
        .name = core_config_text(config, "nats.stream"),
        .subjects = subjects,
        .max_age_ms = core_config_integer(config, "nats.max_age"),
        .max_bytes = core_config_integer(config, "nats.max_bytes"),
        .replicas = (int)core_config_integer(config, "nats.replicas"),
        .duplicate_window_ms = change_duplicate_window_ms,
    };
}

/* An id must not be forgotten later than its message. */
fanout_stream_spec fanout_stream_event_spec(const core_config *config, char name[FANOUT_NAME_MAX],
                                            char *subjects, size_t subjects_size) {
    int64_t max_age_ms = core_config_integer(config, "events.max_age");
    bool is_short = max_age_ms > 0 && max_age_ms < event_duplicate_window_ms;
    (void)snprintf(name, FANOUT_NAME_MAX, "%s_EVENTS", core_config_stream_base(config));
    (void)snprintf(subjects, subjects_size, "%s.events.*.*",
                   core_config_text(config, "nats.prefix"));
    return (fanout_stream_spec){
        .name = name,
        .subjects = subjects,
        .max_age_ms = max_age_ms,
        .max_bytes = core_config_integer(config, "events.max_bytes"),
        .replicas = (int)core_config_integer(config, "nats.replicas"),
        .duplicate_window_ms = is_short ? max_age_ms : event_duplicate_window_ms,
    };
}

/* Discard old, unlike every other stream: it is a bounded memory of what was heard live already,
 * and a new broadcast must never be refused, nor its sender held up, because of old ones. */
fanout_stream_spec fanout_stream_realtime_spec(const core_config *config,
                                               char name[FANOUT_NAME_MAX], char *subjects,
                                               size_t subjects_size) {
    int64_t max_age_ms = core_config_integer(config, "realtime.max_age");
    bool is_short = max_age_ms > 0 && max_age_ms < realtime_duplicate_window_ms;
    (void)snprintf(name, FANOUT_NAME_MAX, "%s_REALTIME", core_config_stream_base(config));
    (void)snprintf(subjects, subjects_size, "%s.realtime.*.*",
                   core_config_text(config, "nats.prefix"));
    return (fanout_stream_spec){
        .name = name,
        .subjects = subjects,
        .max_age_ms = max_age_ms,
        .max_bytes = core_config_integer(config, "realtime.max_bytes"),
        .replicas = (int)core_config_integer(config, "nats.replicas"),
        .duplicate_window_ms = is_short ? max_age_ms : realtime_duplicate_window_ms,
        .discards_old = true,
    };
}

/* Discard old: records are written beside what they tell of, which must not be refused because of
 * old ones. */
fanout_stream_spec fanout_stream_audit_spec(const core_config *config, char name[FANOUT_NAME_MAX],
                                            char *subjects, size_t subjects_size) {
    int64_t max_age_ms = core_config_integer(config, "audit.max_age");
    bool is_short = max_age_ms > 0 && max_age_ms < audit_duplicate_window_ms;
    (void)snprintf(name, FANOUT_NAME_MAX, "%s_AUDIT", core_config_stream_base(config));
    (void)snprintf(subjects, subjects_size, "%s.audit.*.*",
                   core_config_text(config, "nats.prefix"));
    return (fanout_stream_spec){
        .name = name,
        .subjects = subjects,
        .max_age_ms = max_age_ms,
        .max_bytes = core_config_integer(config, "audit.max_bytes"),
        .replicas = (int)core_config_integer(config, "nats.replicas"),
        .duplicate_window_ms = is_short ? max_age_ms : audit_duplicate_window_ms,
        .discards_old = true,
    };
}

static void stream_info_copy(const jsStreamInfo *from, fanout_stream_info *info) {
    *info = (fanout_stream_info){
        .first_sequence = from->State.FirstSeq,
        .last_sequence = from->State.LastSeq,
        .messages = from->State.Msgs,
        .bytes = from->State.Bytes,
        .deleted = from->State.NumDeleted,
        .created_us = from->Created / 1000,
        .max_bytes = from->Config->MaxBytes > 0 ? from->Config->MaxBytes : 0,
        .max_age_ms = from->Config->MaxAge / CORE_NS_PER_MS,
    };
}

/* A change stream that takes all that its own source writes is not widened: what it would take
 * beside that may be in the streams of sources that this process had, which are still there. */
static bool subjects_suffice(const fanout_connection *connection, const fanout_stream_spec *spec,
                             const jsStreamConfig *found) {
    char own[CORE_SUBJECT_MAX];
    const core_subject_scope scope = core_subject_scope_of(connection->config);
    return strcmp(found->Subjects[0], spec->subjects) == 0 ||
           (core_subject_filter(&scope, own) && strcmp(found->Subjects[0], own) == 0);
}

/* Changes what may be changed, on top of what the server has (placement, replicas stay). */
static bool stream_update(fanout_connection *connection, const fanout_stream_spec *spec,
                          jsStreamInfo **found, core_error *error) {
    jsStreamInfo *updated = NULL;
    jsErrCode code = 0;
    jsStreamConfig config = *(*found)->Config;
    config.MaxAge = spec->max_age_ms * CORE_NS_PER_MS;
    config.MaxBytes = spec->max_bytes > 0 ? spec->max_bytes : -1;
    config.Duplicates = spec->duplicate_window_ms * CORE_NS_PER_MS;
    config.DenyDelete = !spec->allows_delete;
    config.DenyPurge = !spec->allows_purge;
    const char *subjects[] = {spec->subjects};
    if (!subjects_suffice(connection, spec, (*found)->Config)) {
        config.Subjects = subjects;
        config.SubjectsLen = 1;
    }
    natsStatus status =
        js_UpdateStream(&updated, fanout_jetstream(connection), &config, NULL, &code);
    if (status != NATS_OK)
        return fanout_status_error(error, status, (int)code, "update the limits of stream",
                                   spec->name);
    CORE_LOG(connection->log, INFO, "fanout", "stream's limits updated",
             CORE_LOG_TEXT("stream", spec->name), CORE_LOG_NUMBER("max_age_ms", spec->max_age_ms),
             CORE_LOG_NUMBER("max_bytes", spec->max_bytes));
    jsStreamInfo_Destroy(*found);
    *found = updated;
    return true;
}

bool fanout_stream_ensure(fanout_connection *connection, const fanout_stream_spec *spec,
                          fanout_stream_info *info, core_error *error) {
    jsStreamInfo *found = NULL;
    jsErrCode code = 0;
    const char *subjects[1];
    jsStreamConfig config;
    bool is_made;
    fanout_stream_config(spec, subjects, &config);
    natsStatus status = fanout_newborn_ensure(connection, &config, &found, &is_made, &code);
    if (status != NATS_OK)
        return fanout_status_error(error, status, (int)code, "make or find stream", spec->name);
    if (is_made)
        CORE_LOG(connection->log, INFO, "fanout", "stream made",
                 CORE_LOG_TEXT("stream", spec->name), CORE_LOG_TEXT("subjects", spec->subjects));
    bool ok = fanout_stream_matches(spec, found->Config, error);
    if (ok && !spec->keeps_limits &&
        (fanout_stream_differs(spec, found->Config) ||
         !subjects_suffice(connection, spec, found->Config)))
        ok = stream_update(connection, spec, &found, error);
    if (ok)
        stream_info_copy(found, info);
    jsStreamInfo_Destroy(found);
    return ok;
}

bool fanout_stream_inspect(fanout_connection *connection, const char *stream,
                           fanout_stream_info *info, core_error *error) {
    jsStreamInfo *found = NULL;
    jsErrCode code = 0;
    natsStatus status = js_GetStreamInfo(&found, fanout_jetstream(connection), stream, NULL, &code);
    if (status == NATS_NOT_FOUND)
        code = JSStreamNotFoundErr;
    if (status != NATS_OK)
        return fanout_status_error(error, status, (int)code, "look at stream", stream);
    stream_info_copy(found, info);
    jsStreamInfo_Destroy(found);
    return true;
}

bool fanout_stream_check(fanout_connection *connection, const fanout_stream_spec *spec,
                         bool *exists, fanout_stream_info *info, core_error *error) {
    jsStreamInfo *found = NULL;
    jsErrCode code = 0;
    natsStatus status =
        js_GetStreamInfo(&found, fanout_jetstream(connection), spec->name, NULL, &code);
    *exists = status == NATS_OK;
    if (status == NATS_NOT_FOUND)
        return true;
    if (status != NATS_OK)
        return fanout_status_error(error, status, (int)code, "look at stream", spec->name);
    bool ok = fanout_stream_matches(spec, found->Config, error);
    stream_info_copy(found, info);
    jsStreamInfo_Destroy(found);
    return ok;
}

static natsMsg *message_get(fanout_connection *connection, const char *stream, uint64_t sequence,
                            core_error *error) {
    natsMsg *message = NULL;
    jsErrCode code = 0;
    natsStatus status =
        js_GetMsg(&message, fanout_jetstream(connection), stream, sequence, NULL, &code);
    if (status == NATS_OK)
        return message;
    char object[FANOUT_NAME_MAX + 64];
    (void)snprintf(object, sizeof object, "message %llu of stream %s", (unsigned long long)sequence,
                   stream);
    if (status == NATS_NOT_FOUND)
        code = JSNoMessageFoundErr;
    (void)fanout_status_error(error, status, (int)code, "read", object);
    return NULL;
}

bool fanout_stream_message(fanout_connection *connection, const char *stream, uint64_t sequence,
                           core_buffer *payload, core_error *error) {
    natsMsg *message = message_get(connection, stream, sequence, error);
    if (message == NULL)
        return false;
    core_buffer_reset(payload);
    core_buffer_append(payload, natsMsg_GetData(message), (size_t)natsMsg_GetDataLength(message));
    natsMsg_Destroy(message);
    if (!core_buffer_ok(payload))
        return core_error_set(error, CORE_ERROR_LIMIT,
                              "message %llu of stream %s does not fit into %zu bytes",
                              (unsigned long long)sequence, stream, payload->max_bytes);
    return true;
}

bool fanout_stream_read(fanout_connection *connection, const char *stream, uint64_t sequence,
                        fanout_each_handler take, void *context, core_error *error) {
    natsMsg *got = message_get(connection, stream, sequence, error);
    if (got == NULL)
        return false;
    const fanout_message message = {
        .subject = natsMsg_GetSubject(got),
        .payload = core_slice_make(natsMsg_GetData(got), (size_t)natsMsg_GetDataLength(got)),
        .sequence = sequence,
        .stored_us = natsMsg_GetTime(got) / NS_PER_US,
        .source = got};
    bool ok = take(context, &message, error);
    natsMsg_Destroy(got);
    return ok;
}

static bool stream_purge(fanout_connection *connection, const char *stream, jsOptions *options,
                         core_error *error) {
    jsErrCode code = 0;
    natsStatus status = js_PurgeStream(fanout_jetstream(connection), stream, options, &code);
    return status == NATS_OK ||
           fanout_status_error(error, status, (int)code, "purge stream", stream);
}

bool fanout_stream_keep(fanout_connection *connection, const char *stream, const char *subject,
                        uint64_t count, core_error *error) {
    jsOptions options;
    (void)jsOptions_Init(&options);
    options.Stream.Purge.Subject = subject;
    options.Stream.Purge.Keep = count;
    return stream_purge(connection, stream, &options, error);
}

/* To the server "before 1" is as if no sequence was said: all would go. Always by subject: see
 * fanout.h. */
bool fanout_stream_purge(fanout_connection *connection, const char *stream, const char *subjects,
                         uint64_t before, core_error *error) {
    jsOptions options;
    if (before <= 1)
        return true;
    (void)jsOptions_Init(&options);
    options.Stream.Purge.Subject = subjects;
    options.Stream.Purge.Sequence = before;
    return stream_purge(connection, stream, &options, error);
}

bool fanout_stream_delete(fanout_connection *connection, const char *stream, core_error *error) {
    jsErrCode code = 0;
    natsStatus status = js_DeleteStream(fanout_jetstream(connection), stream, NULL, &code);
    return status == NATS_OK || status == NATS_NOT_FOUND || code == JSStreamNotFoundErr ||
           fanout_status_error(error, status, (int)code, "remove stream", stream);
}

/* A server that is killed at once may have it back. */
bool fanout_stream_remove(fanout_connection *connection, const char *stream, uint64_t sequence,
                          core_error *error) {
    natsMsg *message = NULL;
    jsErrCode code = 0;
    jsCtx *js = fanout_jetstream(connection);
    natsStatus status = js_DeleteMsg(js, stream, sequence, NULL, &code);
    if (status == NATS_OK ||
        js_GetMsg(&message, js, stream, sequence, NULL, NULL) == NATS_NOT_FOUND)
        return true;
    natsMsg_Destroy(message);
    return fanout_status_error(error, status, (int)code, "remove a message of stream", stream);
}

bool fanout_last_message(fanout_connection *connection, const char *stream, const char *subject,
                         natsMsg **message, core_error *error) {
    jsErrCode code = 0;
    char escaped[FANOUT_FILTER_MAX];
    *message = NULL;
    if (!fanout_filter_escape(subject, escaped, error))
        return false;
    natsStatus status =
        js_GetLastMsg(message, fanout_jetstream(connection), stream, escaped, NULL, &code);
    bool has_none = status == NATS_NOT_FOUND && code != JSStreamNotFoundErr;
    return status == NATS_OK || has_none ||
           fanout_status_error(error, status, (int)code, "read the last message on", subject);
}

bool fanout_stream_subject_end(fanout_connection *connection, const char *stream,
                               const char *subject, uint64_t *sequence, core_error *error) {
    natsMsg *message;
    if (!fanout_last_message(connection, stream, subject, &message, error))
        return false;
    *sequence = message != NULL ? natsMsg_GetSequence(message) : 0;
    natsMsg_Destroy(message);
    return true;
}
