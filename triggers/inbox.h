/* Tasks on their way from the consumer's thread to the worker's: bounded by number and bytes;
 * whoever puts waits for room, and with him the stream. */
#ifndef WALCAST_TRIGGERS_INBOX_H
#define WALCAST_TRIGGERS_INBOX_H

#include "core/core.h"

typedef struct triggers_inbox triggers_inbox;

/* `wake_fd`: an eventfd that is set when a task comes to an empty inbox. */
CORE_MUST_CHECK triggers_inbox *triggers_inbox_new(size_t max_tasks, size_t max_bytes, int wake_fd,
                                                   core_error *error);
/* Nobody waits in it. What is still inside is forgotten. */
void triggers_inbox_free(triggers_inbox *inbox);
/* Copies it; waits while there is no room. False: it is closed, or memory is out; then nothing is
 * taken until this one comes again, behind triggers_inbox_last. */
CORE_MUST_CHECK bool triggers_inbox_put(triggers_inbox *inbox, uint64_t sequence, core_slice task);
/* The oldest, whose block is the caller's; NULL: none. */
CORE_MUST_CHECK core_block *triggers_inbox_take(triggers_inbox *inbox, uint64_t *sequence);
/* Whoever waits goes on, and what comes is dropped. */
void triggers_inbox_close(triggers_inbox *inbox);
/* The last sequence that was put; 0: none. */
uint64_t triggers_inbox_last(triggers_inbox *inbox);

#endif
