/* A realtime client that costs next to nothing, so that what it measures is the server.
 *
 *   bench_ws_client PORT TOKEN SCHEMA TABLE COUNT
 *
 * Connects to 127.0.0.1:PORT as supabase-js does (vsn 2.0.0, text frames), joins one channel with a
 * postgres_changes binding for the table, prints `ready` when the server says that changes flow,
 * reads until rows 1 to COUNT have come, then prints `id received_us` lines. All frames that one
 * recv() brought have its time. The id is the record's first column. Fails after TIMEOUT_S of
 * silence, on a refused handshake or join, and on any frame of a kind that it does not expect. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "bench/load/samples.h"

#define TIMEOUT_S   30
#define BUFFER_SIZE (1 << 20)
#define TEXT_MAX    8192
#define WHOLE_TEXT  0x81 /* FIN and opcode of an unfragmented text frame */

typedef struct {
    int socket;
    size_t size;         /* bytes in the buffer not yet taken */
    int64_t received_us; /* when the last of them came */
    char bytes[BUFFER_SIZE];
} ws_input;

static void send_all(int fd, const char *bytes, size_t size) {
    while (size > 0) {
        ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
        if (sent <= 0)
            bench_fail("cannot send to the server: %m");
        bytes += sent;
        size -= (size_t)sent;
    }
}

static void input_fill(ws_input *input) {
    ssize_t got = recv(input->socket, input->bytes + input->size, BUFFER_SIZE - input->size, 0);
    input->received_us = bench_now_us();
    if (got < 0)
        bench_fail("nothing from the server for %d s, or: %m", TIMEOUT_S);
    if (got == 0)
        bench_fail("the server closed the connection");
    input->size += (size_t)got;
}

static void input_take(ws_input *input, size_t size) {
    input->size -= size;
    memmove(input->bytes, input->bytes + size, input->size);
}

