/* A reader: older history than the hub's tail holds, read from the stream for all who resume there.
 *
 * Three threads meet in it. The hub wants it from a sequence, takes its messages, and lets it go.
 * The gateway's thread opens a consumer when it is wanted and closes it when it was let go. The
 * consumer's thread puts the messages in, and waits while the ring is full: the stream holds the
 * rest. Each step is one move of the state, by the one thread whose turn it is. */
#ifndef WALCAST_WS_HUB_READER_H
#define WALCAST_WS_HUB_READER_H

#include "core/core.h"

#include <stdatomic.h>

typedef enum {
    HUB_READER_IDLE,   /* the hub's turn */
    HUB_READER_WANTED, /* the gateway's */
    HUB_READER_OPEN,   /* the consumer runs; the hub's turn */
    HUB_READER_LOST,   /* that history is not held, or cannot be read; the hub's turn */
    HUB_READER_LET_GO, /* the gateway's */
} hub_reader_state;

/* A message of history; payload NULL: only its place. */
typedef struct {
    core_block *payload;
    uint64_t sequence;
    bool last; /* nothing was behind it in the stream when it was read */
} hub_reader_message;

typedef struct {
    atomic_int state;
    uint64_t from; /* the first sequence, set before WANTED */
    core_ring *messages;
    atomic_size_t bytes; /* waiting in the ring */
    atomic_bool stop;    /* the consumer's thread shall not wait */
    core_assembly assembly;
} hub_reader;

CORE_MUST_CHECK bool hub_reader_init(hub_reader *reader, size_t max_row_bytes, core_error *error);
/* No consumer may run any more. */
void hub_reader_fini(hub_reader *reader);

/* ---- The hub's thread ---- */
static inline hub_reader_state hub_reader_stands(hub_reader *reader) {
    return (hub_reader_state)atomic_load(&reader->state);
}
void hub_reader_want(hub_reader *reader, uint64_t from);
/* False: none waits. The payload's reference is the caller's. */
CORE_MUST_CHECK bool hub_reader_take(hub_reader *reader, hub_reader_message *message);
/* From any state of its turn, and from WANTED. */
void hub_reader_let_go(hub_reader *reader);

/* ---- The gateway's thread ---- */
/* After a consumer was made, or not. Nothing, when the hub let it go meanwhile. */
void hub_reader_opened(hub_reader *reader, bool held);
/* Once its consumer is freed. */
void hub_reader_closed(hub_reader *reader);

/* ---- The consumer's thread ---- */
void hub_reader_feed(hub_reader *reader, core_slice payload, uint64_t sequence, bool last);
/* The place was lost in the midst. */
void hub_reader_feed_lost(hub_reader *reader);

#endif
