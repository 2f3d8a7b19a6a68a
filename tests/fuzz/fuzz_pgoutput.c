/* Any bytes to the reader of frames and messages: a message or a refusal, never more. What was
 * read is written again and must give the same bytes, so that nothing is read in two ways. */
#include "cdc/pgoutput.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void message_try(core_slice bytes) {
    core_arena arena;
    core_buffer again;
    cdc_message message;
    core_error error;
    core_arena_init(&arena, 4096, 1 << 20);
    core_buffer_init(&again, 1 << 20);
    if (cdc_message_read(bytes, &arena, &message, &error)) {
        cdc_message_write(&again, &message);
        bool catalog = bytes.length > 0 && (bytes.data[0] == 'R' || bytes.data[0] == 'Y');
        /* An empty schema and "pg_catalog" mean the same. */
        if (!catalog && !core_slice_equal(core_buffer_slice(&again), bytes))
            abort();
    }
    core_buffer_fini(&again);
    core_arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    core_slice bytes = core_slice_make(data, size);
    cdc_frame frame;
    core_error error;
    if (cdc_frame_read(bytes, &frame, &error) && frame.kind == CDC_FRAME_DATA)
        message_try(frame.payload);
    message_try(bytes);
    return 0;
}
