/* See position_writer.h. Happy path: post wakes the thread, which writes with compare-and-set and
 * leaves the result; the eventfd tells the owner. Failure modes: a broker that does not answer
 * holds only this thread, up to the bucket's time limit. What became of such a write is not known:
 * it may still be stored, and the next one then finds another revision. If what stands there is one
 * of our own attempts, nobody else was first and the write is made again on top of it. */
#include "cdc/position_writer.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define WRITER_MAGIC UINT32_C(0x706f7377)

const char cdc_position_key[] = "position.default";

enum { ATTEMPTS_MAX = 8 }; /* unanswered in a row; beyond, a conflict is taken as one */

typedef enum { WRITER_IDLE, WRITER_POSTED, WRITER_DONE } writer_phase;

struct cdc_position_writer {
    uint32_t magic;
    int wake_fd;
    pthread_t thread;
    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t changed;
    writer_phase phase;
    bool stopping;
    fanout_bucket *bucket;
    uint64_t revision;
    cdc_position position;
    bool stored;
    core_error error;
    /* The thread's alone while POSTED: hashes of records whose fate is not known. */
    uint64_t attempts[ATTEMPTS_MAX];
    size_t attempt_count;
};

/* ---- The writer's thread ---- */

/* True when the record that stands in the bucket is one of our unanswered attempts; `revision` gets
 * its revision. */
static bool attempt_recognize(const cdc_position_writer *writer, fanout_bucket *bucket,
                              uint64_t *revision) {
    core_buffer json;
    core_buffer_init(&json, CDC_POSITION_JSON_MAX);
    bool ours = false;
    uint64_t found = 0;
    if (fanout_bucket_get(bucket, cdc_position_key, &json, &found, NULL))
        for (size_t i = 0; i < writer->attempt_count; i++)
            ours = ours || core_slice_hash(core_buffer_slice(&json)) == writer->attempts[i];
    core_buffer_fini(&json);
    if (ours)
        *revision = found;
    return ours;
}

static void attempt_remember(cdc_position_writer *writer, core_slice json) {
    if (writer->attempt_count == ATTEMPTS_MAX) {
        memmove(writer->attempts, writer->attempts + 1, sizeof writer->attempts - sizeof(uint64_t));
        writer->attempt_count--;
    }
    writer->attempts[writer->attempt_count++] = core_slice_hash(json);
}

static bool record_store(cdc_position_writer *writer, fanout_bucket *bucket,
                         const cdc_position *position, uint64_t *revision, core_error *error) {
    core_buffer buffer;
    core_buffer_init(&buffer, CDC_POSITION_JSON_MAX);
    cdc_position_encode(position, &buffer);
    assert(core_buffer_ok(&buffer));
    core_slice json = core_buffer_slice(&buffer);
    bool ok = fanout_bucket_set(bucket, cdc_position_key, json, *revision, revision, error);
    if (!ok && error->code == CORE_ERROR_CONFLICT && attempt_recognize(writer, bucket, revision))
        ok = fanout_bucket_set(bucket, cdc_position_key, json, *revision, revision, error);
    if (ok)
        writer->attempt_count = 0;
    else if (error->code == CORE_ERROR_TRANSIENT)
        attempt_remember(writer, json);
    core_buffer_fini(&buffer);
    return ok || core_error_wrap(error, "storing the position");
}

/* With the mutex held, which is let go while the broker is asked. */
static void posted_store(cdc_position_writer *writer) {
    cdc_position position = writer->position;
    fanout_bucket *bucket = writer->bucket;
    uint64_t revision = writer->revision;
    core_error error = {0};
    (void)pthread_mutex_unlock(&writer->mutex);
    bool stored = record_store(writer, bucket, &position, &revision, &error);
    (void)pthread_mutex_lock(&writer->mutex);
    writer->stored = stored;
    writer->error = error;
    if (stored)
        writer->revision = revision;
    writer->phase = WRITER_DONE;
    (void)pthread_cond_broadcast(&writer->changed);
    core_wake_set(writer->wake_fd);
}

static void *writer_thread(void *context) {
    cdc_position_writer *writer = context;
    CORE_MAGIC_CHECK(writer, WRITER_MAGIC);
    (void)pthread_setname_np(pthread_self(), "cdc-position");
    (void)pthread_mutex_lock(&writer->mutex);
    while (!writer->stopping) {
        if (writer->phase == WRITER_POSTED)
            posted_store(writer);
        else
            (void)pthread_cond_wait(&writer->changed, &writer->mutex);
    }
    (void)pthread_mutex_unlock(&writer->mutex);
    return NULL;
}

/* ---- Life ---- */

