/* A dead letter: a task that was given up, why, and all that is needed to do it again. */
#ifndef WALCAST_TRIGGERS_LETTER_H
#define WALCAST_TRIGGERS_LETTER_H

#include "triggers/record.h"

typedef struct {
    uint64_t sequence; /* in the stream of tasks */
    uint32_t attempts;
    uint16_t status; /* of the last one; 0: none */
    int64_t dead_ms; /* since 1970 */
    core_slice reason;
    core_slice task; /* as it was; perhaps what cannot be read as one */
} triggers_letter;

void triggers_letter_write(const triggers_letter *letter, core_buffer *out);
/* Slices point into `bytes`. INPUT error when they are no letter that this version knows. */
CORE_MUST_CHECK bool triggers_letter_read(core_slice bytes, triggers_letter *letter,
                                          core_error *error);

#endif
