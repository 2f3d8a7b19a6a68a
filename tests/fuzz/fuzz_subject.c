/* Any bytes as a token to decode, and as a name to encode: what decodes encodes to a token that
 * decodes to the same, and every subject has the tokens that it should. */
#include "core/core.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds) {
    if (!holds)
        abort();
}

static void decode_and_encode(core_slice token) {
    core_buffer name, encoded, again;
    core_buffer_init(&name, 1024);
    core_buffer_init(&encoded, 1024);
    core_buffer_init(&again, 1024);
    if (core_subject_token_decode(token, &name)) {
        core_subject_token_append(&encoded, core_buffer_slice(&name));
        if (core_subject_token_decode(core_buffer_slice(&encoded), &again))
            check(core_slice_equal(core_buffer_slice(&name), core_buffer_slice(&again)));
        else
            check(encoded.length > 18); /* cut: ends in a hash */
    }
    core_buffer_fini(&name);
    core_buffer_fini(&encoded);
    core_buffer_fini(&again);
}

/* A clean subject of that many tokens. */
static void check_subject(const char *text, size_t tokens) {
    size_t dots = 0;
    for (const char *at = text; *at != '\0'; at++) {
        check((uint8_t)*at > ' ' && *at != '*' && *at != '>');
        dots += *at == '.';
    }
    check(dots + 1 == tokens && core_utf8_valid(core_slice_text(text)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const core_subject_scope scope = {"atlasdb", "default", "dev", "public", {0}};
    core_slice input = core_slice_make(data, size);
    decode_and_encode(input);
    size_t half = size / 2;
    char text[CORE_SUBJECT_MAX];
    check(core_subject_change(&scope, core_slice_make(data, half),
                              core_slice_make(data + half, size - half), CORE_OP_INSERT, text));
    check_subject(text, 5);
    check(core_subject_realtime_stored(&scope, input, text));
    check_subject(text, 4);
    check(core_subject_realtime_live(&scope, input, text));
    check_subject(text, 6);
    return 0;
}
