/* STREAM.MSG.GET's answers over any bytes: what is read has a place and a time, or an error. */
#include "fanout/stored.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fanout_stored stored;
    core_slice reply = core_slice_make(data, size);
    if (!fanout_stored_read(reply, &stored))
        return 0;
    if (stored.data.length > 0 &&
        (stored.data.data < data || stored.data.data + stored.data.length > data + size))
        abort();
    if (stored.error_code == 0 && stored.stored_us > INT64_C(253402300801) * 1000000)
        abort(); /* beyond the year 9999 */
    return 0;
}
