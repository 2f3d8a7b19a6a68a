/* Events as somebody writes them for a trial: what is read makes a row of each shape. */
#include "triggers/event_row.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const triggers_on shapes[] = {TRIGGERS_ON_EVENT, TRIGGERS_ON_CRON, TRIGGERS_ON_RESULT};
    triggers_occurrence occurrence;
    core_change change;
    core_arena arena;
    core_arena_init(&arena, 4096, 64 * size + 65536);
    bool ok = triggers_occurrence_read(core_slice_make(data, size), 1, &arena, &occurrence, NULL);
    for (size_t i = 0; ok && i < CORE_COUNT_OF(shapes); i++)
        if (triggers_occurrence_row(&occurrence, shapes[i], &arena, &change) &&
            change.new_tuple.count != triggers_shape(shapes[i])->column_count)
            abort();
    core_arena_fini(&arena);
    return 0;
}
