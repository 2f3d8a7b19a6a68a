/* Key-value buckets over a stream, by the same conventions as every NATS client's (ADR-8): stream
 * KV_{bucket}, subject $KV.{bucket}.{key}, one message a subject, a delete is a marker.
 *
 * Done with plain requests: nats.c's own buckets allow direct gets, which may be stale on replicas,
 * and cannot expect revision 0. Reads go to the stream's leader; compare-and-set is the stream's
 * expected last sequence of a subject. On replicas servers before 2.9.21 let several writers win
 * with a revision other than 0 (TRAPS 11), so a lease by it is a hint and its stream's fence
 * decides. */
#include "fanout/bucket.h"
#include "fanout/bucket_key.h"
#include "fanout/newborn.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUCKET_MAGIC UINT32_C(0x6275636b)

enum { NUMBER_MAX = 24 };

static const char operation_header[] = "KV-Operation";
static const char expected_header[] = "Nats-Expected-Last-Subject-Sequence";

/* ---- made ---- */

static bool bucket_matches(const fanout_bucket *bucket, const jsStreamConfig *found,
                           const char *subjects, core_error *error) {
    if (found->SubjectsLen == 1 && strcmp(found->Subjects[0], subjects) == 0 &&
        found->MaxMsgsPerSubject == 1 && found->Storage == js_FileStorage &&
        (found->MaxAge > 0) == (bucket->max_age_ms > 0))
        return true;
    return core_error_set(error, CORE_ERROR_CONFIG,
                          "stream '%s' exists and is not Walcast's key-value bucket '%s' (subjects "
                          "'%s', expected '%s', one value a key in a file, %s age limit): choose "
                          "another nats.stream or remove it",
                          bucket->stream, bucket->name,
                          found->SubjectsLen > 0 ? found->Subjects[0] : "(none)", subjects,
                          bucket->max_age_ms > 0 ? "an" : "no");
}

bool fanout_bucket_ensure(fanout_bucket *bucket, core_error *error) {
    char all[sizeof bucket->prefix + 1];
    const char *subjects[] = {all};
    jsStreamInfo *found = NULL;
    jsErrCode code = 0;
    jsStreamConfig config;
    (void)snprintf(all, sizeof all, "%s>", bucket->prefix);
    (void)jsStreamConfig_Init(&config);
    config.Name = bucket->stream;
    config.Subjects = subjects;
    config.SubjectsLen = 1;
    config.MaxMsgsPerSubject = 1;
    config.Discard = js_DiscardNew;
    config.Replicas = bucket->replicas;
    config.MaxAge = bucket->max_age_ms * CORE_NS_PER_MS;
    config.Duplicates = config.MaxAge; /* must not be longer; ids are not used */
    config.DenyDelete = true;
    config.AllowRollup = true;
    natsStatus status = fanout_newborn_ensure(bucket->connection, &config, &found, NULL, &code);
    if (status != NATS_OK)
        return fanout_status_error(error, status, (int)code, "make or find bucket", bucket->name);
    bool ok = bucket_matches(bucket, found->Config, all, error);
    jsStreamInfo_Destroy(found);
    return ok;
}

fanout_bucket *fanout_bucket_new(fanout_connection *connection, const core_config *config,
                                 const char *suffix, core_error *error) {
    return fanout_bucket_new_brief(connection, config, suffix, 0, error);
}

fanout_bucket *fanout_bucket_new_brief(fanout_connection *connection, const core_config *config,
                                       const char *suffix, int64_t max_age_ms, core_error *error) {
    fanout_bucket *bucket = calloc(1, sizeof *bucket);
    if (bucket == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for a bucket");
        return NULL;
    }
    bucket->magic = BUCKET_MAGIC;
    bucket->connection = connection;
    (void)snprintf(bucket->name, sizeof bucket->name, "%s_%s",
                   core_config_text(config, "nats.stream"), suffix);
    (void)snprintf(bucket->stream, sizeof bucket->stream, "KV_%s", bucket->name);
    (void)snprintf(bucket->prefix, sizeof bucket->prefix, "$KV.%s.", bucket->name);
    bucket->max_age_ms = max_age_ms;
    bucket->replicas = core_config_integer(config, "nats.replicas");
    if (fanout_bucket_ensure(bucket, error))
        return bucket;
    fanout_bucket_free(bucket);
    return NULL;
}

