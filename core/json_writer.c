/* Writing JSON into a buffer; see json.h.
 *
 * Commas come by themselves from one flag: set behind a value, cleared behind an opening bracket or
 * a key. Strings are on the hot path: bytes that need nothing are found eight at a time and copied
 * as one run. A full buffer fails in the buffer's way; nothing here can fail besides. */
#include "core/json.h"

#include "core/json_scan.h"
#include "core/utf8.h"

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

/* Bytes from `at` that go into a string as they are: plain ASCII and well-formed UTF-8. */
static size_t json_string_run(const uint8_t *at, size_t left) {
    size_t run = 0;
    for (;;) {
        run += core_json_plain_run(at + run, left - run, CORE_JSON_HIGH_BITS);
        if (run == left || at[run] < 0x80)
            return run;
        while (run < left && at[run] >= 0x80) {
            size_t sequence = core_utf8_sequence(at + run, left - run);
            if (sequence == 0)
                return run;
            run += sequence;
        }
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

static void json_escaped(core_buffer *out, core_slice text, size_t run) {
    core_buffer_u8(out, '"');
    for (size_t at = 0;;) {
        core_buffer_append(out, text.data + at, run);
        at += run;
        if (at == text.length)
            break;
        json_escape(out, text.data[at++]);
        run = json_string_run(text.data + at, text.length - at);
    }
    core_buffer_u8(out, '"');
}

/* No string gets shorter by being written, so the room that is asked for is needed in any case. */
static void json_quoted(core_buffer *out, core_slice text) {
    uint8_t *target = core_buffer_reserve(out, text.length + 2);
    if (target == NULL)
        return;
    size_t run = text.length > 0 ? json_string_run(text.data, text.length) : 0;
    if (run < text.length) {
        json_escaped(out, text, run);
        return;
    }
    target[0] = '"';
    if (run > 0)
        memcpy(target + 1, text.data, run);
    target[run + 1] = '"';
    core_buffer_commit(out, run + 2);
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

void core_json_text_object(core_buffer *out, const char *name, const char *text) {
    core_json_writer json = core_json_writer_make(out);
    core_json_object_open(&json);
    core_json_key_text(&json, name);
    core_json_text(&json, text);
    core_json_object_close(&json);
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
