/* See snapshot_gate.h. Happy path of a ticket: IDLE, ASKED, OPEN, READ, SENDING, SENT, DONE. When
 * the source's session ends, what is the source's goes back ABORTED, and what the worker holds OPEN
 * is refused when it comes. */
#include "cdc/snapshot_gate.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { RELATION_MAX_BYTES = 1 << 20 };

struct cdc_snapshot_gate {
    int wake_fd;
    atomic_uint busy; /* tickets that are the source's or have a window */
    atomic_bool initial_ended;
    atomic_bool yields;
    pthread_mutex_t mutex; /* guards the states and all below */
    pthread_cond_t changed;
    cdc_snapshot_ticket tickets[CDC_SNAPSHOT_TICKETS];
    cdc_snapshot_session session;
    bool has_session;
    bool stopped;
    uint64_t ended_session; /* the last one, and what broke it */
    char reason[CORE_ERROR_TEXT_MAX];
};

#define BIT(state) CORE_STATE_BIT(CDC_TICKET_##state)

/* Which state may follow which. */
static const unsigned follows[CDC_TICKET_STATES] = {
    [CDC_TICKET_IDLE] = BIT(ASKED),
    [CDC_TICKET_ASKED] = BIT(OPEN) | BIT(ABORTED),
    [CDC_TICKET_OPEN] = BIT(READ) | BIT(IDLE) | BIT(ABORTED),
    [CDC_TICKET_READ] = BIT(SENDING) | BIT(PLACED) | BIT(AGAIN) | BIT(ABORTED),
    [CDC_TICKET_SENDING] = BIT(SENT) | BIT(AGAIN) | BIT(ABORTED),
    [CDC_TICKET_SENT] = BIT(DONE) | BIT(ABORTED),
    [CDC_TICKET_DONE] = BIT(ASKED) | BIT(IDLE),
    [CDC_TICKET_PLACED] = BIT(ASKED) | BIT(IDLE),
    [CDC_TICKET_AGAIN] = BIT(ASKED) | BIT(IDLE),
    [CDC_TICKET_ABORTED] = BIT(ASKED) | BIT(IDLE),
};

static bool is_of_source(cdc_ticket_state state) {
    return state == CDC_TICKET_ASKED || state == CDC_TICKET_READ || state == CDC_TICKET_SENDING ||
           state == CDC_TICKET_SENT;
}

static bool is_watched(cdc_ticket_state state) {
    return is_of_source(state) || state == CDC_TICKET_OPEN;
}

/* With the mutex held. */
static void ticket_move(cdc_snapshot_gate *gate, cdc_snapshot_ticket *ticket,
                        cdc_ticket_state state) {
    assert((follows[ticket->state] & CORE_STATE_BIT(state)) != 0);
    bool was = is_watched(ticket->state);
    bool is = is_watched(state);
    ticket->state = state;
    if (is && !was)
        atomic_fetch_add(&gate->busy, 1);
    if (was && !is)
        atomic_fetch_sub(&gate->busy, 1);
    (void)pthread_cond_broadcast(&gate->changed);
}

/* ---- Life ---- */

cdc_snapshot_gate *cdc_snapshot_gate_new(core_error *error) {
    cdc_snapshot_gate *gate = calloc(1, sizeof *gate);
    int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (gate == NULL || wake_fd < 0) {
        if (wake_fd >= 0)
            (void)close(wake_fd);
        free(gate);
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory or descriptor for snapshots");
        return NULL;
    }
    gate->wake_fd = wake_fd;
    (void)pthread_mutex_init(&gate->mutex, NULL);
    core_condition_init(&gate->changed);
    for (size_t i = 0; i < CDC_SNAPSHOT_TICKETS; i++)
        core_buffer_init(&gate->tickets[i].relation, RELATION_MAX_BYTES);
    return gate;
}

void cdc_snapshot_gate_free(cdc_snapshot_gate *gate) {
    if (gate == NULL)
        return;
    for (size_t i = 0; i < CDC_SNAPSHOT_TICKETS; i++) {
        cdc_snapshot_ticket *ticket = &gate->tickets[i];
        cdc_snapshot_window_fini(&ticket->window);
        core_visibility_fini(&ticket->visibility);
        core_buffer_fini(&ticket->relation);
    }
    (void)pthread_cond_destroy(&gate->changed);
    (void)pthread_mutex_destroy(&gate->mutex);
    (void)close(gate->wake_fd);
    free(gate);
}

/* ---- Workers ---- */

bool cdc_snapshot_gate_session(cdc_snapshot_gate *gate, int64_t timeout_ms,
                               cdc_snapshot_session *session) {
    (void)pthread_mutex_lock(&gate->mutex);
    if (!gate->has_session && !gate->stopped && timeout_ms > 0)
        (void)core_condition_wait(&gate->changed, &gate->mutex, timeout_ms);
    bool has = gate->has_session && !gate->stopped;
    *session = gate->session;
    session->limits.epoch = session->epoch;
    (void)pthread_mutex_unlock(&gate->mutex);
    return has;
}

void cdc_snapshot_gate_reason(cdc_snapshot_gate *gate, uint64_t session,
                              char reason[CORE_ERROR_TEXT_MAX]) {
    (void)pthread_mutex_lock(&gate->mutex);
    (void)snprintf(reason, CORE_ERROR_TEXT_MAX, "%s",
                   gate->ended_session == session ? gate->reason : "");
    (void)pthread_mutex_unlock(&gate->mutex);
}