void fanout_bucket_free(fanout_bucket *bucket) {
    if (bucket == NULL)
        return;
    CORE_MAGIC_CHECK(bucket, BUCKET_MAGIC);
    bucket->magic = 0;
    free(bucket);
}

/* ---- read ---- */

/* The key's last message, NULL in `*message` when there never was one. */
static bool bucket_last(fanout_bucket *bucket, const char *subject, natsMsg **message,
                        core_error *error) {
    jsErrCode code = 0;
    *message = NULL;
    natsStatus status = js_GetLastMsg(message, fanout_jetstream(bucket->connection), bucket->stream,
                                      subject, NULL, &code);
    if (status == NATS_OK || (status == NATS_NOT_FOUND && code != JSStreamNotFoundErr))
        return true;
    return fanout_status_error(error, status, (int)code, "read bucket", bucket->name);
}

bool fanout_bucket_is_marker(natsMsg *message) {
    const char *operation = NULL;
    return natsMsgHeader_Get(message, operation_header, &operation) == NATS_OK &&
           operation != NULL && strcmp(operation, "PUT") != 0;
}

bool fanout_bucket_get(fanout_bucket *bucket, const char *key, core_buffer *value,
                       uint64_t *revision, core_error *error) {
    char subject[FANOUT_BUCKET_KEY_MAX];
    natsMsg *message = NULL;
    CORE_MAGIC_CHECK(bucket, BUCKET_MAGIC);
    if (!fanout_bucket_subject(bucket->prefix, key, subject, error) ||
        !bucket_last(bucket, subject, &message, error))
        return false;
    core_buffer_reset(value);
    *revision = 0;
    if (message != NULL && !fanout_bucket_is_marker(message)) {
        core_buffer_append(value, natsMsg_GetData(message), (size_t)natsMsg_GetDataLength(message));
        *revision = natsMsg_GetSequence(message);
    }
    natsMsg_Destroy(message);
    if (core_buffer_ok(value))
        return true;
    return core_error_set(error, CORE_ERROR_LIMIT,
                          "value of key '%s' in bucket %s exceeds %zu bytes", key, bucket->name,
                          value->max_bytes);
}

/* ---- written ---- */

/* Publishes one message with one header (NULL: none); `*revision` gets its sequence. */
static bool bucket_put(fanout_bucket *bucket, const char *subject, core_slice value,
                       const char *header, const char *header_value, uint64_t *revision,
                       core_error *error) {
    natsMsg *message = NULL;
    jsPubAck *ack = NULL;
    jsErrCode code = 0;
    natsStatus status =
        natsMsg_Create(&message, subject, NULL, (const char *)value.data, (int)value.length);
    if (status == NATS_OK && header != NULL)
        status = natsMsgHeader_Set(message, header, header_value);
    if (status == NATS_OK)
        status = js_PublishMsg(&ack, fanout_jetstream(bucket->connection), message, NULL, &code);
    natsMsg_Destroy(message);
    if (status != NATS_OK)
        return fanout_status_error(error, status, (int)code, "write to bucket", bucket->name);
    *revision = ack->Sequence;
    jsPubAck_Destroy(ack);
    return true;
}

static bool bucket_put_expecting(fanout_bucket *bucket, const char *subject, core_slice value,
                                 uint64_t expected, uint64_t *revision, core_error *error) {
    char number[NUMBER_MAX];
    (void)snprintf(number, sizeof number, "%" PRIu64, expected);
    return bucket_put(bucket, subject, value, expected_header, number, revision, error);
}

/* After a CONFLICT of a creation: a deleted key's marker is no obstacle, so expect it instead. */
static bool bucket_put_after_marker(fanout_bucket *bucket, const char *subject, core_slice value,
                                    uint64_t *revision, core_error *error) {
    natsMsg *last = NULL;
    core_error conflict = *error;
    if (!bucket_last(bucket, subject, &last, error))
        return false;
    uint64_t marker = last != NULL && fanout_bucket_is_marker(last) ? natsMsg_GetSequence(last) : 0;
    natsMsg_Destroy(last);
    if (marker != 0)
        return bucket_put_expecting(bucket, subject, value, marker, revision, error);
    *error = conflict;
    return false;
}

