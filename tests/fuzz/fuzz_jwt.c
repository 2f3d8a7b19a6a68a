/* Any bytes as a token, and as a payload under an honest signature: whatever they are, the answer
 * is a verdict, and an accepted payload keeps its promises. */
#include "auth/claims.h"
#include "auth/jwt.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void payload_read(core_slice payload, core_slice secret) {
    auth_claim_set set;
    char text[AUTH_CLAIM_MAX] = "";
    bool present = false;
    int64_t time_us = 0;
    uint64_t hash = 0;
    if (auth_claim_set_parse(&set, payload) == AUTH_OK) {
        if (auth_claim_text(&set, "role", text) == AUTH_OK && strlen(text) >= AUTH_CLAIM_MAX)
            abort();
        if (auth_claim_time(&set, "exp", &present, &time_us) == AUTH_OK && present &&
            auth_claim_find(&set, "exp") == NULL)
            abort();
        auth_claim claim;
        if (auth_claim_at(&set, "app_metadata.roles.0", &claim) == AUTH_OK)
            (void)auth_claim_scopes(&claim);
        core_buffer rewritten;
        core_buffer_init(&rewritten, 8 * AUTH_TOKEN_MAX);
        auth_claim_set_write(&set, "anon", &rewritten);
        if (!core_buffer_ok(&rewritten) || !core_json_valid(core_buffer_slice(&rewritten)))
            abort();
        core_buffer_fini(&rewritten);
        if (!auth_claim_set_hash(&set, secret, &hash))
            abort();
    }
    auth_claim_set_fini(&set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const core_slice secret = core_slice_text("a-secret-for-tests-only-of-more-than-32-bytes");
    const core_slice input = core_slice_make(data, size);
    core_buffer payload;
    core_buffer_init(&payload, AUTH_TOKEN_MAX);
    auth_jwt jwt;
    if (auth_jwt_read(&jwt, input) == AUTH_OK && auth_jwt_payload(&jwt, &payload)) {
        (void)!auth_jwt_verify_secret(&jwt, secret);
        payload_read(core_buffer_slice(&payload), secret);
    }
    auth_jwt_fini(&jwt);
    core_buffer_fini(&payload);
    if (size <= AUTH_TOKEN_MAX)
        payload_read(input, secret);
    return 0;
}
