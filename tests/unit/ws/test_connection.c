/* A connection over a link in memory: sockets that take a part, pauses, the total of all queues. */
#include "tests/unit/ws/fake_link.h"
#include "ws/drain.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define LINKS 3

typedef struct {
    ws_service service;
    fake_socket links[LINKS];
    core_buffer taken; /* by the handler, one byte at a time */
} fixture;

/* Takes a byte at a time, so that a pause can come between two. */
static size_t take_byte(ws_connection *connection, uint8_t *bytes, size_t length) {
    (void)length;
    core_buffer *taken = connection->handler_state;
    core_buffer_u8(taken, bytes[0]);
    if (bytes[0] == 'P')
        ws_connection_pause(connection, connection->service->now_ms + 600);
    return 1;
}

static void no_gone(ws_connection *connection) {
    (void)connection;
}

static void no_deadline(ws_connection *connection, int64_t now_ms) {
    (void)connection;
    (void)now_ms;
}

static const ws_handler handler = {
    .on_bytes = take_byte, .on_deadline = no_deadline, .on_gone = no_gone};

static int setup(void **state) {
    fixture *f = calloc(1, sizeof *f);
    fake_service_init(&f->service, 1000);
    core_buffer_init(&f->taken, 1 << 16);
    for (int i = 0; i < LINKS; i++) {
        fake_socket_init(&f->links[i]);
        f->links[i].connection =
            ws_connection_new(&f->service, &fake_link, &f->links[i], &handler, &f->taken);
    }
    *state = f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    for (int i = 0; i < LINKS; i++)
        ws_queue_fini(&f->links[i].connection->queue);
    bool leaks = atomic_load(&f->service.shared->held_bytes) != 0;
    fake_service_fini(&f->service);
    for (int i = 0; i < LINKS; i++)
        core_buffer_fini(&f->links[i].sent);
    core_buffer_fini(&f->taken);
    free(f);
    return leaks;
}

static void assert_taken(const fixture *f, const char *text) {
    assert_int_equal(f->taken.length, strlen(text));
    assert_memory_equal(f->taken.data, text, strlen(text));
}

static void test_a_pause_keeps_what_came(void **state) {
    fixture *f = *state;
    fake_socket *link = &f->links[0];
    fake_receive(link, "abPcdPef", 8);
    assert_taken(f, "abP");
    assert_true(link->not_read);
    fake_receive(link, "gh", 2); /* was on its way already */
    assert_taken(f, "abP");
    ws_connection_pause_over(link->connection); /* as the service does, see below */
    assert_taken(f, "abP");
    ws_wheel_disarm(&link->connection->pause);
    ws_connection_pause_over(link->connection);
    assert_taken(f, "abPcdP");
    assert_true(link->not_read);
    ws_wheel_disarm(&link->connection->pause);
    ws_connection_pause_over(link->connection);
    assert_taken(f, "abPcdPefgh");
    assert_false(link->not_read);
    assert_int_equal(link->connection->pending.capacity, 0);
}

static void test_a_connection_that_ends_is_read(void **state) {
    fixture *f = *state;
    fake_receive(&f->links[0], "aPb", 3);
    assert_true(f->links[0].not_read);
    ws_connection_finish(f->links[0].connection);
    assert_false(f->links[0].not_read);
    ws_connection_pause_over(f->links[0].connection);
    assert_taken(f, "aP");
}

static core_block *block_of(size_t length) {
    core_block *block = core_block_new(length);
    memset(block->bytes, 'x', length);
    return block;
}

static void test_what_is_shared_is_held_once(void **state) {
    fixture *f = *state;
    atomic_size_t *held = &f->service.shared->held_bytes;
    core_block *block = block_of(500);
    for (int i = 0; i < LINKS; i++) {
        f->links[i].full = true;
        assert_true(ws_connection_send(f->links[i].connection, block));
    }
    core_block_release(block);
    assert_int_equal(atomic_load(held), 500);
    for (int i = 0; i < LINKS; i++) {
        f->links[i].full = false;
        assert_int_equal(atomic_load(held), 500);
        ws_connection_flush(f->links[i].connection);
    }
    assert_int_equal(atomic_load(held), 0);
}

static void test_near_the_total_the_slow_have_less(void **state) {
    fixture *f = *state;
    f->service.limits.queue_total_bytes = 1600;
    fake_socket *slow = &f->links[0];
    slow->full = true;
    core_block *first = block_of(900);
    assert_true(ws_connection_send(slow->connection, first));
    ws_connection_flush(slow->connection);
    assert_true(slow->connection->blocked);
    assert_int_equal(ws_connection_cap(slow->connection), 1000);
    core_block *more = block_of(600); /* another's: 100 of the total are left */
    f->links[1].full = true;
    assert_true(ws_connection_send(f->links[1].connection, more));
    assert_in_range(ws_connection_cap(slow->connection), 1, 300);
    assert_int_equal(ws_connection_cap(f->links[2].connection), 1000); /* it keeps up */
    core_block *small = block_of(50);
    assert_false(ws_connection_send(slow->connection, small));
    assert_true(ws_connection_send_last(slow->connection, small));
    assert_true(ws_connection_send(f->links[2].connection, small));
    core_block_release(first);
    core_block_release(more);
    core_block_release(small);
}

static void test_a_drain_spreads(void **state) {
    (void)state;
    size_t left = 1000, steps = 0, largest = 0;
    for (int64_t left_ms = 4000; left > 0; left_ms -= WS_WHEEL_STEP_MS, steps++) {
        size_t batch = ws_drain_batch(left, left_ms);
        largest = batch > largest ? batch : largest;
        assert_in_range(batch, 1, left);
        left -= batch;
    }
    assert_in_range(steps, 16, 17);
    assert_in_range(largest, 58, 60);
    assert_int_equal(ws_drain_batch(7, 4000), 7); /* few clients: at once */
    assert_int_equal(ws_drain_batch(50, 4000), WS_DRAIN_STEP_CLOSES);
    assert_int_equal(ws_drain_batch(5000, 0), 5000);
    assert_int_equal(ws_drain_batch(5000, -300), 5000);
    assert_int_equal(ws_drain_batch(0, 100), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_pause_keeps_what_came, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_connection_that_ends_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_shared_is_held_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_near_the_total_the_slow_have_less, setup, teardown),
        cmocka_unit_test(test_a_drain_spreads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
