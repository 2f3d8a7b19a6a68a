/* See join.h. */
#include "ws/join.h"

#include "ws/replayer.h"

#include <stdlib.h>

static bool join_refuse(const char **reason, const char *text) {
    *reason = text;
    return false;
}

bool ws_join_natural(core_json_token token, int64_t max, int64_t *value) {
    char text[24];
    char *end = text;
    if (token.kind != CORE_JSON_NUMBER || !core_slice_to_text(token.raw, text, sizeof text))
        return false;
    *value = strtoll(text, &end, 10);
    return *end == '\0' && *value >= 0 && *value <= max;
}

/* {"since": ms, "limit": n} */
static bool read_replay(core_json_reader *json, ws_join *join, const char **reason) {
    core_json_token member;
    int64_t since_ms = -1, limit = WS_REPLAY_MAX;
    bool ok = true;
    while (core_json_member_next(json, &member)) {
        core_slice whole;
        if (core_json_raw_is(member.key, "since"))
            ok &= ws_join_natural(member, INT64_MAX / 2000, &since_ms);
        else if (core_json_raw_is(member.key, "limit") && member.kind != CORE_JSON_NULL)
            ok &= ws_join_natural(member, WS_REPLAY_MAX, &limit);
        if (!core_json_skip(json, member, &whole))
            return false;
    }
    if (!ok || since_ms < 0 || limit == 0)
        return join_refuse(reason,
                           "UnableToReplayMessages: replay needs since, in milliseconds since "
                           "1970, and a limit from 1 to 25");
    join->replay_since_us = since_ms * CORE_US_PER_MS;
    join->replay_limit = (size_t)limit;
    return true;
}

static bool read_broadcast(core_json_reader *json, ws_join *join, const char **reason) {
    for (;;) {
        core_json_token token = core_json_next(json);
        if (token.kind == CORE_JSON_OBJECT_CLOSE)
            return true;
        core_slice whole;
        if (core_json_raw_is(token.key, "replay") && token.kind == CORE_JSON_OBJECT_OPEN) {
            if (!read_replay(json, join, reason))
                return false;
            continue;
        }
        if (core_json_raw_is(token.key, "replication_ready"))
            join->replication_ready = core_json_is_true(token);
        else if (core_json_raw_is(token.key, "self"))
            join->broadcast_self = core_json_is_true(token);
        else if (core_json_raw_is(token.key, "ack"))
            join->broadcast_ack = core_json_is_true(token);
        if (!core_json_skip(json, token, &whole))
            return false;
    }
}

/* Clients from before `enabled` give the key alone and hear who is there. */
static bool read_presence(core_json_reader *json, ws_join *join) {
    core_json_token member;
    join->presence_enabled = true;
    while (core_json_member_next(json, &member)) {
        core_slice whole;
        bool is_text = member.kind == CORE_JSON_STRING || member.kind == CORE_JSON_NUMBER;
        if (core_json_raw_is(member.key, "enabled") && member.kind != CORE_JSON_NULL)
            join->presence_enabled = core_json_is_true(member);
        else if (core_json_raw_is(member.key, "key") && is_text)
            join->presence_key = member.raw;
        if (!core_json_skip(json, member, &whole))
            return false;
    }
    return true;
}

static bool read_slow(core_json_token token, ws_join *join) {
    bool text = token.kind == CORE_JSON_STRING;
    join->conflate = text && core_json_raw_is(token.raw, "conflate");
    return join->conflate || token.kind == CORE_JSON_NULL ||
           (text && core_json_raw_is(token.raw, "close"));
}

static bool read_config_member(core_json_reader *json, core_json_token token, ws_join *join,
                               const char **reason) {
    core_slice whole;
    if (core_json_raw_is(token.key, "broadcast") && token.kind == CORE_JSON_OBJECT_OPEN)
        return read_broadcast(json, join, reason);
    if (core_json_raw_is(token.key, "presence") && token.kind == CORE_JSON_OBJECT_OPEN)
        return read_presence(json, join);
    if (core_json_raw_is(token.key, "private"))
        join->private_channel = core_json_is_true(token);
    if (core_json_raw_is(token.key, "slow") && !read_slow(token, join))
        return join_refuse(reason, "config.slow must be close or conflate");
    if (core_json_raw_is(token.key, "snapshot"))
        join->snapshot = core_json_is_true(token);
    if (core_json_raw_is(token.key, "since") && token.kind != CORE_JSON_NULL &&
        (token.kind != CORE_JSON_STRING || !core_offset_parse(token.raw, &join->since) ||
         !core_offset_is_place(&join->since)))
        return join_refuse(reason, "config.since must be an offset as a change has it");
    if (!core_json_skip(json, token, &whole))
        return false;
    if (!core_json_raw_is(token.key, "postgres_changes") || token.kind == CORE_JSON_NULL)
        return true;
    if (token.kind != CORE_JSON_ARRAY_OPEN)
        return join_refuse(reason, "config.postgres_changes must be an array");
    join->postgres_changes = whole;
    return true;
}

static bool read_config(core_json_reader *json, ws_join *join, const char **reason) {
    for (;;) {
        core_json_token token = core_json_next(json);
        if (token.kind == CORE_JSON_OBJECT_CLOSE)
            return true;
        if (!read_config_member(json, token, join, reason))
            return false;
    }
}

static bool read_token(core_json_token token, core_slice *text) {
    if (token.kind == CORE_JSON_NULL)
        return true;
    *text = token.raw;
    return token.kind == CORE_JSON_STRING;
}

static bool read_join_member(core_json_reader *json, core_json_token token, ws_join *join,
                             const char **reason) {
    core_slice whole;
    if (core_json_raw_is(token.key, "config") && token.kind == CORE_JSON_OBJECT_OPEN)
        return read_config(json, join, reason);
    if (core_json_raw_is(token.key, "access_token") && !read_token(token, &join->access_token))
        return join_refuse(reason, "access_token must be a string");
    return core_json_skip(json, token, &whole);
}

bool ws_join_read(core_slice payload, ws_join *join, const char **reason) {
    *join = (ws_join){0};
    *reason = "the payload is not a JSON object";
    core_json_reader json = core_json_reader_make(payload);
    if (core_json_next(&json).kind != CORE_JSON_OBJECT_OPEN)
        return false;
    for (;;) {
        core_json_token token = core_json_next(&json);
        if (token.kind == CORE_JSON_OBJECT_CLOSE)
            return true;
        if (!read_join_member(&json, token, join, reason))
            return false;
    }
}

bool ws_join_token_read(core_slice payload, core_slice *token) {
    ws_join join;
    const char *reason;
    bool ok = ws_join_read(payload, &join, &reason);
    *token = join.access_token;
    return ok;
}
