/* See confirm_delay.h. */
#include "cdc/confirm_delay.h"

enum { STEPS = 32 };

void cdc_confirm_delay_init(cdc_confirm_delay *delay, int64_t lag_ms, core_lsn lsn) {
    *delay = (cdc_confirm_delay){.lag_ms = lag_ms, .lsn = lsn};
}

static cdc_delay_sample *sample_at(cdc_confirm_delay *delay, size_t index) {
    return &delay->samples[(delay->first + index) % CDC_DELAY_SAMPLES];
}

/* A sample keeps the time at which its position was seen; a later position needs a sample of its
 * own, at the earliest a step after the one before. */
static void sample_take(cdc_confirm_delay *delay, core_lsn lsn, int64_t now_ms) {
    const cdc_delay_sample *newest = delay->count > 0 ? sample_at(delay, delay->count - 1) : NULL;
    core_lsn known = newest != NULL ? newest->lsn : delay->lsn;
    bool early = newest != NULL && now_ms - newest->at_ms < delay->lag_ms / STEPS;
    if (lsn <= known || early || delay->count == CDC_DELAY_SAMPLES)
        return;
    delay->count++;
    *sample_at(delay, delay->count - 1) = (cdc_delay_sample){.at_ms = now_ms, .lsn = lsn};
}

core_lsn cdc_confirm_delay_put(cdc_confirm_delay *delay, core_lsn stored_lsn, int64_t now_ms) {
    if (delay->lag_ms == 0) {
        delay->lsn = stored_lsn > delay->lsn ? stored_lsn : delay->lsn;
        return delay->lsn;
    }
    sample_take(delay, stored_lsn, now_ms);
    while (delay->count > 0 && now_ms - sample_at(delay, 0)->at_ms >= delay->lag_ms) {
        delay->lsn = sample_at(delay, 0)->lsn;
        delay->first = (delay->first + 1) % CDC_DELAY_SAMPLES;
        delay->count--;
    }
    return delay->lsn;
}

int64_t cdc_confirm_delay_next_ms(const cdc_confirm_delay *delay) {
    return delay->count > 0 ? delay->samples[delay->first].at_ms + delay->lag_ms : INT64_MAX;
}
