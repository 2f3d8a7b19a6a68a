/* What a task carries for its action, as another writer may have left it in the stream. */
#include "triggers/arguments.h"
#include "triggers/body_read.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_within(core_slice input, core_slice part) {
    return part.length == 0 ||
           (part.data >= input.data && part.data + part.length <= input.data + input.length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const core_slice input = core_slice_make(data, size);
    core_cursor cursor = core_cursor_make(input);
    triggers_argument argument;
    triggers_body_parts parts;
    core_error error;
    while (triggers_argument_read(&cursor, &argument))
        if (!is_within(input, argument.text))
            abort();
    if (triggers_body_read(input, &parts, &error) &&
        !(is_within(input, parts.data) && is_within(input, parts.type)))
        abort();
    return 0;
}
