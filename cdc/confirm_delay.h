/* `nats.confirm_lag`: a position may be confirmed to PostgreSQL only so long after it was stored.
 *
 * JetStream acknowledges what it has written, not what the disk has synced; a power cut can take
 * the last of it back. Confirming later than the broker's sync interval keeps the slot behind what
 * can be lost, so that it is sent again. Pure logic; bounded by coarse samples: a position is let
 * go late by up to 1/32 of the lag, never early. */
#ifndef WALCAST_CDC_CONFIRM_DELAY_H
#define WALCAST_CDC_CONFIRM_DELAY_H

#include "core/core.h"

#define CDC_DELAY_SAMPLES 64 /* twice what a lag's time can hold */

typedef struct {
    int64_t at_ms;
    core_lsn lsn;
} cdc_delay_sample;

typedef struct {
    int64_t lag_ms;
    cdc_delay_sample samples[CDC_DELAY_SAMPLES]; /* a ring, oldest first */
    size_t first;
    size_t count;
    core_lsn lsn; /* may be confirmed */
} cdc_confirm_delay;

/* `lag_ms` 0: no delay. `lsn` is confirmed already. */
void cdc_confirm_delay_init(cdc_confirm_delay *delay, int64_t lag_ms, core_lsn lsn);
/* `stored_lsn` is stored now; gives what may be confirmed now. Never goes back. */
core_lsn cdc_confirm_delay_put(cdc_confirm_delay *delay, core_lsn stored_lsn, int64_t now_ms);
/* When the next position may be let go; INT64_MAX when none waits. */
int64_t cdc_confirm_delay_next_ms(const cdc_confirm_delay *delay);

#endif
