/* Encodes and decodes the record of a snapshot; see snapshot.h. A table of members drives both, so
 * that what is written is what is read. */
#include "core/snapshot.h"

#include "core/json.h"

#include <stddef.h>
#include <stdio.h>
#include <sys/random.h>

enum { ID_LETTERS = 16 };

static const char *const state_names[] = {
    [CORE_SNAPSHOT_REQUESTED] = "requested", [CORE_SNAPSHOT_RUNNING] = "running",
    [CORE_SNAPSHOT_PAUSED] = "paused",       [CORE_SNAPSHOT_FAILED] = "failed",
    [CORE_SNAPSHOT_DONE] = "done",           [CORE_SNAPSHOT_CANCELLED] = "cancelled",
};
static const char *const wanted_names[] = {
    [CORE_SNAPSHOT_RUN] = "run",
    [CORE_SNAPSHOT_PAUSE] = "pause",
    [CORE_SNAPSHOT_CANCEL] = "cancel",
};

const char *core_snapshot_state_name(core_snapshot_state state) {
    return state_names[state];
}

const char *core_snapshot_wanted_name(core_snapshot_wanted wanted) {
    return wanted_names[wanted];
}

bool core_snapshot_is_over(const core_snapshot *snapshot) {
    return snapshot->state == CORE_SNAPSHOT_DONE || snapshot->state == CORE_SNAPSHOT_CANCELLED ||
           snapshot->state == CORE_SNAPSHOT_FAILED;
}

static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyz";

bool core_snapshot_id_make(char id[CORE_SNAPSHOT_ID_SIZE], core_error *error) {
    uint8_t random[ID_LETTERS];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return core_error_set(error, CORE_ERROR_INTERNAL, "the system gives no random bytes");
    for (size_t i = 0; i < ID_LETTERS; i++)
        id[i] = letters[random[i] % 36];
    id[ID_LETTERS] = '\0';
    return true;
}

void core_snapshot_id_initial(core_slice epoch, core_slice schema, core_slice table,
                              char id[CORE_SNAPSHOT_ID_SIZE]) {
    uint64_t hash = 0;
    for (size_t i = 0; i < ID_LETTERS; i++, hash /= 36) {
        if (i % (ID_LETTERS / 2) == 0) { /* a hash for each half */
            char half[] = {(char)i, '\0'};
            hash = core_slice_hash(core_slice_make(half, 1));
            const core_slice parts[] = {epoch, schema, table};
            for (size_t part = 0; part < CORE_COUNT_OF(parts); part++)
                hash = core_slice_hash_more(core_slice_hash_more(hash, parts[part]),
                                            core_slice_make("", 1)); /* the NUL between them */
        }
        id[i] = letters[hash % 36];
    }
    id[ID_LETTERS] = '\0';
}

void core_snapshot_key(const char *id, char key[CORE_SNAPSHOT_ID_SIZE + 16]) {
    (void)snprintf(key, CORE_SNAPSHOT_ID_SIZE + 16, CORE_SNAPSHOT_TOKEN ".%.*s",
                   CORE_SNAPSHOT_ID_SIZE, id);
}

/* ---- Members ---- */

typedef enum { MEMBER_TEXT, MEMBER_UNSIGNED, MEMBER_TIME, MEMBER_BOOL } member_kind;

typedef struct {
    const char *name;
    member_kind kind;
    size_t offset;
} record_member;

