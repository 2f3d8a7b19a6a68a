/* Four characters a step; see base64.h. */
#include "core/base64.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void group_encode(const uint8_t *bytes, size_t count, uint8_t text[4]) {
    uint32_t bits = (uint32_t)bytes[0] << 16 | (count > 1 ? (uint32_t)bytes[1] << 8 : 0) |
                    (count > 2 ? bytes[2] : 0);
    for (size_t i = 0; i < 4; i++)
        text[i] = i <= count ? (uint8_t)letters[bits >> (18 - 6 * i) & 63] : '=';
}

void core_base64_encode(core_slice bytes, core_buffer *out) {
    uint8_t *text = core_buffer_reserve(out, core_base64_size(bytes.length));
    if (text == NULL)
        return;
    for (size_t at = 0; at < bytes.length; at += 3, text += 4)
        group_encode(bytes.data + at, bytes.length - at < 3 ? bytes.length - at : 3, text);
    core_buffer_commit(out, core_base64_size(bytes.length));
}

/* -1: not of the alphabet. */
static int letter_value(uint8_t letter) {
    if (letter >= 'A' && letter <= 'Z')
        return letter - 'A';
    if (letter >= 'a' && letter <= 'z')
        return letter - 'a' + 26;
    if (letter >= '0' && letter <= '9')
        return letter - '0' + 52;
    return letter == '+' ? 62 : letter == '/' ? 63 : -1;
}

/* `count` bytes of count + 1 letters; false when these are not so. */
static bool group_decode(const uint8_t *text, size_t count, uint8_t bytes[3]) {
    uint32_t bits = 0;
    for (size_t i = 0; i < 4; i++) {
        int value = i <= count ? letter_value(text[i]) : 0;
        if (value < 0 || (i > count && text[i] != '='))
            return false;
        bits = bits << 6 | (uint32_t)value;
    }
    for (size_t i = 0; i < 3; i++)
        bytes[i] = (uint8_t)(bits >> (16 - 8 * i));
    return (bits & (count == 3 ? 0 : count == 2 ? 0xffu : 0xffffu)) == 0;
}

static size_t padding_of(core_slice text) {
    if (text.length == 0 || text.data[text.length - 1] != '=')
        return 0;
    return text.data[text.length - 2] == '=' ? 2 : 1;
}

bool core_base64_decode(core_slice text, core_buffer *out) {
    if (text.length % 4 != 0)
        return false;
    size_t padding = padding_of(text), length = text.length / 4 * 3;
    uint8_t *bytes = core_buffer_reserve(out, length - padding);
    if (bytes == NULL)
        return false;
    for (size_t at = 0; at < text.length; at += 4, bytes += 3) {
        uint8_t group[3];
        size_t count = at + 4 == text.length ? 3 - padding : 3;
        if (!group_decode(text.data + at, count, group))
            return false;
        memcpy(bytes, group, count);
    }
    core_buffer_commit(out, length - padding);
    return true;
}
