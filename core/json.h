/* JSON text: a writer into a buffer and a reader that never turns a number into a double.
 *
 * The writer puts commas by itself; strings are escaped and, where bytes are not UTF-8, replaced by
 * U+FFFD, so its output is always valid. The reader is a pull parser over a slice: no tree, no
 * allocation, depth bounded; numbers stay the text they were. RFC 8259. */
#ifndef WALCAST_CORE_JSON_H
#define WALCAST_CORE_JSON_H

#include "core/buffer.h"
#include "core/cursor.h"

#define CORE_JSON_MAX_DEPTH 1024
/* Levels that an object of ours may put around documents of the maximum depth. */
#define CORE_JSON_ENVELOPE_DEPTH 16

/* ---- Writer ---- */
typedef struct {
    core_buffer *out;
    bool needs_comma;
} core_json_writer;

core_json_writer core_json_writer_make(core_buffer *out);
void core_json_object_open(core_json_writer *writer);
void core_json_object_close(core_json_writer *writer);
void core_json_array_open(core_json_writer *writer);
void core_json_array_close(core_json_writer *writer);
void core_json_key(core_json_writer *writer, core_slice name);
void core_json_key_text(core_json_writer *writer, const char *name);
void core_json_string(core_json_writer *writer, core_slice text);
void core_json_text(core_json_writer *writer, const char *text);
/* An object of one member, as the whole of `out`'s next value. */
void core_json_text_object(core_buffer *out, const char *name, const char *text);
void core_json_unsigned(core_json_writer *writer, uint64_t value);
void core_json_signed(core_json_writer *writer, int64_t value);
void core_json_bool(core_json_writer *writer, bool value);
void core_json_null(core_json_writer *writer);
/* Bytes that are valid JSON already (a jsonb column, a number's digits). */
void core_json_raw(core_json_writer *writer, core_slice json);

/* ---- Reader ---- */
typedef enum {
    CORE_JSON_INVALID = 0, /* malformed, too deep, or past the end; sticky */
    CORE_JSON_NULL,
    CORE_JSON_TRUE,
    CORE_JSON_FALSE,
    CORE_JSON_NUMBER, /* raw: its digits */
    CORE_JSON_STRING, /* raw: between the quotes, escapes not undone */
    CORE_JSON_OBJECT_OPEN,
    CORE_JSON_OBJECT_CLOSE,
    CORE_JSON_ARRAY_OPEN,
    CORE_JSON_ARRAY_CLOSE,
    CORE_JSON_END, /* the whole text was one value and nothing follows */
} core_json_kind;

typedef struct {
    core_json_kind kind;
    core_slice key; /* raw name when inside an object, else empty */
    core_slice raw;
} core_json_token;

typedef struct {
    core_cursor cursor;
    unsigned depth;
    unsigned max_depth;
    /* bit N: level N is an object */
    uint8_t object_bits[(CORE_JSON_MAX_DEPTH + CORE_JSON_ENVELOPE_DEPTH) / 8];
    bool after_value;
    bool failed;
} core_json_reader;

core_json_reader core_json_reader_make(core_slice text);
/* The same for text that holds documents: CORE_JSON_ENVELOPE_DEPTH deeper. */
core_json_reader core_json_envelope_reader_make(core_slice text);
/* The next token; keys come with their value's token. */
core_json_token core_json_next(core_json_reader *reader);
/* The next member of the object whose opening token came before. False behind its last one, its
 * closing bracket taken, and where the text is malformed: then every later token is INVALID, so
 * whoever asks for what must follow tells the two apart. */
CORE_MUST_CHECK bool core_json_member_next(core_json_reader *reader, core_json_token *member);
/* After an OPEN token: skips to behind its CLOSE and gives the value's whole text, brackets
 * included. For a number, string or literal: nothing to skip, its whole text (a string with its
 * quotes). False for every other token, and when what is skipped is malformed. */
CORE_MUST_CHECK bool core_json_skip(core_json_reader *reader, core_json_token token,
                                    core_slice *whole);
/* Undoes a raw string's escapes into `out` (appended). False when an escape is not valid (half a
 * surrogate pair is not) or `out` is full. \u0000 gives a NUL byte. */
CORE_MUST_CHECK bool core_json_unescape(core_slice raw, core_buffer *out);
/* Compares a raw key or string with text, escapes undone. */
bool core_json_raw_is(core_slice raw, const char *text);
/* `true`, or the string "true", as some clients send it. */
bool core_json_is_true(core_json_token token);
/* The whole text is one valid JSON value (depth bounded) in valid UTF-8. */
CORE_MUST_CHECK bool core_json_valid(core_slice text);

/* ---- UTF-8 ---- */
/* No overlong forms, no surrogates, nothing above U+10FFFF. */
CORE_MUST_CHECK bool core_utf8_valid(core_slice text);
/* The same for text whose end is still to come: `whole` gets the bytes of whole sequences, and what
 * is behind them (at most 3) can begin one. */
CORE_MUST_CHECK bool core_utf8_begins(core_slice text, size_t *whole);

#endif
