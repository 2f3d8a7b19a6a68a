/* An event as it was heard from the stream of events, with those of its headers that count, as one
 * run of bytes: so it can wait in an inbox as a change's message does.
 *
 * Written and read by one process only, but read through the cursor. */
#ifndef WALCAST_TRIGGERS_HEARD_H
#define WALCAST_TRIGGERS_HEARD_H

#include "fanout/fanout.h"

typedef struct {
    core_slice subject;
    core_slice source, offset; /* of the headers; empty: none */
    core_slice type;           /* the same: of a type that the subject has not whole */
    int64_t time_us;           /* since 1970: what its writer said, else when it was stored */
    uint16_t depth;
    bool is_cut; /* its content was larger than a message may be, and is not here */
    core_slice payload;
} triggers_heard;

/* What the message is as an event; slices are the message's. */
triggers_heard triggers_heard_of(const fanout_message *message);
void triggers_heard_write(const triggers_heard *heard, core_buffer *out);
/* Slices point into `bytes`. INPUT error. */
CORE_MUST_CHECK bool triggers_heard_read(core_slice bytes, triggers_heard *heard,
                                         core_error *error);

/* The subject's last two tokens, decoded: whose it is and what. Of a type that was shortened by a
 * hash what its header says; without one the token itself. False: it is no event's subject.
 * Appended to the buffers. */
CORE_MUST_CHECK bool triggers_heard_names(const triggers_heard *heard, core_buffer *project,
                                          core_buffer *type);

#endif
