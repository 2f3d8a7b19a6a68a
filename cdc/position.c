/* Encodes and decodes the position record; see position.h. A record that cannot be read stops the
 * source: guessing a position could lose or repeat changes. */
#include "cdc/position.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- Encode ---- */

static void lsn_member(core_json_writer *json, const char *name, core_lsn lsn) {
    char text[32];
    (void)snprintf(text, sizeof text, CORE_LSN_FORMAT, CORE_LSN_ARGS(lsn));
    core_json_key_text(json, name);
    core_json_text(json, text);
}

static void unsigned_member(core_json_writer *json, const char *name, uint64_t value) {
    core_json_key_text(json, name);
    core_json_unsigned(json, value);
}

void cdc_position_encode(const cdc_position *position, core_buffer *out) {
    char system_id[32];
    (void)snprintf(system_id, sizeof system_id, "%" PRIu64, position->system_id);
    core_json_writer json = core_json_writer_make(out);
    core_json_object_open(&json);
    core_json_key_text(&json, "epoch");
    core_json_text(&json, position->epoch);
    unsigned_member(&json, "sequence", position->sequence);
    lsn_member(&json, "commit_lsn", position->commit_lsn);
    unsigned_member(&json, "index", position->index);
    core_json_key_text(&json, "complete");
    core_json_bool(&json, position->complete);
    lsn_member(&json, "end_lsn", position->end_lsn);
    core_json_key_text(&json, "system_id");
    core_json_text(&json, system_id);
    unsigned_member(&json, "timeline", position->timeline);
    core_json_key_text(&json, "stream_created_us");
    core_json_signed(&json, position->stream_created_us);
    unsigned_member(&json, "gaps", position->gaps);
    unsigned_member(&json, "gap_sequence", position->gap_sequence);
    unsigned_member(&json, "publication_oid", position->publication_oids[0]);
    unsigned_member(&json, "inserts_publication_oid", position->publication_oids[1]);
    core_json_object_close(&json);
}

/* ---- Decode ---- */

static bool u32_read(core_slice raw, uint32_t *number) {
    uint64_t value = 0;
    if (!core_slice_to_u64(raw, &value) || value > UINT32_MAX)
        return false;
    *number = (uint32_t)value;
    return true;
}

/* Members that older records lack; an unknown one is skipped. */
static bool later_member_read(core_json_reader *reader, core_json_token token,
                              cdc_position *position) {
    core_slice whole;
    if (core_json_raw_is(token.key, "gaps"))
        return core_slice_to_u64(token.raw, &position->gaps);
    if (core_json_raw_is(token.key, "gap_sequence"))
        return core_slice_to_u64(token.raw, &position->gap_sequence);
    if (core_json_raw_is(token.key, "publication_oid"))
        return u32_read(token.raw, &position->publication_oids[0]);
    if (core_json_raw_is(token.key, "inserts_publication_oid"))
        return u32_read(token.raw, &position->publication_oids[1]);
    return core_json_skip(reader, token, &whole);
}

/* One member into the record; `*seen` gets its bit. */
static bool member_read(core_json_reader *reader, core_json_token token, cdc_position *position,
                        unsigned *seen) {
    const char *const names[] = {"epoch",     "sequence", "commit_lsn",
                                 "index",     "complete", "end_lsn",
                                 "system_id", "timeline", "stream_created_us"};
    size_t which = 0;
    while (which < CORE_COUNT_OF(names) && !core_json_raw_is(token.key, names[which]))
        which++;
    *seen |= 1u << which;
    switch (which) {
    case 0:
        return core_slice_to_text(token.raw, position->epoch, sizeof position->epoch);
    case 1:
        return core_slice_to_u64(token.raw, &position->sequence);
    case 2:
        return core_lsn_parse(token.raw, &position->commit_lsn);
    case 3:
        return core_slice_to_u64(token.raw, &position->index);
    case 4:
        position->complete = token.kind == CORE_JSON_TRUE;
        return token.kind == CORE_JSON_TRUE || token.kind == CORE_JSON_FALSE;
    case 5:
        return core_lsn_parse(token.raw, &position->end_lsn);
    case 6:
        return core_slice_to_u64(token.raw, &position->system_id);
    case 7:
        return u32_read(token.raw, &position->timeline);
    case 8:
        return core_slice_to_i64(token.raw, &position->stream_created_us);
    default:
        return later_member_read(reader, token, position);
    }
}

bool cdc_position_decode(core_slice json, cdc_position *position, core_error *error) {
    const unsigned all_seen = (1u << 9) - 1;
    core_json_reader reader = core_json_reader_make(json);
    *position = (cdc_position){0};
    unsigned seen = 0;
    core_json_token token;
    bool ok = core_json_next(&reader).kind == CORE_JSON_OBJECT_OPEN;
    while (ok && core_json_member_next(&reader, &token))
        ok = member_read(&reader, token, position, &seen);
    ok = ok && core_json_next(&reader).kind == CORE_JSON_END && (seen & all_seen) == all_seen;
    return ok ||
           core_error_set(error, CORE_ERROR_INPUT,
                          "the position record of %zu bytes is not one of Walcast's", json.length);
}
