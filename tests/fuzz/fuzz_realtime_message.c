/* Broadcasts from other gateways over any bytes: what is read can go into a frame, and is written
 * again as the same bytes. */
#include "core/core.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    core_realtime_message message;
    core_buffer again;
    if (!core_realtime_message_read(core_slice_make(data, size), &message))
        return 0;
    if (!core_utf8_valid(message.channel) || !core_utf8_valid(message.event) ||
        (message.encoding == CORE_REALTIME_JSON && !core_json_valid(message.payload)))
        abort();
    core_buffer_init(&again, size + 64);
    if (!core_realtime_message_write(&message, &again) ||
        !core_slice_equal(core_buffer_slice(&again), core_slice_make(data, size)))
        abort();
    core_buffer_fini(&again);
    return 0;
}
