/* Texts with references to secrets: pieces put together again are the text, and what is expanded
 * with each secret as its own reference is the text too. */
#include "auth/secret_text.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool itself(void *context, core_slice name, core_buffer *value, core_error *error) {
    (void)context;
    (void)error;
    core_buffer_text(value, "${secret:");
    core_buffer_slice_append(value, name);
    core_buffer_text(value, "}");
    return true;
}

static void pieces(core_slice text) {
    size_t at = 0, length = 0;
    auth_secret_piece piece;
    core_error error;
    do {
        if (!auth_secret_piece_next(text, &at, &piece, &error))
            return;
        length += piece.before.length;
        if (piece.name.length > 0)
            length += piece.name.length + sizeof "${secret:}" - 1;
        if (length != at)
            abort();
    } while (piece.name.length > 0);
    if (at != text.length)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    core_slice text = core_slice_make(data, size);
    core_buffer out;
    core_error error;
    pieces(text);
    core_buffer_init(&out, size + 1);
    if (auth_secret_text_expand(text, itself, NULL, &out, &error) &&
        !core_slice_equal(core_buffer_slice(&out), text))
        abort();
    core_buffer_fini(&out);
    return 0;
}
