/* Any text as a signing secret: a key within its bounds or a refusal that holds nothing of it. */
#include "net/signature.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    net_signing_key key;
    core_error error = {.code = CORE_ERROR_NONE};
    bool prefixed = size >= 6 && memcmp(data, "whsec_", 6) == 0;
    if (net_signing_key_read(core_slice_make(data, size), &key, &error)) {
        if (key.length == 0 || key.length > sizeof key.bytes ||
            (prefixed &&
             (key.length < NET_SIGNING_KEY_MIN_BYTES || key.length > NET_SIGNING_KEY_MAX_BYTES)))
            abort();
    } else if (error.code != CORE_ERROR_INPUT ||
               (size > 12 && memmem(error.text, strlen(error.text), data + 6, size - 6) != NULL))
        abort();
    net_signing_key_wipe(&key);
    return 0;
}
