/* Bodies of POST /events/v1 and records under Idempotency-Keys: what is taken lies within them. */
#include "fanout/idempotency.h"
#include "triggers/event_request.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void batch_try(core_slice body, bool many) {
    triggers_event_batch batch;
    core_error error;
    if (!triggers_event_batch_read(body, many, &batch, &error))
        return;
    for (size_t i = 0; i < batch.count; i++)
        if (!core_json_valid(batch.events[i].data) ||
            !triggers_event_type_check(batch.events[i].type, &error))
            abort();
    triggers_event_batch_fini(&batch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const fanout_idempotency key = {.body = "b"};
    core_slice bytes = core_slice_make(data, size);
    batch_try(bytes, false);
    batch_try(bytes, true);
    fanout_idempotency_found found = fanout_idempotency_look(&key, bytes, 0);
    if (found.answer.length > 0 && (found.answer.data < data || found.answer.data >= data + size))
        abort();
    return 0;
}
