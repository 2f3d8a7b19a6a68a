/* base64url both ways; see base64url.h. Four characters carry three bytes; a last group of two or
 * three characters carries one or two. */
#include "auth/base64url.h"

enum { GROUP_CHARACTERS = 4, GROUP_BYTES = 3, BITS = 6 };

/* 0 to 63, or -1 for what is not in the alphabet. */
static int character_value(uint8_t character) {
    if (character >= 'A' && character <= 'Z')
        return character - 'A';
    if (character >= 'a' && character <= 'z')
        return character - 'a' + 26;
    if (character >= '0' && character <= '9')
        return character - '0' + 52;
    if (character == '-')
        return 62;
    return character == '_' ? 63 : -1;
}

/* `count` characters, 2 to 4, to count - 1 bytes. */
static bool group_decode(const uint8_t *characters, size_t count, uint8_t *bytes) {
    uint32_t bits = 0;
    for (size_t i = 0; i < GROUP_CHARACTERS; i++) {
        int value = i < count ? character_value(characters[i]) : 0;
        if (value < 0)
            return false;
        bits = bits << BITS | (uint32_t)value;
    }
    uint32_t unused = (UINT32_C(1) << 8 * (GROUP_CHARACTERS - count)) - 1;
    if ((bits & unused) != 0)
        return false;
    for (size_t i = 0; i + 1 < count; i++)
        bytes[i] = (uint8_t)(bits >> 8 * (GROUP_BYTES - 1 - i));
    return true;
}

bool auth_base64url_decode(core_slice text, core_buffer *out) {
    size_t tail = text.length % GROUP_CHARACTERS;
    if (tail == 1)
        return false;
    size_t length = text.length / GROUP_CHARACTERS * GROUP_BYTES + (tail == 0 ? 0 : tail - 1);
    uint8_t *bytes = core_buffer_reserve(out, length);
    if (bytes == NULL)
        return length == 0 && core_buffer_ok(out);
    for (size_t at = 0; at < text.length; at += GROUP_CHARACTERS) {
        size_t left = text.length - at;
        size_t count = left < GROUP_CHARACTERS ? left : GROUP_CHARACTERS;
        if (!group_decode(text.data + at, count, bytes + at / GROUP_CHARACTERS * GROUP_BYTES))
            return false;
    }
    core_buffer_commit(out, length);
    return true;
}

void auth_base64url_encode(core_slice bytes, core_buffer *out) {
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (size_t at = 0; at < bytes.length; at += GROUP_BYTES) {
        size_t left = bytes.length - at;
        size_t count = left < GROUP_BYTES ? left : GROUP_BYTES;
        uint32_t bits = 0;
        for (size_t i = 0; i < GROUP_BYTES; i++)
            bits = bits << 8 | (i < count ? bytes.data[at + i] : 0u);
        for (size_t i = 0; i <= count; i++)
            core_buffer_u8(out, (uint8_t)alphabet[bits >> BITS * (GROUP_BYTES - i) & 63]);
    }
}
