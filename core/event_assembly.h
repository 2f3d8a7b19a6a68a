/* Puts rows together that were split over several messages (event.proto, Part).
 *
 * Every reader of the stream feeds it each message in order. A message that is no part comes back
 * as it is; parts give nothing until the last one, which gives the whole run. A row that its writer
 * began anew, after an interruption, is dropped and taken from its part 0. Parts whose first ones
 * were never fed (the reader began behind them, or they aged away) are skipped. Memory: one row, up
 * to the maximum; a row beyond it is refused (LIMIT). Owned by one thread. */
#ifndef WALCAST_CORE_EVENT_ASSEMBLY_H
#define WALCAST_CORE_EVENT_ASSEMBLY_H

#include "core/event.h"

typedef struct {
    core_buffer bytes;
    bool begun;  /* parts up to `last` are held */
    bool joined; /* a row's beginning was seen: what follows must be whole */
    uint64_t last_sequence;
    core_run last;
} core_assembly;

typedef enum {
    CORE_ASSEMBLY_WHOLE,
    CORE_ASSEMBLY_MORE,
    CORE_ASSEMBLY_REFUSED,
} core_assembly_result;

void core_assembly_init(core_assembly *assembly, size_t max_bytes);
void core_assembly_fini(core_assembly *assembly);
/* Forgets what was fed: the reader begins at another place. */
void core_assembly_reset(core_assembly *assembly);
/* `*whole` is valid until the next feed, and only as long as `payload` is. */
CORE_MUST_CHECK core_assembly_result core_assembly_feed(core_assembly *assembly, core_slice payload,
                                                        uint64_t sequence, core_slice *whole,
                                                        core_error *error);
/* Where to begin reading so that the row which the message at `sequence` belongs to comes whole;
 * `*ends` tells whether that row ends with this message. */
uint64_t core_assembly_first(core_slice payload, uint64_t sequence, bool *ends);

#endif
