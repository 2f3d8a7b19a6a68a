/* Tasks, plain and parked, as other writers may have left them in their streams. What is taken is
 * written again and read as the same. */
#include "triggers/task.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void task_read(core_slice input) {
    triggers_task task, again;
    core_buffer out;
    if (!triggers_task_read(input, &task, NULL))
        return;
    core_buffer_init(&out, input.length + 64);
    triggers_task_write(&task, &out);
    if (!core_buffer_ok(&out) || !core_slice_equal(core_buffer_slice(&out), input) ||
        !triggers_task_read(core_buffer_slice(&out), &again, NULL))
        abort();
    core_buffer_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const core_slice input = core_slice_make(data, size);
    triggers_parked parked;
    task_read(input);
    if (triggers_parked_read(input, &parked, NULL))
        task_read(parked.task);
    return 0;
}
