/* A WebSocket over a link in memory: messages at every split, the closing handshake, slow peers. */
#include "tests/unit/ws/fake_link.h"
#include "ws/socket.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

typedef struct {
    ws_service service;
    fake_socket link;
    ws_socket *socket;
    core_buffer messages; /* each followed by '|' */
    unsigned closing, gone, binary;
} fixture;

static void on_message(void *context, bool binary, core_slice payload) {
    fixture *f = context;
    f->binary += binary;
    core_buffer_slice_append(&f->messages, payload);
    core_buffer_u8(&f->messages, '|');
}

static void on_deadline(void *context, int64_t now_ms) {
    (void)now_ms;
    ws_socket_close(((fixture *)context)->socket, WS_CLOSE_GOING_AWAY, "idle");
}

static void on_closing(void *context) {
    ((fixture *)context)->closing++;
}

static void on_gone(void *context) {
    ((fixture *)context)->gone++;
}

static const ws_socket_owner owner = {.on_message = on_message,
                                      .on_deadline = on_deadline,
                                      .on_closing = on_closing,
                                      .on_gone = on_gone};

static size_t no_bytes(ws_connection *connection, uint8_t *bytes, size_t length) {
    (void)connection;
    (void)bytes;
    return length;
}
static const ws_handler nobody = {.on_bytes = no_bytes};

static int setup(void **state) {
    fixture *f = calloc(1, sizeof *f);
    fake_service_init(&f->service, 1000);
    fake_socket_init(&f->link);
    core_buffer_init(&f->messages, 1 << 20);
    f->link.connection = ws_connection_new(&f->service, &fake_link, &f->link, &nobody, NULL);
    f->socket = ws_socket_new(f->link.connection, &owner, f);
    *state = f;
    return f->socket == NULL;
}

static int teardown(void **state) {
    fixture *f = *state;
    fake_service_fini(&f->service);
    core_buffer_fini(&f->link.sent);
    core_buffer_fini(&f->messages);
    bool ok = f->closing == 1 && f->gone == 1;
    free(f);
    return !ok;
}

/* A masked frame appended to `out`. */
static void frame(core_buffer *out, uint8_t first, const char *payload, size_t length) {
    static const uint8_t mask[4] = {9, 8, 7, 6};
    core_buffer_u8(out, first);
    if (length < 126) {
        core_buffer_u8(out, (uint8_t)(0x80 | length));
    } else {
        core_buffer_u8(out, 0x80 | 126);
        core_buffer_u16(out, (uint16_t)length);
    }
    core_buffer_append(out, mask, sizeof mask);
    for (size_t i = 0; i < length; i++)
        core_buffer_u8(out, (uint8_t)payload[i] ^ mask[i & 3]);
}

static void receive(fixture *f, uint8_t first, const char *payload) {
    core_buffer bytes;
    core_buffer_init(&bytes, 1 << 20);
    frame(&bytes, first, payload, strlen(payload));
    fake_receive(&f->link, bytes.data, bytes.length);
    core_buffer_fini(&bytes);
}

static void assert_sent_close(const fixture *f, unsigned code) {
    const core_buffer *sent = &f->link.sent;
    assert_in_range(sent->length, 4, 200);
    assert_int_equal(sent->data[0], 0x88);
    assert_int_equal(sent->data[2] << 8 | sent->data[3], code);
}

static void test_messages_at_every_split(void **state) {
    fixture *f = *state;
    core_buffer bytes;
    core_buffer_init(&bytes, 1 << 16);
    static char large[300];
    memset(large, 'L', sizeof large - 1);
    frame(&bytes, 0x81, "one", 3);
    frame(&bytes, 0x01, "t", 1);
    frame(&bytes, 0x89, "p", 1);
    frame(&bytes, 0x00, "w", 1);
    frame(&bytes, 0x80, "o", 1);
    frame(&bytes, 0x82, large, sizeof large - 1);
    for (size_t step = 1; step <= bytes.length; step += step < 8 ? 1 : 29) {
        core_buffer_reset(&f->messages);
        core_buffer_reset(&f->link.sent);
        for (size_t at = 0; at < bytes.length; at += step)
            fake_receive(&f->link, bytes.data + at,
                         step < bytes.length - at ? step : bytes.length - at);
        assert_int_equal(f->messages.length, 4 + 4 + sizeof large);
        assert_memory_equal(f->messages.data, "one|two|LLL", 11);
        assert_int_equal(f->link.sent.length, 3);
        assert_memory_equal(f->link.sent.data, "\x8A\x01p", 3);
    }
    core_buffer_fini(&bytes);
}

