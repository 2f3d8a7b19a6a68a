/* What gateways tell one another about presence, in bytes: writer and reader side by side.
 *
 *   u8 'P', u8 version (1), u8 kind, u8 + node, u64 boot, then by kind
 *   heartbeat  u64 version, u64 digest
 *   delta      u64 version before, u32 count, ops
 *   state      u64 version, u64 digest, u16 part, u16 parts, u32 count, ops (all add)
 *   ask        u8 + target node (empty: everybody says how he stands)
 *   goodbye    nothing
 *   op         u8 1 (add), u64 ref, u64 previous ref or 0, u16 + topic, u8 + key, u32 + payload
 *              u8 2 (remove), u64 ref
 *              u8 3 (add to the topic's private room), as 1
 *
 * Numbers are big-endian. A delta's ops each raise the version by one, and an add's ref is the
 * version that it makes; its previous ref is removed with it. */
#ifndef WALCAST_WS_PRESENCE_WIRE_H
#define WALCAST_WS_PRESENCE_WIRE_H

#include "ws/home.h"
#include "ws/presence.h"

#define PRESENCE_PARTS_MAX 4096
/* What a message takes besides its ops, at the most. */
#define PRESENCE_HEAD_BYTES (3 + 1 + WS_PRESENCE_NODE_MAX + 8 + 8 + 8 + 2 + 2 + 4)

typedef enum {
    PRESENCE_HEARTBEAT = 1,
    PRESENCE_DELTA,
    PRESENCE_STATE,
    PRESENCE_ASK,
    PRESENCE_GOODBYE,
} presence_kind;

typedef struct {
    presence_kind kind;
    core_slice node;
    uint64_t boot;
    uint64_t version; /* a delta's: before its first op */
    uint64_t digest;
    core_slice target;
    uint16_t part;
    uint16_t parts;
    uint32_t count;
    core_slice ops;
} presence_message;

typedef struct {
    bool removes;
    uint64_t ref;
    uint64_t previous;
    core_slice topic;
    bool private_channel;
    core_slice key;
    core_slice payload; /* a JSON object without white space at its ends or before its first name */
} presence_op;

size_t presence_op_bytes(const presence_op *op);
void presence_op_write(const presence_op *op, core_buffer *out);
void presence_message_write(const presence_message *message, core_buffer *out);
/* Slices point into `bytes`. False unless all of it, each op included, is as it must be. */
CORE_MUST_CHECK bool presence_message_read(core_slice bytes, presence_message *message);
/* The next op of a message that was read. */
CORE_MUST_CHECK bool presence_op_next(core_cursor *cursor, presence_op *op);

/* A client's payload as it goes round: the object's members one after another, without any that is
 * called phx_ref or phx_ref_prev, which are ours. False when it is no JSON object in UTF-8, or
 * `out` is full. */
CORE_MUST_CHECK bool presence_payload_make(core_slice payload, core_buffer *out);

#endif
