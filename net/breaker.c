/* See breaker.h. */
#include "net/breaker.h"

static const core_state_row rows[] = {
    [NET_BREAKER_CLOSED] = {"closed", CORE_STATE_BIT(NET_BREAKER_OPEN)},
    [NET_BREAKER_OPEN] = {"open", CORE_STATE_BIT(NET_BREAKER_HALF_OPEN)},
    [NET_BREAKER_HALF_OPEN] = {"half-open", CORE_STATE_BIT(NET_BREAKER_CLOSED) |
                                                CORE_STATE_BIT(NET_BREAKER_OPEN)},
};

net_breaker_spec net_breaker_spec_usual(uint64_t seed) {
    return (net_breaker_spec){.failures_max = 5,
                              .open_first_ms = 5000,
                              .open_max_ms = 600000,
                              .probe_max_ms = 60000,
                              .seed = seed};
}

void net_breaker_init(net_breaker *breaker, const net_breaker_spec *spec) {
    assert(spec->failures_max > 0 && spec->open_first_ms > 0);
    *breaker = (net_breaker){.spec = *spec};
    core_state_init(&breaker->state, "circuit breaker", rows, CORE_COUNT_OF(rows),
                    NET_BREAKER_CLOSED);
    core_backoff_init(&breaker->backoff, spec->open_first_ms, spec->open_max_ms, spec->seed);
}

net_breaker_state net_breaker_state_of(const net_breaker *breaker) {
    return (net_breaker_state)breaker->state.current;
}

static void breaker_move(net_breaker *breaker, net_breaker_state state, int64_t now_ms) {
    core_state_move(&breaker->state, state);
    breaker->round++;
    breaker->failures = 0;
    breaker->probing = false;
    if (state == NET_BREAKER_OPEN)
        breaker->until_ms = now_ms + core_backoff_next_ms(&breaker->backoff);
    else if (state == NET_BREAKER_CLOSED)
        core_backoff_reset(&breaker->backoff);
}

int64_t net_breaker_admit(net_breaker *breaker, int64_t now_ms, uint32_t *ticket) {
    net_breaker_state state = net_breaker_state_of(breaker);
    if (state == NET_BREAKER_OPEN && now_ms >= breaker->until_ms) {
        breaker_move(breaker, NET_BREAKER_HALF_OPEN, now_ms);
        state = NET_BREAKER_HALF_OPEN;
    }
    bool wait = state == NET_BREAKER_OPEN || (state == NET_BREAKER_HALF_OPEN && breaker->probing);
    if (wait && now_ms < breaker->until_ms)
        return breaker->until_ms - now_ms;
    if (state == NET_BREAKER_HALF_OPEN) {
        breaker->round++; /* what an older probe says late is no news */
        breaker->probing = true;
        breaker->until_ms = now_ms + breaker->spec.probe_max_ms;
    }
    *ticket = breaker->round;
    return 0;
}

static void closed_report(net_breaker *breaker, net_breaker_word word, int64_t now_ms) {
    if (word == NET_BREAKER_GOOD)
        breaker->failures = 0;
    else if (word == NET_BREAKER_BAD && ++breaker->failures >= breaker->spec.failures_max)
        breaker_move(breaker, NET_BREAKER_OPEN, now_ms);
}

void net_breaker_report(net_breaker *breaker, uint32_t ticket, net_breaker_word word,
                        int64_t now_ms) {
    net_breaker_state state = net_breaker_state_of(breaker);
    if (ticket != breaker->round || state == NET_BREAKER_OPEN)
        return;
    if (state == NET_BREAKER_CLOSED)
        closed_report(breaker, word, now_ms);
    else if (word == NET_BREAKER_SILENT)
        breaker->probing = false;
    else
        breaker_move(breaker, word == NET_BREAKER_GOOD ? NET_BREAKER_CLOSED : NET_BREAKER_OPEN,
                     now_ms);
}

net_breaker_word net_breaker_word_of(const net_http_result *result) {
    switch (result->outcome) {
    case NET_HTTP_ANSWERED:
        return result->status == 408 || result->status >= 500 ? NET_BREAKER_BAD : NET_BREAKER_GOOD;
    case NET_HTTP_REFUSED:
    case NET_HTTP_STOPPED:
    case NET_HTTP_FAILED:
    case NET_HTTP_WITHDRAWN:
        return NET_BREAKER_SILENT;
    default:
        return NET_BREAKER_BAD;
    }
}
