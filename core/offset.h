/* The offset: an opaque place in the change stream, `EPOCH-SEQ.IDX`.
 *
 * SEQ is the stream sequence of a run's message and IDX the row within it. The epoch changes when
 * the stream is made anew or rolled back, so that an old offset is answered "history no longer
 * held" and never with another row. */
#ifndef WALCAST_CORE_OFFSET_H
#define WALCAST_CORE_OFFSET_H

#include "core/slice.h"

#define CORE_EPOCH_TEXT_SIZE  17 /* 16 characters [0-9a-z] and NUL */
#define CORE_OFFSET_TEXT_SIZE 64

typedef struct {
    char epoch[CORE_EPOCH_TEXT_SIZE];
    uint64_t sequence;
    uint32_t index;
} core_offset;

/* The place before a stream's first message, where no epoch is known yet: "0-0.0". */
#define CORE_OFFSET_BEGINNING_EPOCH "0"
/* A place that was told to somebody: that one, or a row's of a known epoch. */
static inline bool core_offset_is_place(const core_offset *offset) {
    bool begins = offset->epoch[0] == '0' && offset->epoch[1] == '\0';
    return begins ? offset->sequence == 0 && offset->index == 0 : offset->sequence > 0;
}

void core_offset_format(const core_offset *offset, char text[CORE_OFFSET_TEXT_SIZE]);
CORE_MUST_CHECK bool core_offset_parse(core_slice text, core_offset *offset);

#endif
