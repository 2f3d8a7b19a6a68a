/* See throttle.h. */
#include "net/throttle.h"

void net_throttle_init(net_throttle *throttle, const net_throttle_spec *spec, int64_t now_ns) {
    *throttle = (net_throttle){.spec = *spec, .due_ns = now_ns};
}

int64_t net_throttle_admit(net_throttle *throttle, int64_t now_ns) {
    const net_throttle_spec *spec = &throttle->spec;
    if (spec->concurrency > 0 && throttle->under_way >= spec->concurrency)
        return NET_THROTTLE_FULL;
    if (spec->interval_ns > 0) {
        if (throttle->due_ns - now_ns > spec->interval_ns) /* it was longer before */
            throttle->due_ns = now_ns + spec->interval_ns;
        if (throttle->due_ns > now_ns)
            return throttle->due_ns - now_ns;
        bool is_late = now_ns - throttle->due_ns < NET_THROTTLE_LATE_NS;
        throttle->due_ns = (is_late ? throttle->due_ns : now_ns) + spec->interval_ns;
    }
    throttle->under_way++;
    return 0;
}

void net_throttle_release(net_throttle *throttle) {
    assert(throttle->under_way > 0);
    throttle->under_way--;
}

void net_throttle_cancel(net_throttle *throttle) {
    net_throttle_release(throttle);
    throttle->due_ns -= throttle->spec.interval_ns;
}
