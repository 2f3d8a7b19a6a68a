/* A position's wire form: a bit for each place that says something, then those; see position.h. */
#include "triggers/position.h"

/* ---- written ---- */

static bool place_is_known(const triggers_place *place) {
    return place->at.epoch[0] != '\0' || place->chain_xid != 0 || place->round != 0;
}

static void place_write(core_buffer *out, const triggers_place *place) {
    size_t length = strlen(place->at.epoch);
    core_buffer_u8(out, (uint8_t)length);
    core_buffer_append(out, place->at.epoch, length);
    core_buffer_u64(out, place->at.sequence);
    core_buffer_u32(out, place->at.index);
    core_buffer_u64(out, place->lsn);
    core_buffer_u64(out, place->index);
    core_buffer_u32(out, place->chain_xid);
    core_buffer_u16(out, place->chain_depth);
    core_buffer_u32(out, place->round);
}

void triggers_position_write(const triggers_position *position, core_buffer *out) {
    uint8_t known = 0;
    for (size_t i = 0; i < TRIGGERS_INPUTS; i++)
        if (place_is_known(&position->places[i]))
            known |= (uint8_t)(1u << i);
    core_buffer_u64(out, position->turn);
    core_buffer_u8(out, (uint8_t)position->input);
    core_buffer_u8(out, known);
    for (size_t i = 0; i < TRIGGERS_INPUTS; i++)
        if ((known & 1u << i) != 0)
            place_write(out, &position->places[i]);
}

/* ---- read ---- */

static void place_read(core_cursor *cursor, triggers_place *place) {
    size_t length = core_cursor_u8(cursor);
    core_slice epoch = core_cursor_bytes(cursor, length < CORE_EPOCH_TEXT_SIZE ? length : 0);
    if (length >= CORE_EPOCH_TEXT_SIZE ||
        !core_slice_to_text(epoch, place->at.epoch, sizeof place->at.epoch))
        core_cursor_fail(cursor);
    place->at.sequence = core_cursor_u64(cursor);
    place->at.index = core_cursor_u32(cursor);
    place->lsn = core_cursor_u64(cursor);
    place->index = core_cursor_u64(cursor);
    place->chain_xid = core_cursor_u32(cursor);
    place->chain_depth = core_cursor_u16(cursor);
    place->round = core_cursor_u32(cursor);
    if (!place_is_known(place))
        core_cursor_fail(cursor); /* one position has one form */
}

void triggers_position_read(core_cursor *cursor, triggers_position *position) {
    *position = (triggers_position){.turn = core_cursor_u64(cursor)};
    unsigned input = core_cursor_u8(cursor), known = core_cursor_u8(cursor);
    if (input >= TRIGGERS_INPUTS || known >= 1u << TRIGGERS_INPUTS) {
        core_cursor_fail(cursor);
        return;
    }
    position->input = (triggers_input)input;
    for (size_t i = 0; i < TRIGGERS_INPUTS; i++)
        if ((known & 1u << i) != 0)
            place_read(cursor, &position->places[i]);
}

/* ---- compared ---- */

static bool place_equal(const triggers_place *a, const triggers_place *b) {
    return strcmp(a->at.epoch, b->at.epoch) == 0 && a->at.sequence == b->at.sequence &&
           a->at.index == b->at.index && a->lsn == b->lsn && a->index == b->index &&
           a->chain_xid == b->chain_xid && a->chain_depth == b->chain_depth && a->round == b->round;
}

bool triggers_position_equal(const triggers_position *a, const triggers_position *b) {
    for (size_t i = 0; i < TRIGGERS_INPUTS; i++)
        if (!place_equal(&a->places[i], &b->places[i]))
            return false;
    return a->turn == b->turn && a->input == b->input;
}
