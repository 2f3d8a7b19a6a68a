/* Offsets from clients: what is taken is written again as the same text. */
#include "core/core.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    core_offset offset;
    char text[CORE_OFFSET_TEXT_SIZE];
    if (!core_offset_parse(core_slice_make(data, size), &offset))
        return 0;
    core_offset_format(&offset, text);
    if (!core_slice_is(core_slice_make(data, size), text))
        abort();
    return 0;
}
