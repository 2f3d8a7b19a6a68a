/* Wishes for a redelivery, as whoever may write to the stream of events may have left them. What is
 * taken is written again and read as the same. */
#include "triggers/redeliver.h"

#include <stdlib.h>

enum { ARENA_BYTES = 8192 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    core_arena arena, others;
    core_buffer out;
    triggers_redelivery one, again;
    core_arena_init(&arena, ARENA_BYTES, ARENA_BYTES);
    core_arena_init(&others, ARENA_BYTES, ARENA_BYTES);
    core_buffer_init(&out, TRIGGERS_REDELIVER_MAX);
    if (triggers_redelivery_read(core_slice_make(data, size), &arena, &one, NULL)) {
        triggers_redelivery_write(&one, &out);
        if (!triggers_redelivery_read(core_buffer_slice(&out), &others, &again, NULL) ||
            !core_slice_equal(one.trigger, again.trigger) ||
            !core_slice_equal(one.event_id, again.event_id) || one.dead != again.dead)
            abort();
    }
    core_buffer_fini(&out);
    core_arena_fini(&others);
    core_arena_fini(&arena);
    return 0;
}
