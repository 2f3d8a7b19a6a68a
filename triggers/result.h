/* The result of a task, told to triggers that wait for it: an event `walcast.result.NAME`. */
#ifndef WALCAST_TRIGGERS_RESULT_H
#define WALCAST_TRIGGERS_RESULT_H

#include "triggers/set.h"
#include "triggers/task.h"

/* Without the trigger's name. */
#define TRIGGERS_RESULT_TYPE "walcast.result."

typedef struct {
    unsigned outcome; /* TRIGGERS_RESULT_DELIVERED or _DEAD */
    core_slice reason;
    uint16_t http_status; /* 0: none */
    uint32_t attempts;
    int64_t time_us;
} triggers_result;

/* The event's data: {"trigger", "event_id", "status", "reason", "http_status", "attempts", "time"};
 * null for what there is none of. Appended. */
void triggers_result_write(const triggers_task *task, const triggers_result *result,
                           core_buffer *out);

/* Who waits for results, found fast: a book of a set's definitions. */
typedef struct {
    const triggers_definition **waiting; /* on results; the set holds them */
    size_t count;
} triggers_result_book;

/* Made anew of a set, which must stay as long; false: memory is out, and nobody waits. */
CORE_MUST_CHECK bool triggers_result_book_fill(triggers_result_book *book, const triggers_set *set);
void triggers_result_book_fini(triggers_result_book *book);
/* Whether anybody of the project waits for this outcome of the trigger. */
bool triggers_result_wanted(const triggers_result_book *book, core_slice project,
                            core_slice trigger, unsigned outcome);

#endif