bool fanout_bucket_set(fanout_bucket *bucket, const char *key, core_slice value, uint64_t expected,
                       uint64_t *revision, core_error *error) {
    char subject[FANOUT_BUCKET_KEY_MAX];
    core_error why = {0};
    CORE_MAGIC_CHECK(bucket, BUCKET_MAGIC);
    if (!fanout_bucket_subject(bucket->prefix, key, subject, error))
        return false;
    if (bucket_put_expecting(bucket, subject, value, expected, revision, &why) ||
        (why.code == CORE_ERROR_CONFLICT && expected == 0 &&
         bucket_put_after_marker(bucket, subject, value, revision, &why)))
        return true;
    if (why.code == CORE_ERROR_CONFLICT)
        return core_error_set(error, CORE_ERROR_CONFLICT,
                              "key '%s' of bucket %s is not at revision %" PRIu64
                              ": somebody else was first; read it again",
                              key, bucket->name, expected);
    if (error != NULL)
        *error = why;
    return false;
}

bool fanout_bucket_put(fanout_bucket *bucket, const char *key, core_slice value,
                       core_error *error) {
    char subject[FANOUT_BUCKET_KEY_MAX];
    uint64_t revision = 0;
    CORE_MAGIC_CHECK(bucket, BUCKET_MAGIC);
    return fanout_bucket_subject(bucket->prefix, key, subject, error) &&
           bucket_put(bucket, subject, value, NULL, NULL, &revision, error);
}

bool fanout_bucket_delete(fanout_bucket *bucket, const char *key, core_error *error) {
    char subject[FANOUT_BUCKET_KEY_MAX];
    uint64_t revision = 0;
    CORE_MAGIC_CHECK(bucket, BUCKET_MAGIC);
    return fanout_bucket_subject(bucket->prefix, key, subject, error) &&
           bucket_put(bucket, subject, core_slice_make("", 0), operation_header, "DEL", &revision,
                      error);
}

bool fanout_bucket_erase(fanout_bucket *bucket, const char *key, uint64_t revision,
                         core_error *error) {
    char subject[FANOUT_BUCKET_KEY_MAX];
    jsOptions options;
    jsErrCode code = 0;
    CORE_MAGIC_CHECK(bucket, BUCKET_MAGIC);
    if (!fanout_bucket_subject(bucket->prefix, key, subject, error))
        return false;
    (void)jsOptions_Init(&options);
    options.Stream.Purge.Subject = subject;
    options.Stream.Purge.Sequence = revision + 1;
    natsStatus status =
        js_PurgeStream(fanout_jetstream(bucket->connection), bucket->stream, &options, &code);
    return status == NATS_OK ||
           fanout_status_error(error, status, (int)code, "erase a key of bucket", bucket->name);
}

/* ---- listed ---- */

bool fanout_bucket_keys(fanout_bucket *bucket, const char *tokens, fanout_key_handler handler,
                        void *context, core_error *error) {
    char filter[FANOUT_BUCKET_KEY_MAX];
    jsOptions options;
    jsStreamInfo *info = NULL;
    jsErrCode code = 0;
    CORE_MAGIC_CHECK(bucket, BUCKET_MAGIC);
    (void)snprintf(filter, sizeof filter, "%s%s.>", bucket->prefix, tokens);
    (void)jsOptions_Init(&options);
    options.Stream.Info.SubjectsFilter = filter;
    natsStatus status = js_GetStreamInfo(&info, fanout_jetstream(bucket->connection),
                                         bucket->stream, &options, &code);
    if (status != NATS_OK)
        return fanout_status_error(error, status, (int)code, "list bucket", bucket->name);
    const jsStreamStateSubjects *found = info->State.Subjects;
    size_t skip = strlen(bucket->prefix);
    bool ok = true;
    for (int i = 0; ok && found != NULL && i < found->Count; i++)
        ok = handler(context, found->List[i].Subject + skip);
    jsStreamInfo_Destroy(info);
    return ok;
}
