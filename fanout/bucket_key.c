/* Escapes a bucket's key, and undoes it; see bucket_key.h. */
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

bool fanout_bucket_key_read(core_slice key, core_buffer *out) {
    core_cursor cursor = core_cursor_make(key);
    if (core_slice_is(key, "="))
        return true; /* the empty key */
    while (core_cursor_left(&cursor) > 0) {
        uint8_t byte = core_cursor_u8(&cursor);
        if (byte == '=') {
            int high = core_hex_digit(core_cursor_u8(&cursor));
            int low = core_hex_digit(core_cursor_u8(&cursor));
            if (high < 0 || low < 0)
                return false;
            byte = (uint8_t)(high << 4 | low);
        }
        core_buffer_u8(out, byte);
    }
    return core_buffer_ok(out);
}
