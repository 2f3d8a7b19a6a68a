/* See rate.h. The bucket is kept as the time at which it will be full (the generic cell rate
 * algorithm): nothing has to be refilled, and one word is enough to share. */
#include "ws/rate.h"

#define RATE_BURST_NS (1000 * CORE_NS_PER_MS)

ws_rate ws_rate_make(int64_t per_second) {
    assert(per_second >= 0);
    return (ws_rate){.interval_ns = per_second > 0 ? 1000 * CORE_NS_PER_MS / per_second : 0};
}

static int64_t later(int64_t a, int64_t b) {
    return a > b ? a : b;
}

int64_t ws_rate_wait_ns(const ws_rate_bucket *bucket, ws_rate rate, int64_t now_ns) {
    if (rate.interval_ns == 0)
        return 0;
    int64_t full_ns = atomic_load_explicit(&bucket->full_ns, memory_order_relaxed);
    return later(later(full_ns, now_ns) + rate.interval_ns - now_ns - RATE_BURST_NS, 0);
}

void ws_rate_take(ws_rate_bucket *bucket, ws_rate rate, int64_t now_ns) {
    if (rate.interval_ns == 0)
        return;
    int64_t before = atomic_load_explicit(&bucket->full_ns, memory_order_relaxed);
    int64_t after;
    do
        after = later(before, now_ns) + rate.interval_ns;
    while (!atomic_compare_exchange_weak_explicit(&bucket->full_ns, &before, after,
                                                  memory_order_relaxed, memory_order_relaxed));
}

ws_patience_verdict ws_patience_judge(ws_patience *patience, int64_t wait_ns, int64_t now_ms) {
    if (wait_ns <= 0)
        return WS_PATIENCE_GO;
    if (patience->over_last_ms == 0 || now_ms - patience->over_last_ms > WS_PATIENCE_FORGET_MS)
        patience->over_since_ms = now_ms;
    patience->over_last_ms = now_ms;
    int64_t over_ms = now_ms - patience->over_since_ms;
    if (over_ms >= WS_PATIENCE_REFUSE_MS)
        return WS_PATIENCE_CLOSE;
    bool short_wait = wait_ns <= WS_PATIENCE_THROTTLE_MS * CORE_NS_PER_MS;
    return over_ms < WS_PATIENCE_THROTTLE_MS && short_wait ? WS_PATIENCE_THROTTLE
                                                           : WS_PATIENCE_REFUSE;
}
