/* Streams of events over a link in memory: their head, beats, slow clients, ends. */
#include "tests/unit/ws/fake_link.h"
#include "ws/http_stream.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define QUEUE_BYTES 1000

typedef struct {
    ws_service service;
    fake_socket link;
    ws_http_handle handle;
    ws_stream *stream;
    const char *beat; /* NULL: the owner has none of its own */
    unsigned deadlines, drained, closing, gone;
} fixture;

static void on_deadline(void *context, int64_t now_ms) {
    (void)now_ms;
    ((fixture *)context)->deadlines++;
}

static core_block *on_beat(void *context) {
    const fixture *f = context;
    return f->beat != NULL ? core_block_copy(core_slice_text(f->beat)) : NULL;
}

static void on_drained(void *context) {
    ((fixture *)context)->drained++;
}

static void on_closing(void *context) {
    fixture *f = context;
    f->closing++;
    f->stream = NULL;
}

static void on_gone(void *context) {
    ((fixture *)context)->gone++;
}

static const ws_stream_owner owner = {.on_deadline = on_deadline,
                                      .on_beat = on_beat,
                                      .on_drained = on_drained,
                                      .on_closing = on_closing,
                                      .on_gone = on_gone};

/* A request that waits for its answer. */
static int setup(void **state) {
    fixture *f = calloc(1, sizeof *f);
    fake_service_init(&f->service, QUEUE_BYTES);
    fake_socket_init(&f->link);
    f->link.connection =
        ws_connection_new(&f->service, &fake_link, &f->link, &ws_http_handler, ws_http_new());
    ws_http_request request = {.connection = f->link.connection,
                               .request_id = core_slice_text("id-1")};
    const ws_http_waiter waiter = {.wait_ms = 0};
    f->handle = ws_http_defer(&request, &waiter);
    *state = f;
    return f->handle == 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    fake_service_fini(&f->service);
    ws_http_waits_free(&f->service);
    core_buffer_fini(&f->link.sent);
    free(f);
    return 0;
}

/* The stream begun, its head taken out of what was sent. */
static void begin(fixture *f) {
    f->stream = ws_stream_new(&f->service, f->handle, &owner, f);
    assert_non_null(f->stream);
    ws_service_flush(&f->service);
    core_buffer_reset(&f->link.sent);
}

static void send_text(fixture *f, const char *text) {
    core_block *block = core_block_copy(core_slice_text(text));
    ws_stream_send(f->stream, block);
    core_block_release(block);
}

static void assert_sent(fixture *f, const char *text) {
    ws_service_flush(&f->service);
    assert_int_equal(f->link.sent.length, strlen(text));
    assert_memory_equal(f->link.sent.data, text, strlen(text));
    core_buffer_reset(&f->link.sent);
}

/* Time goes on by so much, in the wheel's steps. */
static void pass(fixture *f, int64_t ms) {
    ws_connection *connection = f->link.connection;
    for (int64_t until = f->service.now_ms + ms; f->service.now_ms < until;) {
        f->service.now_ms += WS_WHEEL_STEP_MS;
        while (ws_wheel_expired(&f->service.wheel, f->service.now_ms) != NULL)
            ws_connection_expired(connection, f->service.now_ms);
    }
    ws_service_flush(&f->service);
}

static void the_head_says_what_comes(void **state) {
    fixture *f = *state;
    f->stream = ws_stream_new(&f->service, f->handle, &owner, f);
    assert_non_null(f->stream);
    assert_ptr_equal(ws_stream_of(f->link.connection), f->stream);
    assert_null(ws_http_wait_find(&f->service, f->handle));
    ws_service_flush(&f->service);
    core_buffer_u8(&f->link.sent, 0);
    const char *head = (const char *)f->link.sent.data;
    assert_memory_equal(head, "HTTP/1.1 200 OK\r\n", 17);
    assert_non_null(strstr(head, "\r\nContent-Type: text/event-stream\r\n"));
    assert_non_null(strstr(head, "\r\nCache-Control: no-cache, no-transform\r\n"));
    assert_non_null(strstr(head, "\r\nX-Accel-Buffering: no\r\n"));
    assert_non_null(strstr(head, "\r\nConnection: close\r\n"));
    assert_non_null(strstr(head, "\r\nX-Request-Id: id-1\r\n"));
    assert_null(strstr(head, "Content-Length"));
    assert_null(strstr(head, "Transfer-Encoding"));
    assert_string_equal(strstr(head, "\r\n\r\n"), "\r\n\r\n");
}

static void events_go_out_as_they_are(void **state) {
    fixture *f = *state;
    begin(f);
    send_text(f, "data: 1\n\n");
    send_text(f, "data: 2\n\n");
    assert_sent(f, "data: 1\n\ndata: 2\n\n");
    fake_receive(&f->link, "GET / HTTP/1.1\r\n\r\n", 18); /* nothing to answer any more */
    assert_sent(f, "");
    assert_true(ws_stream_open(f->stream));
}

