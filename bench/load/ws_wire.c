/* See ws_wire.h. */
#include "bench/load/ws_wire.h"

#include <stdio.h>

#include "bench/load/samples.h"

#define MASKED 0x80
#define MASK   4

size_t bench_ws_request(char *out, size_t room, const char *target, int port) {
    int length = snprintf(out, room,
                          "GET %s HTTP/1.1\r\n"
                          "Host: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          "Sec-WebSocket-Key: d2FsY2FzdC1iZW5jaC0xMg==\r\n"
                          "Sec-WebSocket-Version: 13\r\n\r\n",
                          target, port);
    if (length < 0 || (size_t)length >= room)
        bench_fail("a request of %d bytes, expected less than %zu", length, room);
    return (size_t)length;
}

size_t bench_ws_server_head(uint8_t out[BENCH_WS_HEAD_MAX], unsigned kind, size_t length) {
    size_t extra = length < 126 ? 0 : length <= UINT16_MAX ? 2 : 8;
    out[0] = (uint8_t)kind;
    out[1] = (uint8_t)(extra == 0 ? length : extra == 2 ? 126 : 127);
    for (size_t at = 0; at < extra; at++)
        out[2 + at] = (uint8_t)(length >> 8 * (extra - 1 - at));
    return 2 + extra;
}

size_t bench_ws_client_head(uint8_t out[BENCH_WS_HEAD_MAX], unsigned kind, size_t length) {
    size_t size = bench_ws_server_head(out, kind, length);
    out[1] |= MASKED;
    for (size_t at = 0; at < MASK; at++)
        out[size++] = 0;
    return size;
}

int bench_ws_head_read(const uint8_t *bytes, size_t size, bench_ws_head *head) {
    if (size < 2)
        return 0;
    size_t length = bytes[1] & 0x7F;
    size_t extra = length < 126 ? 0 : length == 126 ? 2 : 8;
    size_t head_size = 2 + extra + (bytes[1] & MASKED ? MASK : 0);
    if (size < head_size)
        return 0;
    if (extra > 0)
        length = 0;
    for (size_t at = 0; at < extra; at++)
        length = length << 8 | bytes[2 + at];
    *head = (bench_ws_head){.kind = bytes[0], .head_size = head_size, .length = length};
    return 1;
}
