/* Cron expressions from definitions: what is taken names moments, each behind the one before. */
#include "triggers/cron.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    triggers_cron cron;
    core_error error;
    if (!triggers_cron_read(core_slice_make(data, size), &cron, &error))
        return 0;
    int64_t at_s = 0;
    for (unsigned i = 0; i < 8; i++) {
        int64_t next_s = triggers_cron_next(&cron, at_s + 1);
        if (next_s <= at_s || next_s == TRIGGERS_CRON_NEVER)
            abort();
        at_s = next_s;
    }
    return 0;
}
