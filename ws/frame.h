/* WebSocket frames (RFC 6455 5.2): made once into a shared block, and read from a client. */
#ifndef WALCAST_WS_FRAME_H
#define WALCAST_WS_FRAME_H

#include "ws/limits.h"

typedef enum {
    WS_FRAME_CONTINUATION = 0x0,
    WS_FRAME_TEXT = 0x1,
    WS_FRAME_BINARY = 0x2,
    WS_FRAME_CLOSE = 0x8,
    WS_FRAME_PING = 0x9,
    WS_FRAME_PONG = 0xA,
} ws_frame_opcode;

/* Close codes in use (RFC 6455 7.4.1 and IANA's registry). */
#define WS_CLOSE_NORMAL      1000
#define WS_CLOSE_GOING_AWAY  1001
#define WS_CLOSE_PROTOCOL    1002
#define WS_CLOSE_UNSUPPORTED 1003
#define WS_CLOSE_INVALID     1007
#define WS_CLOSE_POLICY      1008
#define WS_CLOSE_TOO_BIG     1009
#define WS_CLOSE_INTERNAL    1011
#define WS_CLOSE_RESTART     1012
#define WS_CLOSE_TRY_LATER   1013

/* A whole, unmasked frame of the parts in a row. NULL when memory is out. */
CORE_MUST_CHECK core_block *ws_frame_block(ws_frame_opcode opcode, const core_slice *parts,
                                           size_t count);
/* The same with RSV1 set: the part was compressed. */
CORE_MUST_CHECK core_block *ws_frame_compressed_block(ws_frame_opcode opcode, core_slice part);
/* Takes one of our whole, plain text or binary frames apart; false for any other. */
CORE_MUST_CHECK bool ws_frame_plain(core_slice frame, ws_frame_opcode *opcode, core_slice *payload);
/* A close frame; the reason is cut to what fits. */
CORE_MUST_CHECK core_block *ws_frame_close(unsigned code, const char *reason);

typedef struct {
    ws_frame_opcode opcode;
    bool final;
    bool compressed; /* RSV1: the message that begins here is (RFC 7692) */
    uint8_t mask[4];
    size_t header_bytes;
    size_t payload_bytes;
} ws_frame_head;

typedef enum { WS_FRAME_PARTIAL, WS_FRAME_WHOLE, WS_FRAME_REFUSED } ws_frame_result;

/* Reads a client's frame head; WHOLE says nothing about the payload's having come. REFUSED gives a
 * close code and a (static) reason: reserved bits or opcodes, no mask, a control frame that is long
 * or fragmented, a payload over `max_bytes`. `deflate`: the first frame of a message may say that
 * it is compressed. */
CORE_MUST_CHECK ws_frame_result ws_frame_read(core_slice bytes, size_t max_bytes, bool deflate,
                                              ws_frame_head *head, unsigned *code,
                                              const char **reason);
/* Undoes the mask in place. */
void ws_frame_unmask(const ws_frame_head *head, uint8_t *payload);
/* A close code that an endpoint may send (RFC 6455 7.4). */
bool ws_close_code_valid(unsigned code);

#endif