static void server_connect(ws_input *input, int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct timeval timeout = {.tv_sec = TIMEOUT_S};
    int on = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    input->socket = socket(AF_INET, SOCK_STREAM, 0);
    if (input->socket < 0 ||
        setsockopt(input->socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) != 0 ||
        setsockopt(input->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        connect(input->socket, (struct sockaddr *)&address, sizeof address) != 0)
        bench_fail("cannot connect to 127.0.0.1:%d: %m", port);
}

static void handshake(ws_input *input, int port, const char *token) {
    char request[TEXT_MAX];
    int length = snprintf(request, sizeof request,
                          "GET /realtime/v1/websocket?apikey=%s&vsn=2.0.0 HTTP/1.1\r\n"
                          "Host: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          "Sec-WebSocket-Key: d2FsY2FzdC1iZW5jaC0xMg==\r\n"
                          "Sec-WebSocket-Version: 13\r\n\r\n",
                          token, port);
    if (length < 0 || (size_t)length >= sizeof request)
        bench_fail("the token does not fit");
    send_all(input->socket, request, (size_t)length);
    const char *end;
    while ((end = memmem(input->bytes, input->size, "\r\n\r\n", 4)) == NULL)
        input_fill(input);
    if (memmem(input->bytes, input->size, " 101 ", 5) == NULL)
        bench_fail("handshake refused: %.*s", (int)input->size, input->bytes);
    input_take(input, (size_t)(end + 4 - input->bytes));
}

/* Client frames must be masked; a mask of zeros leaves the text as it is (RFC 6455, 5.3). */
static void text_send(int fd, const char *text, size_t size) {
    unsigned char head[8] = {WHOLE_TEXT, 0x80 | 126, (unsigned char)(size >> 8),
                             (unsigned char)size};
    if (size < 126 || size > 65535)
        bench_fail("a join of %zu bytes", size);
    send_all(fd, (const char *)head, sizeof head);
    send_all(fd, text, size);
}

static void join_send(int fd, const char *schema, const char *table, const char *token) {
    char text[TEXT_MAX];
    int length = snprintf(
        text, sizeof text,
        "[\"1\",\"1\",\"realtime:bench\",\"phx_join\",{\"config\":{\"broadcast\":{\"ack\":false,"
        "\"self\":false},\"presence\":{\"key\":\"\",\"enabled\":false},\"postgres_changes\":[{"
        "\"event\":\"INSERT\",\"schema\":\"%s\",\"table\":\"%s\"}],\"private\":false},"
        "\"access_token\":\"%s\"}]",
        schema, table, token);
    if (length < 0 || (size_t)length >= sizeof text)
        bench_fail("the join does not fit");
    text_send(fd, text, (size_t)length);
}

/* The head of a server's frame (RFC 6455, 5.2): kind, and the payload's length, unmasked. */
typedef struct {
    unsigned char kind; /* FIN and opcode */
    size_t head_size;
    size_t length;
} ws_head;

/* 0 while the head has not come whole. */
static int head_read(const ws_input *input, ws_head *head) {
    const unsigned char *bytes = (const unsigned char *)input->bytes;
    if (input->size < 2)
        return 0;
    size_t extra = 0, length = bytes[1] & 0x7F;
    if (length >= 126)
        extra = length == 126 ? 2 : 8;
    if (input->size < 2 + extra)
        return 0;
    if (extra > 0)
        length = 0;
    for (size_t at = 0; at < extra; at++)
        length = length << 8 | bytes[2 + at];
    *head = (ws_head){.kind = bytes[0], .head_size = 2 + extra, .length = length};
    return 1;
}

/* The next whole frame's payload in `input`, waiting for it. `taken` bytes must be taken after use.
 */
static const char *frame_next(ws_input *input, size_t *size, size_t *taken) {
    ws_head head;
    while (!head_read(input, &head) || input->size - head.head_size < head.length) {
        if (input->size == BUFFER_SIZE)
            bench_fail("a frame of more than %d bytes", BUFFER_SIZE);
        input_fill(input);
    }
    if (head.kind != WHOLE_TEXT)
        bench_fail("a frame of kind %#x, expected whole text frames", head.kind);
    *size = head.length;
    *taken = head.head_size + head.length;
    return input->bytes + head.head_size;
}

static int holds(const char *text, size_t size, const char *part) {
    return memmem(text, size, part, strlen(part)) != NULL;
}

static void wait_subscribed(ws_input *input) {
    for (int live = 0; !live;) {
        size_t size, taken;
        const char *text = frame_next(input, &size, &taken);
        if (holds(text, size, "\"status\":\"error\""))
            bench_fail("join refused: %.*s", (int)size, text);
        live = holds(text, size, "\"system\"") && holds(text, size, "Subscribed to PostgreSQL");
        input_take(input, taken);
    }
    printf("ready\n");
    fflush(stdout);
}

static void changes_read(ws_input *input, bench_arrivals *arrivals) {
    for (size_t missing = arrivals->capacity; missing > 0;) {
        size_t size, taken;
        int64_t id;
        const char *text = frame_next(input, &size, &taken);
        if (!bench_number_after(text, size, "\"record\":{\"id\":", &id))
            bench_fail("unexpected frame: %.*s", (int)size, text);
        missing = bench_arrivals_add(arrivals, id, input->received_us);
        input_take(input, taken);
    }
}

int main(int argc, char **argv) {
    static ws_input input;
    if (argc != 6)
        bench_fail("usage: bench_ws_client PORT TOKEN SCHEMA TABLE COUNT");
    int port = (int)bench_number("PORT", argv[1], 1, 65535);
    bench_arrivals arrivals;
    bench_arrivals_init(&arrivals, (size_t)bench_number("COUNT", argv[5], 1, 10000000));
    server_connect(&input, port);
    handshake(&input, port, argv[2]);
    join_send(input.socket, argv[3], argv[4], argv[2]);
    wait_subscribed(&input);
    changes_read(&input, &arrivals);
    close(input.socket);
    bench_arrivals_finish(&arrivals);
    return 0;
}
