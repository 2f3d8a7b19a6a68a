/* See snapshot_flow.h. */
#include "cdc/snapshot_flow.h"

enum { PERCENT = 100 };

bool cdc_snapshot_flow_count(cdc_snapshot_flow *flow, uint64_t transactions, int64_t now_us) {
    if (flow->window_us == 0 || now_us - flow->window_us >= CDC_FLOW_WINDOW_US) {
        bool is_next = flow->window_us != 0 && now_us - flow->window_us < 2 * CDC_FLOW_WINDOW_US;
        flow->flows = is_next && flow->seen >= CDC_FLOW_TRANSACTIONS;
        flow->window_us = now_us;
        flow->seen = 0;
    }
    flow->seen += transactions;
    flow->flows = flow->flows || flow->seen >= CDC_FLOW_TRANSACTIONS;
    return flow->flows;
}

int64_t cdc_snapshot_flow_rest_ms(int64_t took_ms, int64_t share_percent) {
    int64_t least_ms = took_ms > 0 ? took_ms : 1; /* what took no time took some */
    return least_ms * (PERCENT - share_percent) / share_percent;
}

int64_t cdc_snapshot_flow_send_ms(size_t bytes) {
    return (int64_t)(bytes * CORE_MS_PER_S / CDC_FLOW_SEND_RATE);
}
