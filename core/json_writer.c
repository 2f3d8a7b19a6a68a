/* Writing JSON into a buffer; see json.h.
 *
 * Commas come by themselves from one flag: set behind a value, cleared behind an opening bracket or
 * a key. Strings are on the hot path: bytes that need nothing are found eight at a time and copied
 * as one run. A full buffer fails in the buffer's way; nothing here can fail besides. */
#include "core/json.h"

#include "core/utf8.h"

#define JSON_ONES      UINT64_C(0x0101010101010101)
#define JSON_HIGH_BITS UINT64_C(0x8080808080808080)

core_json_writer core_json_writer_make(core_buffer *out) {
    return (core_json_writer){.out = out};
}

static void json_separate(core_json_writer *writer) {
    if (writer->needs_comma)
        core_buffer_u8(writer->out, ',');
    writer->needs_comma = true;
}

static void json_open(core_json_writer *writer, char bracket) {
    json_separate(writer);
    core_buffer_u8(writer->out, (uint8_t)bracket);
    writer->needs_comma = false;
}

static void json_close(core_json_writer *writer, char bracket) {
    core_buffer_u8(writer->out, (uint8_t)bracket);
    writer->needs_comma = true;
}

void core_json_object_open(core_json_writer *writer) {
    json_open(writer, '{');
}

void core_json_object_close(core_json_writer *writer) {
    json_close(writer, '}');
}

void core_json_array_open(core_json_writer *writer) {
    json_open(writer, '[');
}

void core_json_array_close(core_json_writer *writer) {
    json_close(writer, ']');
}

/* Bit 7 of a byte is set where the byte is a control, a quote, a backslash or not ASCII. A borrow
 * can set bits above the first such byte only, so zero means none and that is all we ask. */
static uint64_t json_word_special(uint64_t word) {
    uint64_t quote = word ^ JSON_ONES * '"';
    uint64_t backslash = word ^ JSON_ONES * '\\';
    uint64_t below_space = word - JSON_ONES * 0x20;
    return (below_space | (quote - JSON_ONES) | (backslash - JSON_ONES) | word) & JSON_HIGH_BITS;
}

static bool json_byte_plain(uint8_t byte) {
    return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

/* Bytes from `at` that go into a string as they are. */
static size_t json_plain_run(const uint8_t *at, size_t left) {
    size_t run = 0;
    for (;;) {
        for (uint64_t word; left - run >= sizeof word; run += sizeof word) {
            memcpy(&word, at + run, sizeof word);
            if (json_word_special(word))
                break;
        }
        while (run < left && json_byte_plain(at[run]))
            run++;
        size_t sequence =
            run < left && at[run] >= 0x80 ? core_utf8_sequence(at + run, left - run) : 0;
        if (sequence == 0)
            return run;
        run += sequence;
    }
}

static void json_escape(core_buffer *out, uint8_t byte) {
    static const char digits[] = "0123456789abcdef";
    static const char shorts[0x20] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    char escape[6] = {'\\', 'u', '0', '0', digits[byte >> 4], digits[byte & 0xF]};
    if (byte >= 0x80) {
        core_buffer_append(out, "\xEF\xBF\xBD", 3); /* U+FFFD: not UTF-8 */
    } else if (byte == '"' || byte == '\\') {
        escape[1] = (char)byte;
        core_buffer_append(out, escape, 2);
    } else if (byte < 0x20 && shorts[byte] != '\0') {
        escape[1] = shorts[byte];
        core_buffer_append(out, escape, 2);
    } else {
        core_buffer_append(out, escape, sizeof escape);
    }
}

static void json_quoted(core_buffer *out, core_slice text) {
    core_buffer_u8(out, '"');
    size_t at = 0;
    while (at < text.length) {
        size_t run = json_plain_run(text.data + at, text.length - at);
        core_buffer_append(out, text.data + at, run);
        at += run;
        if (at < text.length)
            json_escape(out, text.data[at++]);
    }
    core_buffer_u8(out, '"');
}

void core_json_key(core_json_writer *writer, core_slice name) {
    json_separate(writer);
    json_quoted(writer->out, name);
    core_buffer_u8(writer->out, ':');
    writer->needs_comma = false;
}

void core_json_key_text(core_json_writer *writer, const char *name) {
    core_json_key(writer, core_slice_text(name));
}

void core_json_string(core_json_writer *writer, core_slice text) {
    json_separate(writer);
    json_quoted(writer->out, text);
}

void core_json_text(core_json_writer *writer, const char *text) {
    core_json_string(writer, core_slice_text(text));
}

void core_json_raw(core_json_writer *writer, core_slice json) {
    json_separate(writer);
    core_buffer_slice_append(writer->out, json);
}

static void json_number(core_json_writer *writer, bool negative, uint64_t magnitude) {
    uint8_t digits[21];
    size_t at = sizeof digits;
    do {
        digits[--at] = (uint8_t)('0' + magnitude % 10);
        magnitude /= 10;
    } while (magnitude > 0);
    if (negative)
        digits[--at] = '-';
    core_json_raw(writer, core_slice_make(digits + at, sizeof digits - at));
}

void core_json_unsigned(core_json_writer *writer, uint64_t value) {
    json_number(writer, false, value);
}

void core_json_signed(core_json_writer *writer, int64_t value) {
    json_number(writer, value < 0, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void core_json_bool(core_json_writer *writer, bool value) {
    core_json_raw(writer, core_slice_text(value ? "true" : "false"));
}

void core_json_null(core_json_writer *writer) {
    core_json_raw(writer, core_slice_text("null"));
}
