/* PubAcks and deliveries' reply subjects from any bytes: no read beyond them, and what is taken
 * makes sense. */
#include "fanout/delivery.h"
#include "fanout/puback.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition) {
    if (!condition)
        abort();
}

static void must_be_within(core_slice part, core_slice whole) {
    must(part.length == 0 ||
         (part.data >= whole.data && part.data + part.length <= whole.data + whole.length));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    core_slice bytes = core_slice_make(data, size);
    fanout_puback ack;
    fanout_delivery delivery;
    core_error error = {0};
    if (fanout_puback_read(bytes, &ack, &error)) {
        must(ack.error_code != 0 || (ack.sequence != 0 && ack.stream.length != 0));
        must_be_within(ack.stream, bytes);
        must_be_within(ack.description, bytes);
    } else {
        must(error.code == CORE_ERROR_INPUT);
    }
    if (fanout_delivery_read(bytes, &delivery))
        must(size > 8 && delivery.stored_us >= 0);
    return 0;
}
