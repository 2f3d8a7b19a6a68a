/* A task: one action of one trigger for one event, as it waits in the stream of tasks.
 *
 * The matcher writes it once, with the body that will be sent, so that whoever makes the attempts
 * needs neither the table's shape nor the definition of that time. It carries the places in the
 * matcher's inputs that it stands for: the last task in the stream tells where the matcher goes on.
 * A parked one is the same bytes behind a short head that chains a key's tasks in order. Written by
 * us only, but read through the cursor: it comes from outside the process. */
#ifndef WALCAST_TRIGGERS_TASK_H
#define WALCAST_TRIGGERS_TASK_H

#include "triggers/definition.h"
#include "triggers/position.h"

#define TRIGGERS_PARTITIONS     16
#define TRIGGERS_EVENT_ID_MAX   256
#define TRIGGERS_KEY_MAX        256 /* of the text that is kept; the hash is of all */
#define TRIGGERS_BODY_MAX       ((size_t)32 * 1024 * 1024)
#define TRIGGERS_WEBHOOK_ID_MAX 40
#define TRIGGERS_DEPTH_MAX      16 /* of a chain; what is deeper is never attempted */

typedef struct {
    core_slice project;
    core_slice trigger;
    uint64_t revision;   /* of the definition that matched */
    core_slice event_id; /* a change's offset, or an event's id */
    int64_t event_time_us;
    core_slice key;    /* its text, perhaps cut */
    uint64_t key_hash; /* of trigger and whole key: what is kept in order */
    uint16_t depth;    /* how many triggers led to the event */
    triggers_position position;
    core_slice arguments; /* what the action needs beside the body: arguments.h */
    core_slice batch;     /* of several in one: their events' ids, see batch.h; else empty */
    core_slice body;
} triggers_task;

/* The hash that orders: tasks with the same one are done one after another. Tenants choose keys, so
 * it is of SHA-256, cut: else one could make keys that are taken for another's. Names have at most
 * TRIGGERS_NAME_MAX bytes. Logs and subjects know keys by it: it must stay as it is. 0, which is no
 * task's: the library cannot make one now (memory is out). */
uint64_t triggers_key_hash(core_slice project, core_slice trigger, core_slice key);
static inline unsigned triggers_key_partition(uint64_t key_hash) {
    return (unsigned)(key_hash % TRIGGERS_PARTITIONS);
}
/* Appended to `out`; texts beyond their maximum are cut (the key) or must not be (the others). */
void triggers_task_write(const triggers_task *task, core_buffer *out);
/* Slices point into `bytes`. INPUT error when they are no task that this version knows. */
CORE_MUST_CHECK bool triggers_task_read(core_slice bytes, triggers_task *task, core_error *error);

/* A parked task's head. */
typedef struct {
    uint64_t sequence; /* in the stream of tasks */
    uint64_t previous; /* of the key's task that was parked before it; 0: it is the first */
    int64_t parked_ms; /* since 1970 */
    uint64_t chain;    /* of a trigger's chain: which one; 0: of a key's */
    core_slice task;   /* as it was in the stream of tasks */
} triggers_parked;

void triggers_parked_write(const triggers_parked *parked, core_buffer *out);
CORE_MUST_CHECK bool triggers_parked_read(core_slice bytes, triggers_parked *parked,
                                          core_error *error);

/* The id that a delivery has over all its attempts: of trigger and event, without a dot. */
void triggers_webhook_id(const triggers_task *task, char id[TRIGGERS_WEBHOOK_ID_MAX]);

#endif
