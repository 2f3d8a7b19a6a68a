/* See throttle.h. The bucket is kept as one moment, the one at which it will be full again (GCRA):
 * each request moves it on by the time that its token takes to come back. */
#include "net/throttle.h"

void net_throttle_init(net_throttle *throttle, const net_throttle_spec *spec, int64_t now_ns) {
    *throttle = (net_throttle){.spec = *spec, .due_ns = now_ns};
    if (throttle->spec.interval_ns > 0 && throttle->spec.interval_ns < NET_THROTTLE_INTERVAL_MIN_NS)
        throttle->spec.interval_ns = NET_THROTTLE_INTERVAL_MIN_NS;
    if (throttle->spec.burst == 0)
        throttle->spec.burst = 1;
}

int64_t net_throttle_admit(net_throttle *throttle, int64_t now_ns) {
    const net_throttle_spec *spec = &throttle->spec;
    if (spec->concurrency > 0 && throttle->under_way >= spec->concurrency)
        return NET_THROTTLE_FULL;
    if (spec->interval_ns > 0) {
        int64_t due_ns = throttle->due_ns > now_ns ? throttle->due_ns : now_ns;
        int64_t ahead_ns = due_ns - now_ns - (int64_t)(spec->burst - 1) * spec->interval_ns;
        if (ahead_ns > 0)
            return ahead_ns;
        throttle->due_ns = due_ns + spec->interval_ns;
    }
    throttle->under_way++;
    return 0;
}

void net_throttle_release(net_throttle *throttle) {
    assert(throttle->under_way > 0);
    throttle->under_way--;
}