cdc_position_writer *cdc_position_writer_new(core_error *error) {
    cdc_position_writer *writer = calloc(1, sizeof *writer);
    int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    bool ok = writer != NULL && wake_fd >= 0;
    if (ok) {
        writer->magic = WRITER_MAGIC;
        writer->wake_fd = wake_fd;
        (void)pthread_mutex_init(&writer->mutex, NULL);
        (void)pthread_cond_init(&writer->changed, NULL);
        ok = pthread_create(&writer->thread, NULL, writer_thread, writer) == 0;
    }
    if (ok)
        return writer;
    if (wake_fd >= 0)
        (void)close(wake_fd);
    free(writer);
    (void)core_error_set(error, CORE_ERROR_INTERNAL, "no thread for the position record");
    return NULL;
}

void cdc_position_writer_free(cdc_position_writer *writer) {
    if (writer == NULL)
        return;
    cdc_position_writer_detach(writer);
    (void)pthread_mutex_lock(&writer->mutex);
    writer->stopping = true;
    (void)pthread_cond_broadcast(&writer->changed);
    (void)pthread_mutex_unlock(&writer->mutex);
    (void)pthread_join(writer->thread, NULL);
    (void)pthread_cond_destroy(&writer->changed);
    (void)pthread_mutex_destroy(&writer->mutex);
    (void)close(writer->wake_fd);
    writer->magic = 0;
    free(writer);
}

void cdc_position_writer_attach(cdc_position_writer *writer, fanout_bucket *bucket,
                                uint64_t revision) {
    (void)pthread_mutex_lock(&writer->mutex);
    assert(writer->phase == WRITER_IDLE && writer->bucket == NULL);
    writer->bucket = bucket;
    writer->revision = revision;
    writer->attempt_count = 0;
    (void)pthread_mutex_unlock(&writer->mutex);
}

void cdc_position_writer_detach(cdc_position_writer *writer) {
    (void)pthread_mutex_lock(&writer->mutex);
    while (writer->phase == WRITER_POSTED)
        (void)pthread_cond_wait(&writer->changed, &writer->mutex);
    writer->phase = WRITER_IDLE;
    writer->bucket = NULL;
    (void)pthread_mutex_unlock(&writer->mutex);
    core_wake_clear(writer->wake_fd);
}

/* ---- The owner's side ---- */

bool cdc_position_writer_idle(cdc_position_writer *writer) {
    (void)pthread_mutex_lock(&writer->mutex);
    bool idle = writer->phase == WRITER_IDLE;
    (void)pthread_mutex_unlock(&writer->mutex);
    return idle;
}

void cdc_position_writer_post(cdc_position_writer *writer, const cdc_position *position) {
    (void)pthread_mutex_lock(&writer->mutex);
    assert(writer->phase == WRITER_IDLE && writer->bucket != NULL);
    writer->position = *position;
    writer->phase = WRITER_POSTED;
    (void)pthread_cond_broadcast(&writer->changed);
    (void)pthread_mutex_unlock(&writer->mutex);
}

cdc_write_result cdc_position_writer_take(cdc_position_writer *writer, cdc_position *position,
                                          core_error *error) {
    cdc_write_result result = CDC_WRITE_NONE;
    (void)pthread_mutex_lock(&writer->mutex);
    if (writer->phase == WRITER_DONE) {
        result = writer->stored ? CDC_WRITE_STORED : CDC_WRITE_FAILED;
        *position = writer->position;
        if (!writer->stored && error != NULL)
            *error = writer->error;
        writer->phase = WRITER_IDLE;
        core_wake_clear(writer->wake_fd);
    }
    (void)pthread_mutex_unlock(&writer->mutex);
    return result;
}

int cdc_position_writer_wake_fd(const cdc_position_writer *writer) {
    return writer->wake_fd;
}

bool cdc_position_writer_write(cdc_position_writer *writer, const cdc_position *position,
                               core_error *error) {
    cdc_position stored;
    (void)pthread_mutex_lock(&writer->mutex);
    while (writer->phase == WRITER_POSTED)
        (void)pthread_cond_wait(&writer->changed, &writer->mutex);
    writer->phase = WRITER_IDLE; /* an earlier result is overtaken by this one */
    (void)pthread_mutex_unlock(&writer->mutex);
    cdc_position_writer_post(writer, position);
    (void)pthread_mutex_lock(&writer->mutex);
    while (writer->phase == WRITER_POSTED)
        (void)pthread_cond_wait(&writer->changed, &writer->mutex);
    (void)pthread_mutex_unlock(&writer->mutex);
    return cdc_position_writer_take(writer, &stored, error) == CDC_WRITE_STORED;
}
