/* A request sent through a client of its own or of the test's, and waited for. What the completion
 * saw is copied, since it lives no longer. */
#ifndef WALCAST_TESTS_UNIT_NET_EXCHANGE_H
#define WALCAST_TESTS_UNIT_NET_EXCHANGE_H

#include "net/net.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

typedef struct {
    net_http_request request; /* first: the completion gets it */
    pthread_mutex_t mutex;
    pthread_cond_t ended;
    unsigned completions;
    net_http_result result;
    char reason[CORE_ERROR_TEXT_MAX];
    char body[256];
    size_t body_length;
} exchange;

static inline void exchange_completed(net_http_request *request, const net_http_result *result) {
    exchange *it = request->context;
    (void)pthread_mutex_lock(&it->mutex);
    it->result = *result;
    (void)snprintf(it->reason, sizeof it->reason, "%s", result->reason);
    it->body_length =
        result->body.length < sizeof it->body ? result->body.length : sizeof it->body - 1;
    if (it->body_length > 0)
        memcpy(it->body, result->body.data, it->body_length);
    it->body[it->body_length] = '\0';
    it->completions++;
    (void)pthread_cond_signal(&it->ended);
    (void)pthread_mutex_unlock(&it->mutex);
}

static inline void exchange_init(exchange *it, const char *url) {
    *it = (exchange){.mutex = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER};
    it->request = (net_http_request){
        .url = url,
        .body = core_slice_text("{}"),
        .keep_bytes = 64,
        .completed = exchange_completed,
        .context = it,
    };
}

static inline void exchange_send(exchange *it, net_http *http) {
    core_error error;
    if (!net_http_send(http, &it->request, &error))
        fail_msg("%s", error.text);
}

static inline void exchange_wait(exchange *it) {
    (void)pthread_mutex_lock(&it->mutex);
    while (it->completions == 0)
        (void)pthread_cond_wait(&it->ended, &it->mutex);
    (void)pthread_mutex_unlock(&it->mutex);
}

static inline net_http_outcome exchange_run(exchange *it, net_http *http) {
    exchange_send(it, http);
    exchange_wait(it);
    return it->result.outcome;
}

/* One that allows these networks only; NULL: none. */
static inline net_guard *exchange_guard(const char *network) {
    core_network allowed;
    core_error error;
    net_guard_spec spec = {.allow = {.networks = &allowed, .count = network != NULL}};
    if (network != NULL)
        assert_true(core_network_parse(core_slice_text(network), &allowed));
    net_guard *guard = net_guard_new(&spec, &error);
    assert_non_null(guard);
    return guard;
}

static inline net_http *exchange_http(const net_guard *guard) {
    core_error error;
    const net_http_spec spec = {.guard = guard};
    net_http *http = net_http_new(&spec, &error);
    assert_non_null(http);
    return http;
}

#endif
