/* See signature.h. */
#include "net/signature.h"

static bool starts(core_slice text, const char *prefix, core_slice *rest) {
    size_t length = strlen(prefix);
    if (text.length < length || memcmp(text.data, prefix, length) != 0)
        return false;
    *rest = core_slice_make(text.data + length, text.length - length);
    return true;
}

static bool base64_take(core_slice text, net_signing_key *key) {
    core_buffer into = core_buffer_over(key->bytes, NET_SIGNING_KEY_MAX_BYTES);
    if (text.length > core_base64_size(NET_SIGNING_KEY_MAX_BYTES) ||
        !core_base64_decode(text, &into) || into.length < NET_SIGNING_KEY_MIN_BYTES)
        return false;
    key->length = into.length;
    return true;
}

static bool raw_take(core_slice text, net_signing_key *key, core_error *error) {
    if (text.length == 0 || text.length > sizeof key->bytes)
        return core_error_set(error, CORE_ERROR_INPUT,
                              "a signing secret that is a text has 1 to %d bytes, not %zu",
                              NET_SIGNING_RAW_MAX_BYTES, text.length);
    memcpy(key->bytes, text.data, text.length);
    key->length = text.length;
    return true;
}

bool net_signing_key_read(core_slice secret, net_signing_key *key, core_error *error) {
    core_slice rest;
    *key = (net_signing_key){.length = 0};
    if (starts(secret, "whsec_", &rest))
        return base64_take(rest, key) ||
               core_error_set(error, CORE_ERROR_INPUT,
                              "a signing secret that begins with whsec_ goes on with base64 of %d "
                              "to %d bytes, padded",
                              NET_SIGNING_KEY_MIN_BYTES, NET_SIGNING_KEY_MAX_BYTES);
    if (starts(secret, "whsk_", &rest) || starts(secret, "whpk_", &rest))
        return core_error_set(error, CORE_ERROR_INPUT,
                              "whsk_ and whpk_ are asymmetric keys, which are not supported: use a "
                              "whsec_ secret");
    if (starts(secret, "raw:", &rest))
        return raw_take(rest, key, error);
    return base64_take(secret, key) || raw_take(secret, key, error);
}

void net_signing_key_wipe(net_signing_key *key) {
    explicit_bzero(key, sizeof *key);
}

/* A dot would make another message of the same text. */
static bool id_is_good(core_slice id) {
    for (size_t i = 0; i < id.length; i++)
        if (id.data[i] <= ' ' || id.data[i] >= 0x7f || id.data[i] == '.')
            return false;
    return id.length > 0 && id.length <= NET_WEBHOOK_ID_MAX_BYTES;
}

bool net_signature_write(net_mac mac, const net_signing_key *keys, size_t count, core_slice id,
                         int64_t timestamp_s, core_slice body, core_buffer *work, core_buffer *out,
                         core_error *error) {
    if (!id_is_good(id) || count == 0)
        return core_error_set(error, CORE_ERROR_INPUT,
                              "a webhook is signed with a secret and an id of visible characters "
                              "without a dot");
    core_buffer_reset(work);
    core_buffer_slice_append(work, id);
    core_buffer_format(work, ".%lld.", (long long)timestamp_s);
    core_buffer_slice_append(work, body);
    bool good = core_buffer_ok(work);
    for (size_t i = 0; i < count && good; i++) {
        uint8_t code[NET_SIGNATURE_MAC_BYTES];
        good = mac(core_slice_make(keys[i].bytes, keys[i].length), core_buffer_slice(work), code);
        core_buffer_text(out, i > 0 ? " v1," : "v1,");
        core_base64_encode(core_slice_make(code, sizeof code), out);
    }
    return (good && core_buffer_ok(out)) ||
           core_error_set(error, CORE_ERROR_INTERNAL, "no memory to sign a webhook");
}
