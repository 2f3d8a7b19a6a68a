/* Wishes for a redelivery, as whoever may write to the stream of events may have left them. What is
 * taken is written again and read as the same. */
#include "triggers/redeliver.h"

#include <stdlib.h>

enum { ARENA_BYTES = 8192 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    core_arena arena;
    core_buffer out;
    triggers_redelivery one, again;
    core_arena_init(&arena, ARENA_BYTES, ARENA_BYTES);
    core_buffer_init(&out, 8 * (size_t)TRIGGERS_REDELIVER_MAX * 2);
    if (triggers_redelivery_read(core_slice_make(data, size), &arena, &one, NULL)) {
        triggers_redelivery_write(&one, &out);
        bool is_same = !core_buffer_ok(&out) ||
                       !triggers_redelivery_read(core_buffer_slice(&out), &arena, &again, NULL) ||
                       (core_slice_equal(one.trigger, again.trigger) &&
                        core_slice_equal(one.event_id, again.event_id) && one.dead == again.dead);
        if (!is_same)
            abort();
    }
    core_buffer_fini(&out);
    core_arena_fini(&arena);
    return 0;
}