static void silence_is_broken_by_a_comment(void **state) {
    fixture *f = *state;
    begin(f);
    pass(f, WS_STREAM_BEAT_MS - WS_WHEEL_STEP_MS);
    assert_sent(f, "");
    pass(f, 2 * WS_WHEEL_STEP_MS);
    assert_sent(f, ":\n\n");
    pass(f, WS_STREAM_BEAT_MS / 2);
    send_text(f, "data: 1\n\n");
    pass(f, WS_STREAM_BEAT_MS - WS_WHEEL_STEP_MS);
    assert_sent(f, "data: 1\n\n");
    pass(f, 2 * WS_WHEEL_STEP_MS);
    assert_sent(f, ":\n\n");
    f->beat = "id: e-1.0\n\n";
    pass(f, WS_STREAM_BEAT_MS + WS_WHEEL_STEP_MS);
    assert_sent(f, "id: e-1.0\n\n");
}

static void beats_do_not_pile_up(void **state) {
    fixture *f = *state;
    begin(f);
    f->link.full = true;
    send_text(f, "data: 1\n\n");
    pass(f, 10 * WS_STREAM_BEAT_MS);
    f->link.full = false;
    ws_connection_writable(f->link.connection);
    assert_sent(f, "data: 1\n\n");
}

static void the_owner_has_a_deadline(void **state) {
    fixture *f = *state;
    begin(f);
    ws_stream_set_deadline(f->stream, f->service.now_ms + 2 * WS_STREAM_BEAT_MS);
    pass(f, 2 * WS_STREAM_BEAT_MS - WS_WHEEL_STEP_MS);
    assert_int_equal(f->deadlines, 0);
    pass(f, 2 * WS_WHEEL_STEP_MS);
    assert_int_equal(f->deadlines, 1);
    pass(f, 4 * WS_STREAM_BEAT_MS);
    assert_int_equal(f->deadlines, 1);
}

static void a_slow_client_is_told_and_closed(void **state) {
    fixture *f = *state;
    begin(f);
    f->link.full = true;
    static char event[QUEUE_BYTES / 2];
    memset(event, 'x', sizeof event - 1);
    send_text(f, event);
    send_text(f, event);
    assert_int_equal(f->closing, 0);
    send_text(f, event);
    assert_int_equal(f->closing, 1);
    f->link.full = false;
    ws_connection_writable(f->link.connection);
    core_buffer_u8(&f->link.sent, 0);
    const char *sent = (const char *)f->link.sent.data;
    assert_memory_equal(sent, "event: problem\ndata: {", 22);
    assert_non_null(strstr(sent, "too slow: 998 bytes wait for you, at most 1000 may"));
    assert_string_equal(sent + strlen(sent) - 3, "}\n\n");
    assert_true(f->link.half_closed);
    pass(f, WS_LINGER_MS + 2 * WS_WHEEL_STEP_MS);
    assert_true(f->link.killed);
}

static void a_client_that_has_read_is_heard_of(void **state) {
    fixture *f = *state;
    begin(f);
    f->link.full = true;
    static char event[QUEUE_BYTES / 2];
    memset(event, 'x', sizeof event - 1);
    send_text(f, event);
    ws_connection_watch_drain(f->link.connection);
    ws_service_flush(&f->service);
    assert_int_equal(f->drained, 0);
    f->link.full = false;
    ws_connection_writable(f->link.connection);
    assert_int_equal(f->drained, 1);
}

static void the_end_is_said(void **state) {
    fixture *f = *state;
    begin(f);
    core_block *last = core_block_copy(core_slice_text("event: problem\ndata: {}\n\n"));
    send_text(f, "data: 1\n\n");
    ws_stream_end(f->stream, last);
    core_block_release(last);
    assert_int_equal(f->closing, 1);
    assert_int_equal(f->gone, 0);
    assert_sent(f, "data: 1\n\nevent: problem\ndata: {}\n\n");
    assert_true(f->link.half_closed);
    ws_connection_gone(f->link.connection);
    assert_int_equal(f->closing, 1);
    assert_int_equal(f->gone, 1);
}

static void a_client_that_goes_is_heard_of(void **state) {
    fixture *f = *state;
    begin(f);
    ws_connection_gone(f->link.connection);
    assert_int_equal(f->closing, 1);
    assert_int_equal(f->gone, 1);
}

static void a_client_that_went_before_gets_no_stream(void **state) {
    fixture *f = *state;
    ws_connection_gone(f->link.connection);
    assert_null(ws_stream_new(&f->service, f->handle, &owner, f));
    assert_int_equal(f->closing + f->gone, 0);
}

#define WITH_REQUEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_REQUEST(the_head_says_what_comes),
        WITH_REQUEST(events_go_out_as_they_are),
        WITH_REQUEST(silence_is_broken_by_a_comment),
        WITH_REQUEST(beats_do_not_pile_up),
        WITH_REQUEST(the_owner_has_a_deadline),
        WITH_REQUEST(a_slow_client_is_told_and_closed),
        WITH_REQUEST(a_client_that_has_read_is_heard_of),
        WITH_REQUEST(the_end_is_said),
        WITH_REQUEST(a_client_that_goes_is_heard_of),
        WITH_REQUEST(a_client_that_went_before_gets_no_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
