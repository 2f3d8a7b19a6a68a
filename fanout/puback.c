/* Reads a PubAck; see puback.h. Happy path: two members, `stream` and `seq`. */
#include "fanout/puback.h"

static bool read_error_member(core_json_token token, uint64_t *plain, fanout_puback *ack) {
    if (core_json_raw_is(token.key, "err_code"))
        return token.kind == CORE_JSON_NUMBER && core_slice_to_u64(token.raw, &ack->error_code);
    if (core_json_raw_is(token.key, "code"))
        return token.kind == CORE_JSON_NUMBER && core_slice_to_u64(token.raw, plain);
    if (core_json_raw_is(token.key, "description")) {
        ack->description = token.raw;
        return token.kind == CORE_JSON_STRING;
    }
    return true;
}

static bool is_open(core_json_token token) {
    return token.kind == CORE_JSON_OBJECT_OPEN || token.kind == CORE_JSON_ARRAY_OPEN;
}

static bool skip_inner(core_json_reader *reader, core_json_token token) {
    core_slice ignored;
    return !is_open(token) || core_json_skip(reader, token, &ignored);
}

static bool read_error(core_json_reader *reader, fanout_puback *ack) {
    uint64_t plain = 0;
    core_json_token token;
    while (core_json_member_next(reader, &token))
        if (!read_error_member(token, &plain, ack) || !skip_inner(reader, token))
            return false;
    if (ack->error_code == 0)
        ack->error_code = plain;
    return ack->error_code != 0;
}

static bool read_member(core_json_reader *reader, core_json_token token, fanout_puback *ack) {
    if (core_json_raw_is(token.key, "seq"))
        return token.kind == CORE_JSON_NUMBER && core_slice_to_u64(token.raw, &ack->sequence);
    if (core_json_raw_is(token.key, "stream")) {
        ack->stream = token.raw;
        return token.kind == CORE_JSON_STRING;
    }
    if (core_json_raw_is(token.key, "duplicate")) {
        ack->duplicate = token.kind == CORE_JSON_TRUE;
        return token.kind == CORE_JSON_TRUE || token.kind == CORE_JSON_FALSE;
    }
    if (core_json_raw_is(token.key, "error"))
        return token.kind == CORE_JSON_OBJECT_OPEN && read_error(reader, ack);
    return skip_inner(reader, token);
}

static bool read_all(core_slice json, fanout_puback *ack) {
    core_json_reader reader = core_json_reader_make(json);
    if (core_json_next(&reader).kind != CORE_JSON_OBJECT_OPEN)
        return false;
    core_json_token token;
    while (core_json_member_next(&reader, &token))
        if (!read_member(&reader, token, ack))
            return false;
    return core_json_next(&reader).kind == CORE_JSON_END;
}

bool fanout_puback_read(core_slice json, fanout_puback *ack, core_error *error) {
    *ack = (fanout_puback){0};
    if (!read_all(json, ack) ||
        (ack->error_code == 0 && (ack->sequence == 0 || ack->stream.length == 0)))
        return core_error_set(
            error, CORE_ERROR_INPUT,
            "not a JetStream acknowledgement: '%.*s'; does another program answer "
            "on the stream's subjects?",
            (int)(json.length < 200 ? json.length : 200), (const char *)json.data);
    return true;
}
