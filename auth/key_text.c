/* Making and reading a key's text; see key.h. */
#include "auth/key.h"
#include "auth/mac.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define KEY_SCHEME "wc_"

enum {
    SCHEME = 3,
    PREFIX = AUTH_KEY_PREFIX_MAX - 1,
    SECRET = 40,
    CHECKSUM = 6, /* 62^6 is more than 2^32 */
    CHECKED = SCHEME + PREFIX + 1 + SECRET,
    WHOLE = CHECKED + CHECKSUM,
    BASE = 62,
    FAIR = 256 - 256 % BASE, /* random bytes below it give each letter equally often */
};

static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static bool is_letter(uint8_t byte) {
    return byte != 0 && memchr(letters, byte, BASE) != NULL;
}

/* CRC-32 (ISO-HDLC), as in zip files. */
static uint32_t checksum_of(const uint8_t *bytes, size_t length) {
    uint32_t sum = UINT32_MAX;
    for (size_t i = 0; i < length; i++) {
        sum ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            sum = sum >> 1 ^ (UINT32_C(0xEDB88320) & -(sum & 1));
    }
    return ~sum;
}

static void checksum_write(const uint8_t *checked, uint8_t out[CHECKSUM]) {
    uint32_t sum = checksum_of(checked, CHECKED);
    for (size_t i = CHECKSUM; i > 0; i--) {
        out[i - 1] = (uint8_t)letters[sum % BASE];
        sum /= BASE;
    }
}

bool auth_key_is(core_slice text) {
    return text.length >= SCHEME && memcmp(text.data, KEY_SCHEME, SCHEME) == 0;
}

bool auth_key_read(core_slice text, char prefix[AUTH_KEY_PREFIX_MAX]) {
    uint8_t sum[CHECKSUM];
    if (text.length != WHOLE || !auth_key_is(text) || text.data[SCHEME + PREFIX] != '_')
        return false;
    for (size_t i = SCHEME; i < WHOLE; i++)
        if (i != SCHEME + PREFIX && !is_letter(text.data[i]))
            return false;
    checksum_write(text.data, sum);
    memcpy(prefix, text.data + SCHEME, PREFIX);
    prefix[PREFIX] = '\0';
    return memcmp(sum, text.data + CHECKED, CHECKSUM) == 0;
}

/* `count` random letters. */
static bool letters_fill(uint8_t *out, size_t count) {
    uint8_t random[64];
    while (count > 0) {
        if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
            return false;
        for (size_t i = 0; i < sizeof random && count > 0; i++)
            if (random[i] < FAIR) {
                *out++ = (uint8_t)letters[random[i] % BASE];
                count--;
            }
    }
    explicit_bzero(random, sizeof random);
    return true;
}

bool auth_key_make(char text[AUTH_KEY_TEXT_MAX], auth_key_secret *secret, core_error *error) {
    uint8_t *bytes = (uint8_t *)text;
    memset(text, 0, AUTH_KEY_TEXT_MAX);
    memcpy(text, KEY_SCHEME, SCHEME);
    bool ok = letters_fill(bytes + SCHEME, PREFIX);
    bytes[SCHEME + PREFIX] = '_';
    ok = ok && letters_fill(bytes + SCHEME + PREFIX + 1, SECRET);
    checksum_write(bytes, bytes + CHECKED);
    core_slice whole = core_slice_make(bytes, WHOLE);
    ok = ok && auth_key_read(whole, secret->prefix) && auth_digest(whole, secret->hash);
    return ok ||
           core_error_set(error, CORE_ERROR_INTERNAL, "the system gives no random bytes for a key");
}
