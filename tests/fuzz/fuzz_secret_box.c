/* Stored values of secrets, whatever stands in the bucket: read within their bounds, and opened
 * only if they are what was sealed. */
#include "auth/secret_box.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    core_slice bytes = core_slice_make(data, size);
    auth_secret_keys keys = {.count = 1};
    auth_secret_box box;
    core_buffer plain;
    core_error error;
    if (!auth_secret_box_read(bytes, &box, &error))
        return 0;
    size_t told = box.head.length + box.nonce.length + box.sealed.length;
    if (told != size || box.sealed.length < AUTH_GCM_TAG_SIZE)
        abort();
    keys.keys[0].id = box.key_id; /* of zeros: nothing in the corpus is sealed under it */
    core_buffer_init(&plain, AUTH_SECRET_MAX);
    if (auth_secret_box_open(&keys, &box.id, bytes, &plain, &error))
        abort();
    core_buffer_fini(&plain);
    return 0;
}
