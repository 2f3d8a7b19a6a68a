/* The bytes of WebSocket's client side (RFC 6455), no sockets: the handshake's request, masked
 * frames out, heads of frames in. */
#ifndef WALCAST_BENCH_WS_WIRE_H
#define WALCAST_BENCH_WS_WIRE_H

#include <stddef.h>
#include <stdint.h>

#define BENCH_WS_TEXT     0x81 /* FIN and opcode: a whole text message */
#define BENCH_WS_BINARY   0x82
#define BENCH_WS_PING     0x89
#define BENCH_WS_HEAD_MAX 14 /* the longest head of a frame, its mask included */

/* The request that asks for an upgrade, as text of the returned length; fails when it has no room.
 */
size_t bench_ws_request(char *out, size_t room, const char *target, int port);

/* The head of a client's frame, which must be masked: with a mask of zeros, which leaves the
 * payload as it is (5.3). Returns its size. */
size_t bench_ws_client_head(uint8_t out[BENCH_WS_HEAD_MAX], unsigned kind, size_t length);

/* The head of a server's frame. Returns its size. */
size_t bench_ws_server_head(uint8_t out[BENCH_WS_HEAD_MAX], unsigned kind, size_t length);

typedef struct {
    unsigned kind;    /* FIN and opcode */
    size_t head_size; /* its mask included */
    size_t length;
} bench_ws_head;

/* False while the head has not come whole. A mask is skipped: among these programs it is zeros. */
int bench_ws_head_read(const uint8_t *bytes, size_t size, bench_ws_head *head);

#endif
