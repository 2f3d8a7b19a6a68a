/* The server's timeline history. */
#include "cdc/timeline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    core_lsn fork_lsn;
    bool ok = cdc_timeline_fork(core_slice_make(data, size), 1, &fork_lsn, NULL);
    (void)ok;
    return 0;
}
