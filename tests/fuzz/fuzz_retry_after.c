/* Any text as Retry-After: a wait within its bounds, or none; and digits mean what they say. */
#include "net/retry_after.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_MS INT64_C(86400000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const int64_t now_us = INT64_C(1795863600) * CORE_US_PER_S;
    core_slice text = core_slice_make(data, size);
    uint64_t seconds;
    int64_t wait_ms = net_retry_after_read(text, now_us, MAX_MS);
    if (wait_ms < -1 || wait_ms > MAX_MS)
        abort();
    if (core_slice_to_u64(text, &seconds) &&
        wait_ms != (seconds < 86400 ? (int64_t)seconds * 1000 : MAX_MS))
        abort();
    int64_t later_ms = net_retry_after_read(text, now_us + CORE_US_PER_S, MAX_MS);
    if ((later_ms < 0) != (wait_ms < 0) || later_ms > wait_ms)
        abort();
    return 0;
}
