/* What other nodes tell of their quotas, over any bytes: at most a part's rows, names that fit. */
#include "auth/limits_wire.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void row_check(void *context, const auth_limits_row *row) {
    if (++*(size_t *)context > AUTH_LIMITS_PART || row->project.length > AUTH_PROJECT_MAX)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    auth_limits_head head;
    size_t rows = 0;
    if (auth_limits_read(core_slice_make(data, size), &head, row_check, &rows) &&
        (head.window == 0 || head.window_ms < 0))
        abort();
    return 0;
}
