/* See inbox.h. */
#include "triggers/inbox.h"

#include <stdlib.h>

#define INBOX_MAGIC UINT32_C(0x74696e62)

typedef struct {
    core_block *task;
    uint64_t sequence;
} inbox_item;

struct triggers_inbox {
    uint32_t magic;
    pthread_mutex_t lock;
    pthread_cond_t room;
    inbox_item *items; /* a ring */
    size_t capacity, first, count;
    size_t bytes, max_bytes;
    uint64_t last;
    uint64_t missing; /* there was no memory for it: nothing behind it is taken; 0: none */
    int wake_fd;
    bool closed;
};

triggers_inbox *triggers_inbox_new(size_t max_tasks, size_t max_bytes, int wake_fd,
                                   core_error *error) {
    triggers_inbox *inbox = calloc(1, sizeof *inbox);
    inbox_item *items = calloc(max_tasks, sizeof *items);
    if (inbox == NULL || items == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for a partition's inbox");
        free(inbox);
        free(items);
        return NULL;
    }
    *inbox = (triggers_inbox){.magic = INBOX_MAGIC,
                              .items = items,
                              .capacity = max_tasks,
                              .max_bytes = max_bytes,
                              .wake_fd = wake_fd};
    (void)pthread_mutex_init(&inbox->lock, NULL);
    core_condition_init(&inbox->room);
    return inbox;
}

void triggers_inbox_free(triggers_inbox *inbox) {
    if (inbox == NULL)
        return;
    CORE_MAGIC_CHECK(inbox, INBOX_MAGIC);
    for (; inbox->count > 0; inbox->count--, inbox->first++)
        core_block_release(inbox->items[inbox->first % inbox->capacity].task);
    free(inbox->items);
    (void)pthread_mutex_destroy(&inbox->lock);
    (void)pthread_cond_destroy(&inbox->room);
    inbox->magic = 0;
    free(inbox);
}

static bool inbox_is_full(const triggers_inbox *inbox) {
    return inbox->count == inbox->capacity ||
           (inbox->count > 0 && inbox->bytes >= inbox->max_bytes);
}

bool triggers_inbox_put(triggers_inbox *inbox, uint64_t sequence, core_slice task) {
    CORE_MAGIC_CHECK(inbox, INBOX_MAGIC);
    core_block *block = core_block_copy(task);
    (void)pthread_mutex_lock(&inbox->lock);
    while (inbox_is_full(inbox) && !inbox->closed)
        (void)pthread_cond_wait(&inbox->room, &inbox->lock);
    bool was_empty = inbox->count == 0;
    bool is_taken =
        !inbox->closed && block != NULL && (inbox->missing == 0 || sequence <= inbox->missing);
    if (inbox->missing == 0 && !is_taken)
        inbox->missing = sequence;
    if (is_taken) {
        inbox->missing = 0;
        inbox->items[(inbox->first + inbox->count++) % inbox->capacity] =
            (inbox_item){.task = block, .sequence = sequence};
        inbox->bytes += task.length;
        inbox->last = sequence;
    }
    (void)pthread_mutex_unlock(&inbox->lock);
    if (!is_taken)
        core_block_release(block);
    else if (was_empty)
        core_wake_set(inbox->wake_fd);
    return is_taken;
}

core_block *triggers_inbox_take(triggers_inbox *inbox, uint64_t *sequence) {
    CORE_MAGIC_CHECK(inbox, INBOX_MAGIC);
    core_block *task = NULL;
    (void)pthread_mutex_lock(&inbox->lock);
    if (inbox->count > 0) {
        inbox_item *item = &inbox->items[inbox->first];
        task = item->task;
        *sequence = item->sequence;
        inbox->first = (inbox->first + 1) % inbox->capacity;
        inbox->count--;
        inbox->bytes -= task->length;
        (void)pthread_cond_signal(&inbox->room);
    }
    (void)pthread_mutex_unlock(&inbox->lock);
    return task;
}

void triggers_inbox_close(triggers_inbox *inbox) {
    (void)pthread_mutex_lock(&inbox->lock);
    inbox->closed = true;
    (void)pthread_cond_broadcast(&inbox->room);
    (void)pthread_mutex_unlock(&inbox->lock);
}

uint64_t triggers_inbox_last(triggers_inbox *inbox) {
    (void)pthread_mutex_lock(&inbox->lock);
    uint64_t last = inbox->last;
    (void)pthread_mutex_unlock(&inbox->lock);
    return last;
}