#define MEMBER(kind, name)                                                                         \
    { #name, kind, offsetof(core_snapshot, name) }

static const record_member members[] = {
    MEMBER(MEMBER_TEXT, schema),
    MEMBER(MEMBER_TEXT, table),
    MEMBER(MEMBER_TEXT, filter),
    MEMBER(MEMBER_TEXT, stream),
    MEMBER(MEMBER_BOOL, initial),
    MEMBER(MEMBER_UNSIGNED, rate_bytes),
    MEMBER(MEMBER_TEXT, error),
    MEMBER(MEMBER_TEXT, epoch),
    MEMBER(MEMBER_TEXT, low),
    MEMBER(MEMBER_TIME, requested_us),
    MEMBER(MEMBER_TIME, started_us),
    MEMBER(MEMBER_TIME, updated_us),
    MEMBER(MEMBER_TIME, finished_us),
    MEMBER(MEMBER_UNSIGNED, rows),
    MEMBER(MEMBER_UNSIGNED, bytes),
    MEMBER(MEMBER_UNSIGNED, chunks),
    MEMBER(MEMBER_UNSIGNED, expected_rows),
    MEMBER(MEMBER_UNSIGNED, start_sequence),
    MEMBER(MEMBER_UNSIGNED, end_sequence),
};

/* ---- Encode ---- */

static void text_or_null(core_json_writer *json, core_slice text) {
    if (text.length > 0)
        core_json_string(json, text);
    else
        core_json_null(json);
}

static void member_write(core_json_writer *json, const core_snapshot *snapshot,
                         const record_member *member) {
    const void *field = (const char *)snapshot + member->offset;
    core_json_key_text(json, member->name);
    switch (member->kind) {
    case MEMBER_TEXT:
        text_or_null(json, *(const core_slice *)field);
        break;
    case MEMBER_UNSIGNED:
        core_json_unsigned(json, *(const uint64_t *)field);
        break;
    case MEMBER_TIME:
        core_json_signed(json, *(const int64_t *)field);
        break;
    case MEMBER_BOOL:
        core_json_bool(json, *(const bool *)field);
        break;
    }
}

static void place_write(core_json_writer *json, const char *name, core_slice place) {
    core_json_key_text(json, name);
    if (place.length > 0)
        core_json_raw(json, place);
    else
        core_json_null(json);
}

static void range_write(core_json_writer *json, const core_snapshot_range *range) {
    core_json_object_open(json);
    core_json_key_text(json, "schema");
    core_json_string(json, range->schema);
    core_json_key_text(json, "table");
    core_json_string(json, range->table);
    place_write(json, "after", range->after);
    place_write(json, "up_to", range->up_to);
    place_write(json, "last", range->last);
    place_write(json, "key", range->key);
    core_json_key_text(json, "done");
    core_json_bool(json, range->done);
    core_json_object_close(json);
}

void core_snapshot_encode(const core_snapshot *snapshot, core_buffer *out) {
    core_json_writer json = core_json_writer_make(out);
    core_json_object_open(&json);
    core_json_key_text(&json, "id");
    core_json_text(&json, snapshot->id);
    core_json_key_text(&json, "state");
    core_json_text(&json, core_snapshot_state_name(snapshot->state));
    core_json_key_text(&json, "wanted");
    core_json_text(&json, core_snapshot_wanted_name(snapshot->wanted));
    for (size_t i = 0; i < CORE_COUNT_OF(members); i++)
        member_write(&json, snapshot, &members[i]);
    core_json_key_text(&json, "ranges");
    core_json_array_open(&json);
    for (size_t i = 0; i < snapshot->range_count; i++)
        range_write(&json, &snapshot->ranges[i]);
    core_json_array_close(&json);
    core_json_object_close(&json);
}

void core_snapshot_place_write(core_buffer *out, const core_slice *values, size_t count) {
    core_json_writer json = core_json_writer_make(out);
    core_json_array_open(&json);
    for (size_t i = 0; i < count; i++)
        core_json_string(&json, values[i]);
    core_json_array_close(&json);
}

/* ---- Decode ---- */

static bool text_read(core_json_token token, core_arena *arena, core_slice *text) {
    if (token.kind == CORE_JSON_NULL)
        return true;
    if (token.kind != CORE_JSON_STRING)
        return false;
    core_buffer plain;
    core_buffer_init(&plain, token.raw.length + 1);
    bool ok = core_json_unescape(token.raw, &plain);
    if (ok)
        *text = core_arena_copy(arena, core_buffer_slice(&plain));
    core_buffer_fini(&plain);
    return ok && text->data != NULL;
}

static bool name_read(core_json_token token, const char *const *names, size_t count, int *value) {
    for (size_t i = 0; i < count; i++)
        if (token.kind == CORE_JSON_STRING && core_json_raw_is(token.raw, names[i])) {
            *value = (int)i;
            return true;
        }
    return false;
}

static bool flag_read(core_json_token token, bool *flag) {
    *flag = token.kind == CORE_JSON_TRUE;
    return *flag || token.kind == CORE_JSON_FALSE;
}

static bool member_read(core_json_token token, core_arena *arena, const record_member *member,
                        core_snapshot *snapshot) {
    void *field = (char *)snapshot + member->offset;
    switch (member->kind) {
    case MEMBER_TEXT:
        return text_read(token, arena, field);
    case MEMBER_UNSIGNED:
        return token.kind == CORE_JSON_NUMBER && core_slice_to_u64(token.raw, field);
    case MEMBER_TIME:
        return token.kind == CORE_JSON_NUMBER && core_slice_to_i64(token.raw, field);
    case MEMBER_BOOL:
        return flag_read(token, field);
    }
    return false;
}

/* A place as it stands, brackets included. */
static bool place_take(core_json_reader *reader, core_json_token token, core_arena *arena,
                       core_slice *place) {
    core_slice whole;
    if (token.kind == CORE_JSON_NULL)
        return true;
    if (token.kind != CORE_JSON_ARRAY_OPEN || !core_json_skip(reader, token, &whole))
        return false;
    *place = core_arena_copy(arena, whole);
    return place->data != NULL;
}

static bool range_member_read(core_json_reader *reader, core_json_token token, core_arena *arena,
                              core_snapshot_range *range) {
    core_slice whole;
    if (core_json_raw_is(token.key, "schema"))
        return text_read(token, arena, &range->schema);
    if (core_json_raw_is(token.key, "table"))
        return text_read(token, arena, &range->table);
    if (core_json_raw_is(token.key, "after"))
        return place_take(reader, token, arena, &range->after);
    if (core_json_raw_is(token.key, "up_to"))
        return place_take(reader, token, arena, &range->up_to);
    if (core_json_raw_is(token.key, "last"))
        return place_take(reader, token, arena, &range->last);
    if (core_json_raw_is(token.key, "key"))
        return place_take(reader, token, arena, &range->key);
    if (core_json_raw_is(token.key, "done"))
        return flag_read(token, &range->done);
    return core_json_skip(reader, token, &whole);
}

static bool range_read(core_json_reader *reader, core_arena *arena, core_snapshot_range *range) {
    core_json_token token;
    while (core_json_member_next(reader, &token))
        if (!range_member_read(reader, token, arena, range))
            return false;
    return token.kind == CORE_JSON_OBJECT_CLOSE;
}

/* How many follow in the array; more than the maximum when it is malformed. */
static size_t ranges_count(core_json_reader reader) {
    size_t count = 0;
    core_slice whole;
    for (;;) {
        core_json_token token = core_json_next(&reader);
        if (token.kind == CORE_JSON_ARRAY_CLOSE)
            return count;
        if (!core_json_skip(&reader, token, &whole) || ++count > CORE_SNAPSHOT_RANGES_MAX)
            return CORE_SNAPSHOT_RANGES_MAX + 1;
    }
}

static bool ranges_read(core_json_reader *reader, core_json_token token, core_arena *arena,
                        core_snapshot *snapshot) {
    if (token.kind != CORE_JSON_ARRAY_OPEN || snapshot->ranges != NULL)
        return false;
    size_t count = ranges_count(*reader);
    if (count > CORE_SNAPSHOT_RANGES_MAX)
        return false;
    snapshot->ranges = core_arena_array(arena, count > 0 ? count : 1, sizeof *snapshot->ranges);
    if (snapshot->ranges == NULL)
        return false;
    for (; snapshot->range_count < count; snapshot->range_count++)
        if (core_json_next(reader).kind != CORE_JSON_OBJECT_OPEN ||
            !range_read(reader, arena, &snapshot->ranges[snapshot->range_count]))
            return false;
    return core_json_next(reader).kind == CORE_JSON_ARRAY_CLOSE;
}

/* It becomes a part of subjects and of stream names. */
static bool id_read(core_slice raw, char id[CORE_SNAPSHOT_ID_SIZE]) {
    for (size_t i = 0; i < raw.length; i++)
        if (!((raw.data[i] >= '0' && raw.data[i] <= '9') ||
              (raw.data[i] >= 'a' && raw.data[i] <= 'z')))
            return false;
    return raw.length > 0 && core_slice_to_text(raw, id, CORE_SNAPSHOT_ID_SIZE);
}

static bool top_read(core_json_reader *reader, core_json_token token, core_arena *arena,
                     core_snapshot *snapshot) {
    int value = 0;
    core_slice whole;
    if (core_json_raw_is(token.key, "id"))
        return token.kind == CORE_JSON_STRING && id_read(token.raw, snapshot->id);
    if (core_json_raw_is(token.key, "state")) {
        bool known = name_read(token, state_names, CORE_COUNT_OF(state_names), &value);
        snapshot->state = (core_snapshot_state)value;
        return known;
    }
    if (core_json_raw_is(token.key, "wanted")) {
        bool known = name_read(token, wanted_names, CORE_COUNT_OF(wanted_names), &value);
        snapshot->wanted = (core_snapshot_wanted)value;
        return known;
    }
    if (core_json_raw_is(token.key, "ranges"))
        return ranges_read(reader, token, arena, snapshot);
    for (size_t i = 0; i < CORE_COUNT_OF(members); i++)
        if (core_json_raw_is(token.key, members[i].name))
            return member_read(token, arena, &members[i], snapshot);
    return core_json_skip(reader, token, &whole);
}

bool core_snapshot_decode(core_slice json, core_arena *arena, core_snapshot *snapshot,
                          core_error *error) {
    core_json_reader reader = core_json_reader_make(json);
    *snapshot = (core_snapshot){0};
    core_json_token token;
    bool ok = core_json_next(&reader).kind == CORE_JSON_OBJECT_OPEN;
    while (ok && core_json_member_next(&reader, &token))
        ok = top_read(&reader, token, arena, snapshot);
    ok = ok && core_json_next(&reader).kind == CORE_JSON_END && snapshot->id[0] != '\0' &&
         snapshot->table.length > 0;
    return ok || core_error_set(error, CORE_ERROR_INPUT,
                                "the record of %zu bytes is not a snapshot's", json.length);
}

bool core_snapshot_place_read(core_slice place, core_arena *arena, core_slice *values, size_t max,
                              size_t *count) {
    core_json_reader reader = core_json_reader_make(place);
    *count = 0;
    if (core_json_next(&reader).kind != CORE_JSON_ARRAY_OPEN)
        return false;
    for (;;) {
        core_json_token token = core_json_next(&reader);
        if (token.kind == CORE_JSON_ARRAY_CLOSE)
            return core_json_next(&reader).kind == CORE_JSON_END;
        if (token.kind != CORE_JSON_STRING || *count == max ||
            !text_read(token, arena, &values[*count]))
            return false;
        ++*count;
    }
}
