/* See gap.h. A content that cannot be read stops the source: its position is the only one behind a
 * gap. */
#include "cdc/gap.h"

#include <inttypes.h>
#include <stdio.h>

typedef struct {
    const char *name;
    bool misses;
    bool asks;
    bool new_epoch;
} reason_row;

/* Within an epoch a sequence is used once and (commit LSN, index) only grow. A new slot of the same
 * cluster stands beyond all that was published, so its gap needs no new one. */
static const reason_row reasons[CDC_GAP_REASONS] = {
    [CDC_GAP_NONE] = {"none", false, false, false},
    [CDC_GAP_SLOT_MISSING] = {"slot_missing", true, true, false},
    [CDC_GAP_SLOT_LOST] = {"slot_lost", true, true, false},
    [CDC_GAP_SLOT_AHEAD] = {"slot_ahead", true, true, false},
    [CDC_GAP_PUBLICATION_REMADE] = {"publication_remade", true, true, false},
    [CDC_GAP_OTHER_CLUSTER] = {"other_cluster", true, true, true},
    [CDC_GAP_OTHER_TIMELINE] = {"other_timeline", true, true, true},
    [CDC_GAP_SERVER_BEHIND] = {"server_behind", true, true, true},
    [CDC_GAP_STREAM_LOST] = {"stream_lost", true, true, true},
    [CDC_GAP_STREAM_HOLED] = {"stream_holed", true, true, true},
    [CDC_GAP_RECORD_MISSING] = {"record_missing", true, true, true},
    [CDC_GAP_STREAM_REMADE] = {"stream_remade", true, false, true},
    [CDC_GAP_REPLAYED] = {"replayed", false, false, true},
};

const char *cdc_gap_reason_name(cdc_gap_reason reason) {
    return reasons[reason].name;
}

bool cdc_gap_misses(cdc_gap_reason reason) {
    return reasons[reason].misses;
}

bool cdc_gap_asks(cdc_gap_reason reason) {
    return reasons[reason].asks;
}

bool cdc_gap_new_epoch(cdc_gap_reason reason) {
    return reasons[reason].new_epoch;
}

/* ---- Encode ---- */

static void text_member(core_json_writer *json, const char *name, const char *text) {
    core_json_key_text(json, name);
    core_json_text(json, text);
}

static void lsn_member(core_json_writer *json, const char *name, core_lsn lsn) {
    char text[32];
    (void)snprintf(text, sizeof text, CORE_LSN_FORMAT, CORE_LSN_ARGS(lsn));
    core_json_key_text(json, name);
    if (lsn != 0)
        core_json_text(json, text);
    else
        core_json_null(json);
}

static void origin_member(core_json_writer *json, const char *name, uint64_t system_id,
                          uint32_t timeline, const char *epoch) {
    char text[32];
    (void)snprintf(text, sizeof text, "%" PRIu64, system_id);
    core_json_key_text(json, name);
    if (system_id == 0 && epoch[0] == '\0') {
        core_json_null(json);
        return;
    }
    core_json_object_open(json);
    core_json_key_text(json, "system_id");
    if (system_id != 0)
        core_json_text(json, text);
    else
        core_json_null(json);
    core_json_key_text(json, "timeline");
    if (system_id != 0)
        core_json_unsigned(json, timeline);
    else
        core_json_null(json);
    text_member(json, "epoch", epoch);
    core_json_object_close(json);
}

static void position_member(core_json_writer *json, const cdc_position *position) {
    core_buffer record;
    core_buffer_init(&record, CDC_POSITION_JSON_MAX);
    cdc_position_encode(position, &record);
    assert(core_buffer_ok(&record));
    core_json_key_text(json, "position");
    core_json_raw(json, core_buffer_slice(&record));
    core_buffer_fini(&record);
}

void cdc_gap_encode(const cdc_gap *gap, const cdc_position *after, const char *policy,
                    int64_t time_us, core_buffer *out) {
    char time[CORE_CLOCK_TEXT_SIZE];
    core_clock_format(time_us, time);
    core_json_writer json = core_json_writer_make(out);
    core_json_object_open(&json);
    text_member(&json, "reason", cdc_gap_reason_name(gap->reason));
    text_member(&json, "text", gap->text);
    core_json_key_text(&json, "missing");
    core_json_bool(&json, cdc_gap_misses(gap->reason));
    lsn_member(&json, "from_lsn", gap->from_lsn);
    lsn_member(&json, "to_lsn", gap->to_lsn);
    core_json_key_text(&json, "from_sequence");
    core_json_unsigned(&json, gap->from_sequence);
    origin_member(&json, "old", gap->old_system_id, gap->old_timeline, gap->old_epoch);
    origin_member(&json, "new", after->system_id, after->timeline, after->epoch);
    text_member(&json, "policy", policy);
    text_member(&json, "time", time);
    position_member(&json, after);
    core_json_object_close(&json);
}

/* ---- Decode ---- */

typedef struct {
    cdc_position *after;
    bool has_position;
    bool missing;
    bool snapshot;
} content_read;

static bool member_read(core_json_reader *reader, core_json_token token, content_read *content,
                        core_error *error) {
    core_slice whole;
    if (core_json_raw_is(token.key, "missing"))
        content->missing = token.kind == CORE_JSON_TRUE;
    else if (core_json_raw_is(token.key, "policy"))
        content->snapshot =
            token.kind == CORE_JSON_STRING && core_json_raw_is(token.raw, "snapshot");
    if (!core_json_skip(reader, token, &whole))
        return false;
    if (!core_json_raw_is(token.key, "position"))
        return true;
    content->has_position = true;
    return cdc_position_decode(whole, content->after, error);
}

bool cdc_gap_decode(core_slice content, cdc_position *after, bool *wants_snapshot,
                    core_error *error) {
    core_json_reader reader = core_json_reader_make(content);
    content_read got = {.after = after};
    core_json_token token;
    bool ok = core_json_next(&reader).kind == CORE_JSON_OBJECT_OPEN;
    while (ok && core_json_member_next(&reader, &token))
        ok = member_read(&reader, token, &got, error);
    ok = ok && core_json_next(&reader).kind == CORE_JSON_END && got.has_position;
    *wants_snapshot = got.missing && got.snapshot;
    return ok ||
           core_error_set(error, CORE_ERROR_INPUT,
                          "a GAP event of %zu bytes has no position of Walcast's", content.length);
}

bool cdc_gap_run_decode(const core_run *run, core_arena *arena, cdc_position *after,
                        bool *wants_snapshot, core_error *error) {
    core_run_reader reader;
    assert(run->op == CORE_OP_GAP);
    if (!core_run_reader_init(&reader, run, arena, error))
        return false;
    const core_change *change = core_run_next(&reader);
    if (change == NULL || !core_slice_is(change->message.prefix, CDC_GAP_PREFIX))
        return core_error_set(error, CORE_ERROR_INPUT, "a GAP event without the prefix %s",
                              CDC_GAP_PREFIX);
    return cdc_gap_decode(change->message.content, after, wants_snapshot, error);
}
