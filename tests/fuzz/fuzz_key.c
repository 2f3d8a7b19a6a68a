/* API keys as clients send them, and what other writers may have left in their bucket. A record
 * that is taken is written again and read as the same. */
#include "auth/key.h"
#include "auth/revocation.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void record_read(core_slice input) {
    auth_key_record record, again;
    core_buffer json;
    if (!auth_key_decode(input, &record, NULL))
        return;
    core_buffer_init(&json, AUTH_KEY_RECORD_MAX);
    auth_key_encode(&record, &json);
    if (!core_buffer_ok(&json) || !auth_key_decode(core_buffer_slice(&json), &again, NULL) ||
        again.secret_count != record.secret_count || again.scopes != record.scopes ||
        strcmp(again.name, record.name) != 0)
        abort();
    core_buffer_fini(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const core_slice input = core_slice_make(data, size);
    char prefix[AUTH_KEY_PREFIX_MAX], memory[AUTH_CLAIM_MAX];
    core_buffer jti = core_buffer_over(memory, sizeof memory);
    if (auth_key_read(input, prefix) && (!auth_key_is(input) || strlen(prefix) != 8))
        abort();
    record_read(input);
    if (auth_revocation_until(input) > AUTH_NEVER_S)
        abort();
    (void)!auth_revocation_jti(input, &jti);
    return 0;
}