static void test_the_peer_closes(void **state) {
    fixture *f = *state;
    receive(f, 0x88,
            "\x0F\xA0"
            "bye");
    assert_sent_close(f, 4000);
    assert_int_equal(f->link.sent.length, 4);
    assert_true(f->link.half_closed);
    assert_false(ws_socket_open(f->socket));
    receive(f, 0x81, "late");
    assert_int_equal(f->messages.length, 0);
}

static void test_we_close(void **state) {
    fixture *f = *state;
    ws_socket_close(f->socket, WS_CLOSE_RESTART, "restart");
    ws_service_flush(&f->service);
    assert_sent_close(f, 1012);
    assert_false(f->link.half_closed); /* the peer's close frame is waited for */
    receive(f, 0x81, "ignored");
    receive(f, 0x88, "\x03\xF4");
    assert_true(f->link.half_closed);
    assert_int_equal(f->messages.length, 0);
    f->service.now_ms += 2 * WS_LINGER_MS;
}

static void test_a_peer_that_does_not_answer_the_close_is_cut(void **state) {
    fixture *f = *state;
    ws_socket_close(f->socket, WS_CLOSE_RESTART, "restart");
    ws_connection_expired(f->link.connection, f->service.now_ms + WS_LINGER_MS);
    assert_true(f->link.killed);
}

static void test_refusals(void **state) {
    fixture *f = *state;
    receive(f, 0x81, "\xC3\x28");
    assert_sent_close(f, WS_CLOSE_INVALID);
}

static void test_after_a_bad_frame_nothing_is_read(void **state) {
    fixture *f = *state;
    fake_receive(&f->link, "\x83\x80\x00\x00\x00\x00\x81\x80\x00\x00\x00\x00", 12);
    assert_sent_close(f, WS_CLOSE_PROTOCOL);
    assert_true(f->link.half_closed);
    assert_int_equal(f->messages.length, 0);
}

static core_block *text_frame(size_t length) {
    static char text[2000];
    memset(text, 'x', sizeof text);
    core_slice part = core_slice_make(text, length);
    return ws_frame_block(WS_FRAME_TEXT, &part, 1);
}

static void test_a_slow_peer_is_told_and_closed(void **state) {
    fixture *f = *state;
    f->link.full = true;
    core_block *block = text_frame(300);
    for (int i = 0; i < 3; i++)
        ws_socket_send(f->socket, block);
    assert_true(ws_socket_open(f->socket));
    assert_int_equal(f->link.connection->queue.count, 3);
    ws_socket_send(f->socket, block); /* past the 1,000 bytes */
    assert_false(ws_socket_open(f->socket));
    assert_int_equal(f->link.connection->queue.count, 1); /* the close frame alone */
    assert_int_equal(atomic_load(&block->references), 1);
    core_block_release(block);
    ws_service_flush(&f->service);
    assert_true(f->link.wants_writable);
    f->link.full = false;
    ws_connection_writable(f->link.connection);
    assert_sent_close(f, WS_CLOSE_TRY_LATER);
    assert_non_null(memmem(f->link.sent.data, f->link.sent.length, "too slow", 8));
}

static void test_writes_are_gathered(void **state) {
    fixture *f = *state;
    f->link.full = true;
    core_block *block = text_frame(10);
    for (int i = 0; i < 20; i++)
        ws_socket_send(f->socket, block);
    ws_service_flush(&f->service);
    assert_int_equal(f->link.sent.length, 0);
    f->link.full = false;
    ws_connection_writable(f->link.connection);
    assert_int_equal(f->link.sent.length, 20 * 12);
    assert_true(ws_queue_empty(&f->link.connection->queue));
    core_block_release(block);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_messages_at_every_split, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_peer_closes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_we_close, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_peer_that_does_not_answer_the_close_is_cut, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_after_a_bad_frame_nothing_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_slow_peer_is_told_and_closed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_writes_are_gathered, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
