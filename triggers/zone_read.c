/* Reads a tzfile (RFC 8536): its 64-bit part, or the 32-bit one where that is all there is.
 *
 * Bytes come from the system's files, but a broken one must do no harm: the cursor bounds every
 * read, counts are checked before they are used, and what does not hold together is refused. */
#include "triggers/zone_private.h"

#include <stdlib.h>

enum {
    HEADER_RESERVED = 15,
    TYPES_MAX = 256,
    CHARACTERS_MAX = 4096,
    LEAPS_MAX = 256,
    OFFSET_MIN_S = -89999, /* RFC 8536, 3.2 */
    OFFSET_MAX_S = 93599,
    LONG_BYTES = 8,
    SHORT_BYTES = 4,
};

typedef struct {
    uint8_t version; /* 0, or '2' and up */
    uint32_t utc_marks, standard_marks, leaps, changes, types, characters;
} zone_header;

typedef struct {
    core_cursor at;
    core_slice types; /* of each change, one byte */
    int32_t offsets[TYPES_MAX];
    zone_header header;
} zone_reader;

static bool header_take(core_cursor *at, zone_header *header) {
    core_slice magic = core_cursor_bytes(at, 4);
    header->version = core_cursor_u8(at);
    (void)core_cursor_bytes(at, HEADER_RESERVED);
    header->utc_marks = core_cursor_u32(at);
    header->standard_marks = core_cursor_u32(at);
    header->leaps = core_cursor_u32(at);
    header->changes = core_cursor_u32(at);
    header->types = core_cursor_u32(at);
    header->characters = core_cursor_u32(at);
    return core_cursor_ok(at) && core_slice_is(magic, "TZif") && header->types >= 1 &&
           header->types <= TYPES_MAX && header->changes <= TRIGGERS_ZONE_CHANGES_MAX &&
           header->characters <= CHARACTERS_MAX && header->leaps <= LEAPS_MAX &&
           header->utc_marks <= TYPES_MAX && header->standard_marks <= TYPES_MAX;
}

static void part_skip(core_cursor *at, const zone_header *header) {
    size_t bytes = (size_t)header->changes * (SHORT_BYTES + 1) + (size_t)header->types * 6 +
                   header->characters + (size_t)header->leaps * (SHORT_BYTES + 4) +
                   header->standard_marks + header->utc_marks;
    (void)core_cursor_bytes(at, bytes);
}

static int64_t time_take(core_cursor *at, bool is_long) {
    return is_long ? (int64_t)core_cursor_u64(at) : (int32_t)core_cursor_u32(at);
}

/* The changes' times; ascending. */
static bool times_take(zone_reader *reader, bool is_long, triggers_zone *zone) {
    int64_t before = INT64_MIN;
    for (uint32_t i = 0; i < reader->header.changes; i++) {
        zone->changes[i].utc_s = time_take(&reader->at, is_long);
        if (i > 0 && zone->changes[i].utc_s <= before)
            return false;
        before = zone->changes[i].utc_s;
    }
    return core_cursor_ok(&reader->at);
}

/* The types that the changes name, and the offsets of the types. */
static bool types_take(zone_reader *reader, triggers_zone *zone) {
    reader->types = core_cursor_bytes(&reader->at, reader->header.changes);
    for (uint32_t i = 0; i < reader->header.types; i++) {
        int32_t offset_s = (int32_t)core_cursor_u32(&reader->at);
        (void)core_cursor_u16(&reader->at); /* is it saving; where its name begins */
        if (offset_s < OFFSET_MIN_S || offset_s > OFFSET_MAX_S)
            return false;
        reader->offsets[i] = offset_s;
    }
    for (uint32_t i = 0; core_cursor_ok(&reader->at) && i < reader->header.changes; i++) {
        if (reader->types.data[i] >= reader->header.types)
            return false;
        zone->changes[i].offset_s = reader->offsets[reader->types.data[i]];
    }
    zone->first_offset_s = reader->offsets[0];
    zone->count = reader->header.changes;
    return core_cursor_ok(&reader->at);
}

/* "\nRULE\n", the rule perhaps empty. */
static bool footer_take(zone_reader *reader, triggers_zone *zone, core_error *error) {
    core_cursor *at = &reader->at;
    const zone_header *header = &reader->header;
    (void)core_cursor_bytes(at, header->characters + (size_t)header->leaps * (LONG_BYTES + 4) +
                                    header->standard_marks + header->utc_marks);
    core_slice rest = core_cursor_rest(at);
    if (!core_cursor_ok(at) || rest.length < 2 || rest.data[0] != '\n')
        return core_error_set(error, CORE_ERROR_INPUT, "a tzfile without a footer");
    const uint8_t *end = memchr(rest.data + 1, '\n', rest.length - 1);
    if (end == NULL)
        return core_error_set(error, CORE_ERROR_INPUT, "a tzfile whose footer has no end");
    core_slice rule = core_slice_make(rest.data + 1, (size_t)(end - rest.data) - 1);
    zone->has_rule = rule.length > 0;
    return !zone->has_rule || triggers_zone_rule_read(rule, &zone->rule, error);
}

static bool zone_fill(zone_reader *reader, bool is_long, triggers_zone *zone, core_error *error) {
    if (reader->header.leaps > 0)
        return core_error_set(error, CORE_ERROR_INPUT,
                              "a time zone that counts leap seconds (right/...) cannot be used");
    if (!times_take(reader, is_long, zone) || !types_take(reader, zone))
        return core_error_set(error, CORE_ERROR_INPUT, "a tzfile that is cut or broken");
    return !is_long || footer_take(reader, zone, error);
}

triggers_zone *triggers_zone_read(core_slice file, core_error *error) {
    zone_reader reader = {.at = core_cursor_make(file)};
    bool ok = header_take(&reader.at, &reader.header);
    bool is_long = reader.header.version >= '2';
    if (ok && is_long) {
        part_skip(&reader.at, &reader.header);
        ok = header_take(&reader.at, &reader.header) && reader.header.version >= '2';
    }
    if (!ok) {
        (void)core_error_set(error, CORE_ERROR_INPUT, "not a tzfile (RFC 8536)");
        return NULL;
    }
    triggers_zone *zone = calloc(1, sizeof *zone + reader.header.changes * sizeof zone->changes[0]);
    if (zone == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for a time zone");
        return NULL;
    }
    if (zone_fill(&reader, is_long, zone, error))
        return zone;
    triggers_zone_free(zone);
    return NULL;
}
