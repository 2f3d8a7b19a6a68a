/* Records of histories, as another writer may have left them in key-value. What is taken is written
 * again as the same bytes. */
#include "triggers/round.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const core_slice input = core_slice_make(data, size);
    triggers_round round;
    core_buffer out;
    if (!triggers_round_read(input, &round, NULL))
        return 0;
    core_buffer_init(&out, size + 64);
    triggers_round_write(&round, &out);
    if (!core_slice_equal(core_buffer_slice(&out), input))
        abort();
    core_buffer_fini(&out);
    triggers_round_fini(&round);
    return 0;
}
