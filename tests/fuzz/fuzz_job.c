/* Jobs from the inbox stream, where anybody may have written: what is taken is within its bounds
 * and is written again as the same bytes; a status likewise, behind it. */
#include "triggers/job.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(const core_buffer *out, const uint8_t *start, const core_cursor *cursor) {
    size_t length = (size_t)(cursor->at - start);
    if (!core_buffer_ok(out) ||
        !core_slice_equal(core_buffer_slice(out), core_slice_make(start, length)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    core_cursor cursor = core_cursor_make(core_slice_make(data, size));
    core_buffer out;
    triggers_job job;
    triggers_job_status status;
    core_error error;
    core_buffer_init(&out, TRIGGERS_JOB_WIRE_MAX + TRIGGERS_JOB_STATUS_WIRE_MAX);
    if (triggers_job_decode(&cursor, &job)) {
        if (!triggers_job_check(&job, &error))
            abort();
        triggers_job_encode(&job, &out);
        same(&out, cursor.start, &cursor);
        const uint8_t *start = cursor.at;
        core_buffer_reset(&out);
        if (triggers_job_status_decode(&cursor, &status)) {
            triggers_job_status_encode(&status, &out);
            same(&out, start, &cursor);
        }
    }
    core_buffer_fini(&out);
    return 0;
}
