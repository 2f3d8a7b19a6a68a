/* The JSON reader over any bytes: no read beyond them, and what it calls valid can be skipped
 * whole, walked token by token, and its strings written again as they were. */
#include "core/core.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition) {
    if (!condition)
        abort();
}

/* A string that unescapes must come back from the writer and the reader as the same bytes, unless
 * it held bytes that are no UTF-8. */
static void string_again(core_slice raw) {
    core_buffer plain, written, again;
    core_buffer_init(&plain, 1 << 20);
    core_buffer_init(&written, 1 << 20);
    core_buffer_init(&again, 1 << 20);
    if (core_json_unescape(raw, &plain)) {
        core_json_writer writer = core_json_writer_make(&written);
        core_json_string(&writer, core_buffer_slice(&plain));
        core_json_reader reader = core_json_reader_make(core_buffer_slice(&written));
        core_json_token token = core_json_next(&reader);
        must(token.kind == CORE_JSON_STRING && core_json_next(&reader).kind == CORE_JSON_END);
        must(core_json_unescape(token.raw, &again));
        must(!core_utf8_valid(core_buffer_slice(&plain)) ||
             core_slice_equal(core_buffer_slice(&plain), core_buffer_slice(&again)));
    }
    core_buffer_fini(&plain);
    core_buffer_fini(&written);
    core_buffer_fini(&again);
}

/* True when the text is one whole value. */
static bool walk(core_slice text) {
    core_json_reader reader = core_json_reader_make(text);
    for (size_t tokens = 0;; tokens++) {
        must(tokens <= text.length + 1);
        core_json_token token = core_json_next(&reader);
        (void)core_json_raw_is(token.key, "event");
        if (token.kind == CORE_JSON_STRING)
            string_again(token.raw);
        if (token.kind == CORE_JSON_INVALID || token.kind == CORE_JSON_END)
            return token.kind == CORE_JSON_END;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    core_slice text = core_slice_make(data, size), whole;
    bool one_value = walk(text);
    must(core_json_valid(text) == (one_value && core_utf8_valid(text)));
    core_json_reader reader = core_json_reader_make(text);
    core_json_token token = core_json_next(&reader);
    bool skipped = core_json_skip(&reader, token, &whole);
    must(!one_value || skipped);
    if (skipped)
        must(whole.data >= data && whole.data + whole.length <= data + size && walk(whole));
    return 0;
}
