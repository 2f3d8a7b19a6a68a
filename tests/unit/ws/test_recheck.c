/* Looking through a thread's connections when credentials may have ended: all of them, a bounded
 * number a turn, whatever goes and comes meanwhile. */
#include "ws/recheck.h"

#include "tests/unit/ws/fake_link.h"
#include "ws/post.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { MANY = 2 * WS_RECHECKS_A_TURN + 10 };

typedef struct {
    ws_service service;
    fake_socket *sockets;
    unsigned looks[MANY];
    size_t counts;    /* what each look says that it looked at */
    size_t ends_next; /* the look at this one ends the next in the list; SIZE_MAX: none */
    size_t count;
} fixture;

static size_t index_of(const ws_connection *connection) {
    const fixture *f = connection->handler_state;
    return (size_t)((fake_socket *)connection->socket - f->sockets);
}

static size_t on_bytes(ws_connection *connection, uint8_t *bytes, size_t length) {
    (void)connection;
    (void)bytes;
    return length;
}

static void on_gone(ws_connection *connection) {
    (void)connection;
}

static size_t on_recheck(ws_connection *connection) {
    fixture *f = connection->handler_state;
    f->looks[index_of(connection)]++;
    if (index_of(connection) == f->ends_next)
        ws_connection_gone(connection->next);
    return f->counts;
}

static const ws_handler looked_at = {
    .on_bytes = on_bytes, .on_recheck = on_recheck, .on_gone = on_gone};
static const ws_handler nobody = {.on_bytes = on_bytes, .on_gone = on_gone};

static void connect_one(fixture *f, const ws_handler *handler) {
    fake_socket *socket = &f->sockets[f->count++];
    fake_socket_init(socket);
    socket->connection = ws_connection_new(&f->service, &fake_link, socket, handler, f);
    assert_non_null(socket->connection);
}

static int setup(void **state) {
    fixture *f = calloc(1, sizeof *f);
    fake_service_init(&f->service, 1 << 16);
    f->sockets = calloc(MANY, sizeof *f->sockets);
    f->ends_next = SIZE_MAX;
    *state = f;
    return !ws_recheck_new(&f->service);
}

static int teardown(void **state) {
    fixture *f = *state;
    fake_service_fini(&f->service);
    ws_posts_run(&f->service);
    ws_recheck_free(&f->service);
    for (size_t i = 0; i < f->count; i++)
        core_buffer_fini(&f->sockets[i].sent);
    free(f->sockets);
    free(f);
    return 0;
}

static size_t looked(const fixture *f) {
    size_t looks = 0;
    for (size_t i = 0; i < f->count; i++)
        looks += f->looks[i];
    return looks;
}

/* Turns of the thread until nothing is posted any more. */
static unsigned turns(fixture *f) {
    unsigned count = 0;
    while (atomic_load(&f->service.posts) != NULL) {
        size_t before = looked(f);
        ws_posts_run(&f->service);
        assert_true(looked(f) - before <= WS_RECHECKS_A_TURN);
        count++;
    }
    return count;
}

static void all_are_looked_at_in_turns(void **state) {
    fixture *f = *state;
    for (size_t i = 0; i < MANY; i++)
        connect_one(f, &looked_at);
    assert_int_equal(turns(f), 0);
    ws_recheck_ask(&f->service);
    ws_recheck_ask(&f->service); /* before it began: one walk */
    assert_int_equal(turns(f), 3);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(f->looks[i], 1);
}

static void channels_count_too(void **state) {
    fixture *f = *state;
    f->counts = WS_RECHECKS_A_TURN / 2;
    for (size_t i = 0; i < 8; i++)
        connect_one(f, &looked_at);
    ws_recheck_ask(&f->service);
    assert_int_equal(turns(f), 4);
}

/* Those that were looked at already may have ended since. */
static void asked_in_the_middle_it_begins_again_behind_the_end(void **state) {
    fixture *f = *state;
    for (size_t i = 0; i < MANY; i++)
        connect_one(f, &looked_at);
    ws_recheck_ask(&f->service);
    ws_posts_run(&f->service);
    ws_recheck_ask(&f->service);
    (void)turns(f);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(f->looks[i], 2);
}

static void what_goes_meanwhile_is_passed_over(void **state) {
    fixture *f = *state;
    for (size_t i = 0; i < MANY; i++)
        connect_one(f, &looked_at);
    ws_recheck_ask(&f->service);
    ws_posts_run(&f->service); /* the newest first: 2,000 of them */
    size_t next = MANY - WS_RECHECKS_A_TURN - 1;
    ws_connection_gone(f->sockets[next].connection);
    f->ends_next = next - 5; /* takes the one that would be the next */
    (void)turns(f);
    assert_int_equal(looked(f), MANY - 2);
    assert_int_equal(f->looks[next], 0);
    assert_int_equal(f->looks[next - 6], 0);
    assert_int_equal(f->looks[0], 1);
}

static void who_has_no_credential_is_not_asked(void **state) {
    fixture *f = *state;
    connect_one(f, &nobody);
    connect_one(f, &looked_at);
    connect_one(f, &looked_at);
    ws_connection_finish(f->sockets[1].connection); /* on its way out */
    ws_recheck_ask(&f->service);
    assert_int_equal(turns(f), 1);
    assert_int_equal(f->looks[0] + f->looks[1], 0);
    assert_int_equal(f->looks[2], 1);
}

static void with_nobody_there_it_is_over_at_once(void **state) {
    fixture *f = *state;
    ws_recheck_ask(&f->service);
    assert_int_equal(turns(f), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_are_looked_at_in_turns, setup, teardown),
        cmocka_unit_test_setup_teardown(channels_count_too, setup, teardown),
        cmocka_unit_test_setup_teardown(asked_in_the_middle_it_begins_again_behind_the_end, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_goes_meanwhile_is_passed_over, setup, teardown),
        cmocka_unit_test_setup_teardown(who_has_no_credential_is_not_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(with_nobody_there_it_is_over_at_once, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
