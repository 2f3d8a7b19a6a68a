/* A partition's log records, as other writers may have left them. What is taken is written again as
 * the same. */
#include "triggers/record.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const core_slice input = core_slice_make(data, size);
    triggers_record record;
    triggers_entry outcome;
    core_buffer out;
    if (!triggers_record_read(input, &record, NULL))
        return 0;
    core_buffer_init(&out, size + 64);
    triggers_record_write(&record, &out);
    if (!core_slice_equal(core_buffer_slice(&out), input))
        abort();
    core_buffer_reset(&out);
    core_cursor cursor = core_cursor_make(record.outcomes);
    while (triggers_entry_read(&cursor, &outcome))
        triggers_entry_write(&outcome, &out);
    if (!core_slice_equal(core_buffer_slice(&out), record.outcomes))
        abort();
    core_buffer_fini(&out);
    return 0;
}
