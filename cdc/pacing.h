/* When to publish what is at hand and how long to sleep, so that an idle system adds no latency and
 * a busy one pays few system calls and few messages. Pure logic; times in microseconds.
 *
 * A run at hand is published as soon as the socket is dry and nothing awaits its ack. While
 * something does, it may grow for up to CDC_LINGER_US, since the broker is at work anyway. And when
 * messages come at a high rate the thread sleeps CDC_NAP_US at a time instead of waking for each
 * few bytes: on two cores that time belongs to the walsender. */
#ifndef WALCAST_CDC_PACING_H
#define WALCAST_CDC_PACING_H

#include "core/core.h"

#define CDC_LINGER_US       1000
#define CDC_NAP_US          300
#define CDC_BUSY_PER_MS     20 /* messages; a tenth of what one walsender can send */
#define CDC_PACE_MEASURE_US 1000

typedef struct {
    int64_t measured_at_us;
    uint64_t measured_messages;
    bool busy;
    int64_t lingering_since_us; /* 0: nothing lingers */
} cdc_pacing;

void cdc_pacing_init(cdc_pacing *pacing, int64_t now_us);
/* Messages that were just taken in. */
void cdc_pacing_count(cdc_pacing *pacing, uint64_t messages, int64_t now_us);
/* The socket is dry and a whole run is at hand: publish it? `settled`: nothing awaits its ack. */
CORE_MUST_CHECK bool cdc_pacing_publish(cdc_pacing *pacing, bool settled, int64_t now_us);
/* Nothing is at hand any more. */
void cdc_pacing_rest(cdc_pacing *pacing);
/* How long to sleep at the most, given that timers want `timeout_us`. */
int64_t cdc_pacing_sleep_us(const cdc_pacing *pacing, int64_t timeout_us, int64_t now_us);

#endif
