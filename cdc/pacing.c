/* See pacing.h. */
#include "cdc/pacing.h"

void cdc_pacing_init(cdc_pacing *pacing, int64_t now_us) {
    *pacing = (cdc_pacing){.measured_at_us = now_us};
}

void cdc_pacing_count(cdc_pacing *pacing, uint64_t messages, int64_t now_us) {
    pacing->measured_messages += messages;
    int64_t elapsed_us = now_us - pacing->measured_at_us;
    if (elapsed_us < CDC_PACE_MEASURE_US)
        return;
    pacing->busy =
        pacing->measured_messages * CORE_US_PER_MS >= (uint64_t)elapsed_us * CDC_BUSY_PER_MS;
    pacing->measured_at_us = now_us;
    pacing->measured_messages = 0;
}

bool cdc_pacing_publish(cdc_pacing *pacing, bool settled, int64_t now_us) {
    if (pacing->lingering_since_us == 0)
        pacing->lingering_since_us = now_us;
    return settled || now_us - pacing->lingering_since_us >= CDC_LINGER_US;
}

void cdc_pacing_rest(cdc_pacing *pacing) {
    pacing->lingering_since_us = 0;
}

int64_t cdc_pacing_sleep_us(const cdc_pacing *pacing, int64_t timeout_us, int64_t now_us) {
    int64_t sleep_us = timeout_us;
    if (pacing->lingering_since_us != 0) {
        int64_t left_us = pacing->lingering_since_us + CDC_LINGER_US - now_us;
        sleep_us = left_us < sleep_us ? left_us : sleep_us;
    }
    if (pacing->busy && CDC_NAP_US < sleep_us)
        sleep_us = CDC_NAP_US;
    return sleep_us > 0 ? sleep_us : 0;
}
