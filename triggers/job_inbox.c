/* See job_inbox.h. */
#include "triggers/job_inbox.h"

#include <stdlib.h>

#define INBOX_MAGIC 0x10b1b0c5u

enum { MESSAGES_MAX = 1024, WAIT_MS = 1000 };
#define BYTES_MAX ((size_t)4 << 20)

typedef struct inbox_message inbox_message;
struct inbox_message {
    inbox_message *next;
    uint64_t sequence;
    size_t length;
    uint8_t bytes[];
};

struct triggers_job_inbox {
    uint32_t magic;
    fanout_ordered *consumer;
    int wake_fd;
    pthread_mutex_t lock;
    pthread_cond_t room;
    inbox_message *first, **last;
    size_t count, bytes;
    bool stopping, lost;
};

/* On the consumer's thread. */
static void on_message(void *context, const fanout_message *message) {
    triggers_job_inbox *inbox = context;
    CORE_MAGIC_CHECK(inbox, INBOX_MAGIC);
    inbox_message *kept = malloc(sizeof *kept + message->payload.length);
    (void)pthread_mutex_lock(&inbox->lock);
    while (!inbox->stopping && (inbox->count >= MESSAGES_MAX || inbox->bytes >= BYTES_MAX))
        (void)core_condition_wait(&inbox->room, &inbox->lock, WAIT_MS);
    if (kept == NULL || inbox->stopping) {
        inbox->lost = true; /* none behind it may be taken */
        free(kept);
    } else if (!inbox->lost) {
        *kept = (inbox_message){.sequence = message->sequence, .length = message->payload.length};
        if (kept->length > 0)
            memcpy(kept->bytes, message->payload.data, kept->length);
        *inbox->last = kept;
        inbox->last = &kept->next;
        inbox->count++;
        inbox->bytes += kept->length;
    } else {
        free(kept);
    }
    (void)pthread_mutex_unlock(&inbox->lock);
    core_wake_set(inbox->wake_fd);
}

static void on_lost(void *context, const core_error *reason) {
    triggers_job_inbox *inbox = context;
    CORE_MAGIC_CHECK(inbox, INBOX_MAGIC);
    (void)reason;
    (void)pthread_mutex_lock(&inbox->lock);
    inbox->lost = true;
    (void)pthread_mutex_unlock(&inbox->lock);
    core_wake_set(inbox->wake_fd);
}

triggers_job_inbox *triggers_job_inbox_new(fanout_connection *connection, const char *stream,
                                           const char *subject, uint64_t taken, int wake_fd,
                                           core_log *log, core_error *error) {
    triggers_job_inbox *inbox = calloc(1, sizeof *inbox);
    if (inbox == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for the jobs' inbox");
        return NULL;
    }
    inbox->magic = INBOX_MAGIC;
    inbox->wake_fd = wake_fd;
    inbox->last = &inbox->first;
    (void)pthread_mutex_init(&inbox->lock, NULL);
    core_condition_init(&inbox->room);
    const fanout_ordered_spec spec = {
        .stream = stream,
        .filter = subject,
        .from = taken > 0 ? FANOUT_FROM_SEQUENCE : FANOUT_FROM_FIRST,
        .sequence = taken + 1,
        .on_message = on_message,
        .on_lost = on_lost,
        .context = inbox,
    };
    inbox->consumer = fanout_ordered_new(connection, &spec, log, error);
    if (inbox->consumer != NULL)
        return inbox;
    triggers_job_inbox_free(inbox);
    return NULL;
}

void triggers_job_inbox_free(triggers_job_inbox *inbox) {
    if (inbox == NULL)
        return;
    CORE_MAGIC_CHECK(inbox, INBOX_MAGIC);
    (void)pthread_mutex_lock(&inbox->lock);
    inbox->stopping = true;
    (void)pthread_cond_broadcast(&inbox->room);
    (void)pthread_mutex_unlock(&inbox->lock);
    if (inbox->consumer != NULL)
        fanout_ordered_free(inbox->consumer);
    while (inbox->first != NULL)
        triggers_job_inbox_drop(inbox);
    (void)pthread_cond_destroy(&inbox->room);
    (void)pthread_mutex_destroy(&inbox->lock);
    inbox->magic = 0;
    free(inbox);
}

bool triggers_job_inbox_peek(triggers_job_inbox *inbox, uint64_t *sequence, core_slice *payload) {
    (void)pthread_mutex_lock(&inbox->lock);
    const inbox_message *message = inbox->first; /* only this thread takes it out */
    (void)pthread_mutex_unlock(&inbox->lock);
    if (message == NULL)
        return false;
    *sequence = message->sequence;
    *payload = core_slice_make(message->bytes, message->length);
    return true;
}

void triggers_job_inbox_drop(triggers_job_inbox *inbox) {
    (void)pthread_mutex_lock(&inbox->lock);
    inbox_message *message = inbox->first;
    inbox->first = message->next;
    if (inbox->first == NULL)
        inbox->last = &inbox->first;
    inbox->count--;
    inbox->bytes -= message->length;
    (void)pthread_cond_signal(&inbox->room);
    (void)pthread_mutex_unlock(&inbox->lock);
    free(message);
}

bool triggers_job_inbox_is_lost(triggers_job_inbox *inbox) {
    (void)pthread_mutex_lock(&inbox->lock);
    bool lost = inbox->lost && inbox->first == NULL;
    (void)pthread_mutex_unlock(&inbox->lock);
    return lost;
}
