/* See round.h. */
#include "triggers/round.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROUND_VERSION = 1, ID_BYTES = 8, KEY_MAX = 32, HEAD_MAX = 64 };
#define ROUND_MAX_BYTES ((size_t)TRIGGERS_ROUND_MEMBERS_MAX * ID_BYTES + HEAD_MAX)

void triggers_round_fini(triggers_round *round) {
    free(round->members);
    *round = (triggers_round){.number = 0};
}

void triggers_round_write(const triggers_round *round, core_buffer *out) {
    size_t length = strlen(round->from.epoch);
    core_buffer_u8(out, ROUND_VERSION);
    core_buffer_u32(out, round->number);
    core_buffer_u8(out, (uint8_t)length);
    core_buffer_append(out, round->from.epoch, length);
    core_buffer_u64(out, round->from.sequence);
    core_buffer_u32(out, round->from.index);
    for (size_t i = 0; i < round->count; i++)
        core_buffer_u64(out, round->members[i]);
}

static bool members_read(core_cursor *cursor, triggers_round *round) {
    size_t count = core_cursor_left(cursor) / ID_BYTES;
    if (count > TRIGGERS_ROUND_MEMBERS_MAX || core_cursor_left(cursor) % ID_BYTES != 0)
        return false;
    round->members = calloc(count + 1, sizeof *round->members);
    for (; round->members != NULL && round->count < count; round->count++)
        round->members[round->count] = core_cursor_u64(cursor);
    return round->members != NULL;
}

bool triggers_round_read(core_slice bytes, triggers_round *round, core_error *error) {
    core_cursor cursor = core_cursor_make(bytes);
    *round = (triggers_round){.number = 0};
    unsigned version = core_cursor_u8(&cursor);
    round->number = core_cursor_u32(&cursor);
    core_slice epoch = core_cursor_bytes(&cursor, core_cursor_u8(&cursor));
    if (!core_slice_to_text(epoch, round->from.epoch, sizeof round->from.epoch))
        core_cursor_fail(&cursor);
    round->from.sequence = core_cursor_u64(&cursor);
    round->from.index = core_cursor_u32(&cursor);
    if (core_cursor_ok(&cursor) && version == ROUND_VERSION && members_read(&cursor, round))
        return true;
    triggers_round_fini(round);
    return core_error_set(error, CORE_ERROR_INPUT,
                          "not a history's record that this version of walcast knows");
}

/* ---- kept ---- */

static void round_key(triggers_input input, char key[KEY_MAX]) {
    (void)snprintf(key, KEY_MAX, "triggers.round.%u", (unsigned)input);
}

bool triggers_round_load(triggers_round *round, triggers_input input, fanout_bucket *bucket,
                         core_error *error) {
    char key[KEY_MAX];
    uint64_t revision = 0;
    core_buffer value;
    core_buffer_init(&value, ROUND_MAX_BYTES);
    triggers_round_fini(round);
    round_key(input, key);
    bool ok = fanout_bucket_get(bucket, key, &value, &revision, error) &&
              (revision == 0 || triggers_round_read(core_buffer_slice(&value), round, error));
    round->revision = revision;
    core_buffer_fini(&value);
    return ok;
}

bool triggers_round_store(triggers_round *round, triggers_input input, fanout_bucket *bucket,
                          core_error *error) {
    char key[KEY_MAX];
    core_buffer value;
    core_buffer_init(&value, ROUND_MAX_BYTES);
    round_key(input, key);
    triggers_round_write(round, &value);
    bool ok = core_buffer_ok(&value)
                  ? fanout_bucket_set(bucket, key, core_buffer_slice(&value), round->revision,
                                      &round->revision, error)
                  : core_error_set(error, CORE_ERROR_INTERNAL, "no memory for a history's record");
    core_buffer_fini(&value);
    return ok;
}
