/* A broadcast as gateways hand it to one another and as the stream of stored ones keeps it: a small
 * binary envelope around the payload.
 *
 *   u8 'W', u8 version (1), u8 flags (1: private, 2: pushed), u8 encoding, u8 origin, u64 time (us
 * since 1970), u64 when it expires (the same, 0: never), 16 bytes of id, u8 + environment, u8 +
 * node, u16 + channel, u8 + event, the payload to the end
 *
 * Numbers are big-endian. The subject may have cut the channel's name and has no environment where
 * it is stored, so both are here, and a receiver compares them. */
#ifndef WALCAST_CORE_REALTIME_MESSAGE_H
#define WALCAST_CORE_REALTIME_MESSAGE_H

#include "core/buffer.h"
#include "core/error.h"
#include "core/tenant.h"

#define CORE_REALTIME_ID_BYTES    16
#define CORE_REALTIME_ID_SIZE     37 /* a UUID and NUL */
#define CORE_REALTIME_NAME_MAX    64 /* an environment's and a node's */
#define CORE_REALTIME_CHANNEL_MAX 1024
#define CORE_REALTIME_EVENT_MAX   255

typedef enum { CORE_REALTIME_BYTES = 0, CORE_REALTIME_JSON = 1 } core_realtime_encoding;

typedef enum {
    CORE_REALTIME_SOCKET = 0,
    CORE_REALTIME_REST = 1,
    CORE_REALTIME_DATABASE = 2,
} core_realtime_origin;

typedef struct {
    core_slice environment;
    core_slice node;    /* the gateway that sent it */
    core_slice channel; /* the topic without its "realtime:" */
    core_slice event;
    core_slice payload;             /* JSON: one valid value */
    char id[CORE_REALTIME_ID_SIZE]; /* in lower case; "": none */
    int64_t time_us;
    int64_t
        expires_us; /* since 1970: when it is no longer to be replayed; 0: as long as it is held */
    core_realtime_encoding encoding;
    core_realtime_origin origin;
    bool is_private;
    bool pushed;                /* it came as a binary push, so binary readers get one */
    core_slice project, schema; /* from SQL only: whose it is, see _tenant */
} core_realtime_message;

/* Appends to `out`. False when the id is no UUID, a name is longer than it may be
 * (CORE_REALTIME_NAME_MAX, CORE_REALTIME_CHANNEL_MAX, CORE_REALTIME_EVENT_MAX) or `out` is full. */
CORE_MUST_CHECK bool core_realtime_message_write(const core_realtime_message *message,
                                                 core_buffer *out);
/* Slices point into `bytes`. False when it is not a message of this version whose JSON, names in
 * UTF-8 included, can go into a frame as it is. */
CORE_MUST_CHECK bool core_realtime_message_read(core_slice bytes, core_realtime_message *message);

/* ---- From SQL ----
 * A broadcast that realtime.send (cli/setup.sql) put into the WAL: a logical message of this
 * prefix, with the content {"id": uuid, "topic": text, "event": text, "private": boolean,
 * "payload": any}, and where schemas are tenants' perhaps "schema", which says whose it is, or
 * "project". */
#define CORE_REALTIME_PREFIX "realtime.broadcast"

/* Slices point into `content` or `texts`, which is reset. INPUT error when it is none. */
CORE_MUST_CHECK bool core_realtime_message_from_sql(core_slice content, core_buffer *texts,
                                                    core_realtime_message *message,
                                                    core_error *error);

/* The tenant in whose channel such a message is said; empty: in the source's own project's. */
core_slice core_realtime_message_tenant(const core_realtime_message *message,
                                        const core_tenants *tenants);

#endif
