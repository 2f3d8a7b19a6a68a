/* A circuit breaker: after so many failures in a row an endpoint is left alone for a while; then
 * one request may find out whether it is back.
 *
 *     closed --failures_max in a row--> open --its time is over--> half-open
 *        ^                                ^---------- the probe failed --' |
 *        '------------------------------------ the probe was answered ----'
 *
 * The time it stays open doubles from open_first_ms to open_max_ms, with jitter. A word about a
 * request that was let through in another state is no news and is ignored. A value, no memory of
 * its own; the owner's thread; the clock is passed in. */
#ifndef WALCAST_NET_BREAKER_H
#define WALCAST_NET_BREAKER_H

#include "net/http.h"

typedef enum { NET_BREAKER_CLOSED, NET_BREAKER_OPEN, NET_BREAKER_HALF_OPEN } net_breaker_state;

/* What a request says of its endpoint. */
typedef enum {
    NET_BREAKER_GOOD,
    NET_BREAKER_BAD,
    NET_BREAKER_SILENT, /* nothing: it was refused before it was sent, or we stopped */
} net_breaker_word;

typedef struct {
    unsigned failures_max;
    int64_t open_first_ms;
    int64_t open_max_ms;
    int64_t probe_max_ms; /* after that a probe that nobody reported counts as silent */
    uint64_t seed;        /* of the jitter */
} net_breaker_spec;

/* 5 in a row; 5 s doubling to 10 minutes; a probe's word is awaited for 60 s. */
net_breaker_spec net_breaker_spec_usual(uint64_t seed);

typedef struct {
    net_breaker_spec spec;
    core_state state;
    core_backoff backoff;
    unsigned failures; /* in a row, while closed */
    int64_t until_ms;  /* open: the end of it; half-open: of waiting for the probe */
    bool probing;
    uint32_t round; /* one more with each move */
} net_breaker;

void net_breaker_init(net_breaker *breaker, const net_breaker_spec *spec);
/* 0: a request may go; its word belongs to `ticket`. Else the milliseconds after which to ask
 * again. */
CORE_MUST_CHECK int64_t net_breaker_admit(net_breaker *breaker, int64_t now_ms, uint32_t *ticket);
void net_breaker_report(net_breaker *breaker, uint32_t ticket, net_breaker_word word,
                        int64_t now_ms);
net_breaker_state net_breaker_state_of(const net_breaker *breaker);
/* Good is every answer but those with 408 and 5xx: whoever answers 404 or 429 is there. */
net_breaker_word net_breaker_word_of(const net_http_result *result);

#endif
