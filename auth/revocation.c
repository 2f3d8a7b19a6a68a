/* See revocation.h. */
#include "auth/revocation.h"

#include <stdio.h>
#include <string.h>

enum { REVOCATION_VERSION = 1 };

bool auth_revocation_key(const char *jti, char key[AUTH_REVOCATION_KEY_MAX], core_error *error) {
    core_slice text = core_slice_text(jti);
    if (text.length == 0 || text.length >= AUTH_CLAIM_MAX || !core_utf8_valid(text))
        return core_error_set(error, CORE_ERROR_INPUT,
                              "a jti is 1 to %d bytes of UTF-8: this is none", AUTH_CLAIM_MAX - 1);
    (void)snprintf(key, AUTH_REVOCATION_KEY_MAX, AUTH_REVOCATION_TOKEN ".%s", jti);
    return true;
}

bool auth_revocation_jti(core_slice key, core_buffer *jti) {
    static const char begin[] = AUTH_REVOCATION_TOKEN ".";
    size_t length = sizeof begin - 1;
    return key.length > length && memcmp(key.data, begin, length) == 0 &&
           fanout_bucket_key_read(core_slice_make(key.data + length, key.length - length), jti);
}

void auth_revocation_encode(int64_t until_s, int64_t now_s, core_buffer *out) {
    core_json_writer json = core_json_writer_make(out);
    core_json_object_open(&json);
    core_json_key_text(&json, "version");
    core_json_unsigned(&json, REVOCATION_VERSION);
    core_json_key_text(&json, "expires");
    core_json_signed(&json, until_s);
    core_json_key_text(&json, "revoked");
    core_json_signed(&json, now_s);
    core_json_object_close(&json);
}

int64_t auth_revocation_until(core_slice value) {
    core_json_reader reader = core_json_reader_make(value);
    core_json_token member;
    core_slice whole;
    int64_t until_s = AUTH_NEVER_S, version = 0;
    bool ok = value.length <= AUTH_REVOCATION_VALUE_MAX && core_utf8_valid(value) &&
              core_json_next(&reader).kind == CORE_JSON_OBJECT_OPEN;
    while (ok && core_json_member_next(&reader, &member)) {
        if (core_json_raw_is(member.key, "expires"))
            ok = member.kind == CORE_JSON_NUMBER && core_slice_to_i64(member.raw, &until_s);
        if (core_json_raw_is(member.key, "version"))
            ok = ok && core_slice_to_i64(member.raw, &version);
        ok = ok && core_json_skip(&reader, member, &whole);
    }
    ok = ok && core_json_next(&reader).kind == CORE_JSON_END && version == REVOCATION_VERSION;
    return ok && until_s <= AUTH_NEVER_S ? until_s : AUTH_NEVER_S;
}
