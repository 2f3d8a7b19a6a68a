/* Where workers and the source meet: a ticket's way, sessions that end under it, two threads. */
#include "cdc/snapshot_gate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>

static cdc_snapshot_gate *gate;

static int setup(void **state) {
    (void)state;
    core_error error = {0};
    gate = cdc_snapshot_gate_new(&error);
    return gate != NULL ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    cdc_snapshot_gate_free(gate);
    return 0;
}

static uint64_t session_begin(const char *exported) {
    cdc_snapshot_session session = {.epoch = "e1"};
    cdc_snapshot_session seen;
    assert_true(
        core_slice_to_text(core_slice_text(exported), session.exported, sizeof session.exported));
    cdc_snapshot_gate_begin(gate, &session);
    assert_true(cdc_snapshot_gate_session(gate, 0, &seen));
    assert_string_equal(seen.epoch, "e1");
    assert_ptr_equal(seen.limits.epoch, seen.epoch);
    assert_int_equal(cdc_snapshot_session_is_initial(&seen), exported[0] != '\0');
    return seen.number;
}

typedef struct {
    cdc_snapshot_ticket *ticket;
    uint64_t session;
    cdc_ticket_state asked;
    cdc_ticket_state read;
} passing;

static void *pass_all(void *context) {
    passing *it = context;
    it->asked = cdc_snapshot_gate_pass(gate, it->ticket, CDC_TICKET_ASKED, it->session);
    if (it->asked == CDC_TICKET_OPEN)
        it->read = cdc_snapshot_gate_pass(gate, it->ticket, CDC_TICKET_READ, it->session);
    return NULL;
}

/* The source's: the ticket, once somebody has handed it over. */
static cdc_snapshot_ticket *ticket_wait(cdc_ticket_state state) {
    struct pollfd fd = {.fd = cdc_snapshot_gate_wake_fd(gate), .events = POLLIN};
    for (;;) {
        assert_int_equal(poll(&fd, 1, 10000), 1);
        cdc_snapshot_gate_wake_clear(gate);
        cdc_snapshot_ticket *ticket = cdc_snapshot_gate_next(gate, NULL);
        if (ticket != NULL && ticket->state == state)
            return ticket;
    }
}

static void a_ticket_s_way(void **state) {
    (void)state;
    pthread_t worker;
    passing it = {.ticket = cdc_snapshot_gate_ticket(gate, 3), .session = session_begin("")};
    assert_false(cdc_snapshot_gate_busy(gate));
    assert_int_equal(pthread_create(&worker, NULL, pass_all, &it), 0);
    cdc_snapshot_ticket *ticket = ticket_wait(CDC_TICKET_ASKED);
    assert_ptr_equal(ticket, it.ticket);
    assert_null(cdc_snapshot_gate_next(gate, ticket));
    assert_true(cdc_snapshot_gate_busy(gate));
    cdc_snapshot_gate_move(gate, ticket, CDC_TICKET_OPEN);
    ticket = ticket_wait(CDC_TICKET_READ);
    cdc_snapshot_gate_move(gate, ticket, CDC_TICKET_SENDING);
    cdc_snapshot_gate_move(gate, ticket, CDC_TICKET_SENT);
    cdc_snapshot_gate_move(gate, ticket, CDC_TICKET_DONE);
    assert_int_equal(pthread_join(worker, NULL), 0);
    assert_int_equal(it.asked, CDC_TICKET_OPEN);
    assert_int_equal(it.read, CDC_TICKET_DONE);
    assert_false(cdc_snapshot_gate_busy(gate));
}

static void a_session_that_ends_gives_tickets_back(void **state) {
    (void)state;
    char reason[CORE_ERROR_TEXT_MAX];
    pthread_t worker;
    passing it = {.ticket = cdc_snapshot_gate_ticket(gate, 0), .session = session_begin("")};
    assert_int_equal(pthread_create(&worker, NULL, pass_all, &it), 0);
    (void)ticket_wait(CDC_TICKET_ASKED);
    cdc_snapshot_gate_end(gate, "the broker is away");
    assert_int_equal(pthread_join(worker, NULL), 0);
    assert_int_equal(it.asked, CDC_TICKET_ABORTED);
    assert_false(cdc_snapshot_gate_busy(gate));
    cdc_snapshot_gate_reason(gate, it.session, reason);
    assert_string_equal(reason, "the broker is away");
    cdc_snapshot_gate_end(gate, ""); /* there is none to end: what broke it stays */
    cdc_snapshot_gate_reason(gate, it.session, reason);
    assert_string_equal(reason, "the broker is away");
    cdc_snapshot_gate_reason(gate, it.session + 1, reason);
    assert_string_equal(reason, "");
}

static void what_was_read_in_an_earlier_session_is_refused(void **state) {
    (void)state;
    cdc_snapshot_ticket *ticket = cdc_snapshot_gate_ticket(gate, 0);
    pthread_t worker;
    passing it = {.ticket = ticket, .session = session_begin("")};
    assert_int_equal(cdc_snapshot_gate_pass(gate, ticket, CDC_TICKET_ASKED, it.session + 1),
                     CDC_TICKET_ABORTED);
    assert_int_equal(pthread_create(&worker, NULL, pass_all, &it), 0);
    cdc_snapshot_gate_move(gate, ticket_wait(CDC_TICKET_ASKED), CDC_TICKET_OPEN);
    (void)ticket_wait(CDC_TICKET_READ);
    cdc_snapshot_gate_end(gate, "");
    assert_int_equal(pthread_join(worker, NULL), 0);
    assert_int_equal(it.read, CDC_TICKET_ABORTED);
    uint64_t session = session_begin("");
    assert_true(session > it.session);
    assert_int_equal(cdc_snapshot_gate_pass(gate, ticket, CDC_TICKET_READ, session),
                     CDC_TICKET_ABORTED); /* it has no window */
}

static void a_ticket_that_is_open_can_be_left(void **state) {
    (void)state;
    cdc_snapshot_ticket *ticket = cdc_snapshot_gate_ticket(gate, 1);
    cdc_snapshot_gate_leave(gate, ticket);
    assert_int_equal(ticket->state, CDC_TICKET_IDLE);
}

static void without_a_session_nobody_works(void **state) {
    (void)state;
    cdc_snapshot_session session;
    assert_false(cdc_snapshot_gate_session(gate, 1, &session));
    (void)session_begin("00000003-1");
    cdc_snapshot_gate_initial_end(gate);
    assert_true(cdc_snapshot_gate_initial_ended(gate));
    (void)session_begin("");
    assert_false(cdc_snapshot_gate_initial_ended(gate));
    cdc_snapshot_gate_stop(gate);
    assert_false(cdc_snapshot_gate_session(gate, 1000, &session));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_ticket_s_way),
        TEST(a_session_that_ends_gives_tickets_back),
        TEST(what_was_read_in_an_earlier_session_is_refused),
        TEST(a_ticket_that_is_open_can_be_left),
        TEST(without_a_session_nobody_works),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