cdc_snapshot_ticket *cdc_snapshot_gate_ticket(cdc_snapshot_gate *gate, size_t at) {
    assert(at < CDC_SNAPSHOT_TICKETS);
    return &gate->tickets[at];
}

cdc_ticket_state cdc_snapshot_gate_pass(cdc_snapshot_gate *gate, cdc_snapshot_ticket *ticket,
                                        cdc_ticket_state as, uint64_t session) {
    (void)pthread_mutex_lock(&gate->mutex);
    bool open = gate->has_session && !gate->stopped && gate->session.number == session;
    bool in_time = as == CDC_TICKET_ASKED || ticket->state == CDC_TICKET_OPEN;
    if (!open || !in_time) {
        if (ticket->state == CDC_TICKET_OPEN)
            ticket_move(gate, ticket, CDC_TICKET_IDLE);
        (void)pthread_mutex_unlock(&gate->mutex);
        return CDC_TICKET_ABORTED;
    }
    ticket_move(gate, ticket, as);
    core_wake_set(gate->wake_fd);
    while (is_of_source(ticket->state))
        (void)pthread_cond_wait(&gate->changed, &gate->mutex);
    cdc_ticket_state state = ticket->state;
    (void)pthread_mutex_unlock(&gate->mutex);
    return state;
}

void cdc_snapshot_gate_leave(cdc_snapshot_gate *gate, cdc_snapshot_ticket *ticket) {
    (void)pthread_mutex_lock(&gate->mutex);
    if (ticket->state == CDC_TICKET_OPEN)
        ticket_move(gate, ticket, CDC_TICKET_IDLE);
    (void)pthread_mutex_unlock(&gate->mutex);
}

void cdc_snapshot_gate_initial_end(cdc_snapshot_gate *gate) {
    atomic_store(&gate->initial_ended, true);
    core_wake_set(gate->wake_fd);
}

void cdc_snapshot_gate_stop(cdc_snapshot_gate *gate) {
    (void)pthread_mutex_lock(&gate->mutex);
    gate->stopped = true;
    (void)pthread_mutex_unlock(&gate->mutex);
    cdc_snapshot_gate_end(gate, "");
}

/* ---- The source ---- */

void cdc_snapshot_gate_begin(cdc_snapshot_gate *gate, const cdc_snapshot_session *session) {
    (void)pthread_mutex_lock(&gate->mutex);
    uint64_t number = gate->session.number + 1;
    gate->session = *session;
    gate->session.number = number;
    gate->has_session = true;
    atomic_store(&gate->initial_ended, false);
    (void)pthread_cond_broadcast(&gate->changed);
    (void)pthread_mutex_unlock(&gate->mutex);
}

void cdc_snapshot_gate_end(cdc_snapshot_gate *gate, const char *reason) {
    (void)pthread_mutex_lock(&gate->mutex);
    if (gate->has_session) {
        gate->ended_session = gate->session.number;
        (void)snprintf(gate->reason, sizeof gate->reason, "%s", reason);
    }
    gate->has_session = false;
    for (size_t i = 0; i < CDC_SNAPSHOT_TICKETS; i++)
        if (is_watched(gate->tickets[i].state))
            ticket_move(gate, &gate->tickets[i], CDC_TICKET_ABORTED);
    (void)pthread_cond_broadcast(&gate->changed);
    (void)pthread_mutex_unlock(&gate->mutex);
}

void cdc_snapshot_gate_yield_set(cdc_snapshot_gate *gate, bool yields) {
    atomic_store_explicit(&gate->yields, yields, memory_order_relaxed);
}

bool cdc_snapshot_gate_yields(const cdc_snapshot_gate *gate) {
    return atomic_load_explicit(&gate->yields, memory_order_relaxed);
}

bool cdc_snapshot_gate_busy(const cdc_snapshot_gate *gate) {
    return atomic_load_explicit(&gate->busy, memory_order_relaxed) > 0;
}

bool cdc_snapshot_gate_initial_ended(const cdc_snapshot_gate *gate) {
    return atomic_load(&gate->initial_ended);
}

int cdc_snapshot_gate_wake_fd(const cdc_snapshot_gate *gate) {
    return gate->wake_fd;
}

void cdc_snapshot_gate_wake_clear(cdc_snapshot_gate *gate) {
    core_wake_clear(gate->wake_fd);
}

cdc_snapshot_ticket *cdc_snapshot_gate_next(cdc_snapshot_gate *gate,
                                            const cdc_snapshot_ticket *after) {
    size_t at = after != NULL ? (size_t)(after - gate->tickets) + 1 : 0;
    cdc_snapshot_ticket *found = NULL;
    (void)pthread_mutex_lock(&gate->mutex);
    for (; found == NULL && at < CDC_SNAPSHOT_TICKETS; at++)
        if (is_watched(gate->tickets[at].state))
            found = &gate->tickets[at];
    (void)pthread_mutex_unlock(&gate->mutex);
    return found;
}

void cdc_snapshot_gate_move(cdc_snapshot_gate *gate, cdc_snapshot_ticket *ticket,
                            cdc_ticket_state state) {
    (void)pthread_mutex_lock(&gate->mutex);
    ticket_move(gate, ticket, state);
    (void)pthread_mutex_unlock(&gate->mutex);
}
