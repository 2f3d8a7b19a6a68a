/* A broadcast from SQL over any bytes: what is read can go into an envelope and into frames. */
#include "core/core.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    core_buffer texts, envelope;
    core_realtime_message message, again;
    core_error error = {.text = ""};
    core_buffer_init(&texts, size + 1);
    core_buffer_init(&envelope, size * 2 + 4096);
    if (core_realtime_message_from_sql(core_slice_make(data, size), &texts, &message, &error)) {
        if (!core_utf8_valid(message.channel) || !core_utf8_valid(message.event) ||
            !core_json_valid(message.payload))
            abort();
        if (core_realtime_message_write(&message, &envelope) &&
            !core_realtime_message_read(core_buffer_slice(&envelope), &again))
            abort();
    } else if (error.text[0] == '\0') {
        abort(); /* a refusal says why */
    }
    core_buffer_fini(&texts);
    core_buffer_fini(&envelope);
    return 0;
}
