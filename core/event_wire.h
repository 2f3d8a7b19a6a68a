/* Protocol Buffers' wire format as event.proto uses it: the pieces that the run's writer and reader
 * share. Private to the event files. https://protobuf.dev/programming-guides/encoding/
 *
 * Writing: sizes are computed first, room for exactly that is reserved, then the wire_put functions
 * fill it; each returns where the next byte goes. proto3's implicit presence: a scalar that is zero
 * and bytes that are empty are not written.
 *
 * Reading: a wire_message lists which type each known field has. wire_next gives one field after
 * the other; one of an unknown number is given too (and to be ignored), a known one of another type
 * or any malformed byte ends the walk with the cursor failed. */
#ifndef WALCAST_CORE_EVENT_WIRE_H
#define WALCAST_CORE_EVENT_WIRE_H

#include "core/cursor.h"
#include "core/event.h"

typedef enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 } wire_type;

/* Field numbers of event.proto. */
enum {
    RUN_VERSION = 1,
    RUN_EPOCH,
    RUN_OP,
    RUN_RELATION,
    RUN_TRANSACTIONS,
    RUN_ROWS,
    RUN_PART,
    RUN_SNAPSHOT
};
enum { SNAPSHOT_ID = 1, SNAPSHOT_AFTER_SEQUENCE };
enum { PART_INDEX = 1, PART_COUNT, PART_TOTAL_BYTES, PART_CHUNK };
enum {
    TRANSACTION_XID = 1,
    TRANSACTION_COMMIT_LSN,
    TRANSACTION_END_LSN,
    TRANSACTION_COMMIT_TIME_US,
    TRANSACTION_FIRST_INDEX,
    TRANSACTION_COUNT,
    TRANSACTION_LAST,
    TRANSACTION_ORIGIN
};
enum { ROW_NEW = 1, ROW_OLD, ROW_OLD_KIND, ROW_TRUNCATE_FLAGS, ROW_MESSAGE };
enum { TUPLE_VALUES = 1 };
enum { VALUE_TEXT = 1, VALUE_BINARY, VALUE_NULL, VALUE_UNCHANGED, VALUE_READ_LATER };
enum { MESSAGE_PREFIX = 1, MESSAGE_CONTENT, MESSAGE_LSN, MESSAGE_TRANSACTIONAL };
enum {
    RELATION_OID = 1,
    RELATION_SCHEMA,
    RELATION_TABLE,
    RELATION_REPLICA_IDENTITY,
    RELATION_VERSION,
    RELATION_COLUMNS
};
enum {
    COLUMN_NAME = 1,
    COLUMN_TYPE_OID,
    COLUMN_TYPMOD,
    COLUMN_KEY,
    COLUMN_TYPE_NAME,
    COLUMN_BASE_TYPE_OID,
    COLUMN_ELEMENT_TYPE_OID,
    COLUMN_DELIMITER
};

/* ---- Writing ---- */

/* All field numbers here are below 16, so that a tag is one byte. */
static inline uint8_t wire_tag(unsigned number, wire_type type) {
    return (uint8_t)(number << 3 | (unsigned)type);
}

static inline size_t wire_varint_size(uint64_t value) {
    unsigned bits = 64u - (unsigned)__builtin_clzll(value | 1);
    return (bits * 9 + 64) / 64; /* ceil(bits / 7) for 1..64 */
}

/* Of a length-delimited field with `length` bytes, tag included. */
static inline size_t wire_delimited_size(size_t length) {
    return 1 + wire_varint_size(length) + length;
}
static inline size_t wire_bytes_size(core_slice bytes) {
    return bytes.length > 0 ? wire_delimited_size(bytes.length) : 0;
}
static inline size_t wire_number_size(uint64_t value) {
    return value != 0 ? 1 + wire_varint_size(value) : 0;
}
static inline size_t wire_fixed64_size(uint64_t value) {
    return value != 0 ? 9 : 0;
}

static inline uint8_t *wire_put_varint(uint8_t *at, uint64_t value) {
    for (; value >= 0x80; value >>= 7)
        *at++ = (uint8_t)(value | 0x80);
    *at++ = (uint8_t)value;
    return at;
}

/* Tag and length; the content follows. */
static inline uint8_t *wire_put_delimited(uint8_t *at, unsigned number, size_t length) {
    *at++ = wire_tag(number, WIRE_BYTES);
    return wire_put_varint(at, length);
}

static inline uint8_t *wire_put_raw(uint8_t *at, core_slice bytes) {
    if (bytes.length > 0)
        memcpy(at, bytes.data, bytes.length);
    return at + bytes.length;
}

static inline uint8_t *wire_put_bytes(uint8_t *at, unsigned number, core_slice bytes) {
    return bytes.length > 0 ? wire_put_raw(wire_put_delimited(at, number, bytes.length), bytes)
                            : at;
}

static inline uint8_t *wire_put_number(uint8_t *at, unsigned number, uint64_t value) {
    if (value == 0)
        return at;
    *at++ = wire_tag(number, WIRE_VARINT);
    return wire_put_varint(at, value);
}

static inline uint8_t *wire_put_fixed64(uint8_t *at, unsigned number, uint64_t value) {
    if (value == 0)
        return at;
    *at++ = wire_tag(number, WIRE_FIXED64);
    for (unsigned i = 0; i < 8; i++, value >>= 8)
        *at++ = (uint8_t)value;
    return at;
}

/* ---- Reading ---- */

typedef struct {
    const char *name;
    const uint8_t *types; /* a wire_type by field number; [0] is not used */
    unsigned known;       /* the highest known number */
} wire_message;

typedef struct {
    uint64_t number;
    uint64_t value;       /* of VARINT and FIXED */
    core_slice bytes;     /* of BYTES */
    const uint8_t *start; /* the tag's place */
} wire_field;

/* Where error positions count from. */
typedef struct {
    core_slice payload;
    core_error *error;
} wire_source;

/* False at the end of the message and on anything malformed: the cursor tells which. */
CORE_MUST_CHECK bool wire_next(core_cursor *cursor, const wire_message *message, wire_field *field);

/* Fills the source's error with what is wrong at which byte; returns false. */
bool wire_refuse(const wire_source *source, const uint8_t *at, const char *message,
                 const char *reason);
/* After the last wire_next: true when the walk ended at the end, else an error at `field`. */
CORE_MUST_CHECK bool wire_done(const wire_source *source, const core_cursor *cursor,
                               const wire_message *message, const wire_field *field);

/* ---- The relation (event_relation.c) ---- */

/* Of the Relation message's content, without tag and length. */
size_t core_relation_wire_size(const core_relation *relation);
uint8_t *core_relation_wire_put(uint8_t *at, const core_relation *relation);
CORE_MUST_CHECK bool core_relation_wire_read(const wire_source *source, core_slice bytes,
                                             core_arena *arena, core_relation *relation);

#endif
