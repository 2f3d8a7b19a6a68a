/* Escapes a bucket's key; see bucket_key.h. */
#include "fanout/bucket_key.h"

static bool is_plain(char byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '-' || byte == '_' || byte == '/';
}

/* A dot may stand between two other characters only: no empty tokens. */
static bool is_inner_dot(const char *key, size_t at) {
    return key[at] == '.' && at > 0 && key[at - 1] != '.' && key[at + 1] != '\0';
}

bool fanout_bucket_subject(const char *prefix, const char *key, char subject[FANOUT_BUCKET_KEY_MAX],
                           core_error *error) {
    core_buffer out;
    core_buffer_init(&out, FANOUT_BUCKET_KEY_MAX - 1);
    core_buffer_text(&out, prefix);
    if (key[0] == '\0')
        core_buffer_text(&out, "=");
    for (size_t at = 0; key[at] != '\0'; at++) {
        if (is_plain(key[at]) || is_inner_dot(key, at))
            core_buffer_append(&out, &key[at], 1);
        else
            core_buffer_format(&out, "=%02X", (unsigned)(unsigned char)key[at]);
    }
    bool ok = core_buffer_ok(&out) &&
              core_slice_to_text(core_buffer_slice(&out), subject, FANOUT_BUCKET_KEY_MAX);
    core_buffer_fini(&out);
    if (ok)
        return true;
    return core_error_set(error, CORE_ERROR_LIMIT,
                          "key '%.64s...' is longer than %d bytes when escaped", key,
                          FANOUT_BUCKET_KEY_MAX);
}
