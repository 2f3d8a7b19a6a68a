/* A GAP event's content and the position record in it: what is taken is written again and taken as
 * the same. */
#include "cdc/gap.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    cdc_position position, again;
    bool snapshot;
    core_buffer out;
    if (!cdc_gap_decode(core_slice_make(data, size), &position, &snapshot, NULL))
        return 0;
    core_buffer_init(&out, CDC_GAP_CONTENT_MAX);
    cdc_gap gap = {.reason = CDC_GAP_REPLAYED};
    cdc_gap_encode(&gap, &position, "continue", 0, &out);
    if (!core_buffer_ok(&out) || !core_json_valid(core_buffer_slice(&out)))
        abort();
    if (cdc_gap_decode(core_buffer_slice(&out), &again, &snapshot, NULL) &&
        (again.sequence != position.sequence || again.gap_sequence != position.gap_sequence))
        abort();
    core_buffer_fini(&out);
    return 0;
}
