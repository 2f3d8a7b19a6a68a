/* Where the matcher stands in its inputs: what each task carries, so that the last one in the
 * stream of tasks says exactly where the next matcher goes on.
 *
 * Inputs are alike: a stream that is read in order, message by message, and a place in it. Two are
 * live (changes, events); the others read what is past for triggers that begin there, and are idle
 * else. One message of one input is done wholly before another is taken, so of all places only the
 * one of `input` may be in the middle of its message. */
#ifndef WALCAST_TRIGGERS_POSITION_H
#define WALCAST_TRIGGERS_POSITION_H

#include "core/core.h"

typedef enum {
    TRIGGERS_INPUT_CHANGES,
    TRIGGERS_INPUT_EVENTS,
    TRIGGERS_INPUT_CHANGES_NEAR, /* histories: short ones, so that these wait for no long one */
    TRIGGERS_INPUT_EVENTS_NEAR,
    TRIGGERS_INPUT_CHANGES_FAR,
    TRIGGERS_INPUT_EVENTS_FAR,
    TRIGGERS_INPUTS,
} triggers_input;

/* Encoded, at most. */
#define TRIGGERS_POSITION_MAX 1024

typedef struct {
    core_offset at; /* the last change or event that was taken; its epoch empty: none. An event's
                       epoch is its stream's (event_view.h), its index 0 */
    core_lsn lsn;   /* of a change, for streams that were made anew: its commit, */
    uint64_t index; /* and its index within the transaction */
    uint32_t chain_xid;   /* the transaction that said last how deep it is; 0: none */
    uint16_t chain_depth; /* what it said */
    uint32_t round;       /* of a history: which one; 0: none was begun */
} triggers_place;

typedef struct {
    uint64_t turn; /* messages that were ever taken: of two positions the greater one is the later;
                      0: nothing was taken */
    triggers_input input; /* whose message was taken last */
    triggers_place places[TRIGGERS_INPUTS];
} triggers_position;

/* Appended to `out`; a place that says nothing costs nothing. */
void triggers_position_write(const triggers_position *position, core_buffer *out);
/* Fails the cursor where there is none. */
void triggers_position_read(core_cursor *cursor, triggers_position *position);
bool triggers_position_equal(const triggers_position *a, const triggers_position *b);

#endif
