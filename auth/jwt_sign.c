/* Signing a token; see jwt.h and auth.h. What is signed is first read as a verifier would read it,
 * so that no token leaves that would be refused for its form. */
#include "auth/base64url.h"
#include "auth/claims.h"
#include "auth/jwt.h"
#include "auth/mac.h"

bool auth_jwt_sign(core_slice payload, core_slice secret, core_buffer *out) {
    size_t start = out->length;
    auth_base64url_encode(core_slice_text("{\"alg\":\"HS256\",\"typ\":\"JWT\"}"), out);
    core_buffer_u8(out, '.');
    auth_base64url_encode(payload, out);
    if (!core_buffer_ok(out))
        return false;
    uint8_t code[AUTH_MAC_SIZE];
    if (!auth_mac(secret, core_slice_make(out->data + start, out->length - start), code))
        return false;
    core_buffer_u8(out, '.');
    auth_base64url_encode(core_slice_make(code, sizeof code), out);
    return core_buffer_ok(out);
}

/* The role where this server looks for it: its path is a name, and names are tried first. */
static void payload_write(core_buffer *out, const core_config *config, const char *role,
                          const char *subject, int64_t issued_s, int64_t expires_s,
                          core_slice claims_json) {
    core_json_writer writer = core_json_writer_make(out);
    core_json_object_open(&writer);
    core_json_key_text(&writer, core_config_text(config, "auth.claims.role"));
    core_json_text(&writer, role);
    if (subject != NULL && subject[0] != '\0') {
        core_json_key_text(&writer, "sub");
        core_json_text(&writer, subject);
    }
    core_json_key_text(&writer, "iat");
    core_json_signed(&writer, issued_s);
    core_json_key_text(&writer, "exp");
    core_json_signed(&writer, expires_s);
    if (claims_json.length > 0) {
        core_buffer_u8(out, ',');
        core_buffer_slice_append(out, claims_json);
    }
    core_json_object_close(&writer);
}

static bool payload_check(core_slice payload, const core_config *config, core_error *error) {
    auth_claim_set set;
    char text[AUTH_CLAIM_MAX];
    auth_verdict verdict = auth_claim_set_parse(&set, payload);
    bool named =
        verdict == AUTH_OK &&
        auth_claim_text(&set, core_config_text(config, "auth.claims.role"), text) == AUTH_OK &&
        auth_claim_text(&set, "sub", text) == AUTH_OK;
    auth_claim_set_fini(&set);
    if (verdict != AUTH_OK)
        return core_error_set(error, CORE_ERROR_INPUT,
                              "the claims are not valid: expected JSON members in UTF-8, each name "
                              "once, at most %d",
                              AUTH_CLAIMS_MAX);
    return named ||
           core_error_set(error, CORE_ERROR_INPUT,
                          "role and sub: expected 1 to %d bytes without NUL", AUTH_CLAIM_MAX - 1);
}

bool auth_token_sign(const core_config *config, const char *role, const char *subject,
                     int64_t issued_s, int64_t expires_s, core_slice claims_json, core_buffer *out,
                     core_error *error) {
    const char *secret = core_config_text(config, "auth.jwt_secret");
    if (secret == NULL || secret[0] == '\0')
        return core_error_set(error, CORE_ERROR_CONFIG,
                              "auth.jwt_secret is not set: nothing can be signed; set it in "
                              "walcast.yaml or as WALCAST_AUTH_JWT_SECRET");
    core_buffer payload;
    core_buffer_init(&payload, AUTH_TOKEN_MAX);
    payload_write(&payload, config, role, subject, issued_s, expires_s, claims_json);
    size_t start = out->length;
    bool signed_token = false;
    if (!core_buffer_ok(&payload))
        (void)core_error_set(error, CORE_ERROR_LIMIT, "the claims are larger than %d bytes",
                             AUTH_TOKEN_MAX);
    else if (payload_check(core_buffer_slice(&payload), config, error)) {
        signed_token = auth_jwt_sign(core_buffer_slice(&payload), core_slice_text(secret), out);
        if (!signed_token || out->length - start > AUTH_TOKEN_MAX)
            signed_token = core_error_set(error, CORE_ERROR_LIMIT,
                                          "the token is larger than %d bytes", AUTH_TOKEN_MAX);
    }
    core_buffer_fini(&payload);
    return signed_token;
}
