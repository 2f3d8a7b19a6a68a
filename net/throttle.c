/* See throttle.h. The bucket is kept as one moment, the one at which it will be full again (GCRA):
 * each request moves it on by the time that its token takes to come back. */
#include "net/throttle.h"

#define NS_PER_S INT64_C(1000000000)

void net_throttle_init(net_throttle *throttle, const net_throttle_spec *spec, int64_t now_ns) {
    *throttle = (net_throttle){.spec = *spec, .due_ns = now_ns, .held_until_ns = now_ns};
    if (throttle->spec.per_second > NET_THROTTLE_RATE_MAX)
        throttle->spec.per_second = NET_THROTTLE_RATE_MAX;
    if (throttle->spec.burst == 0)
        throttle->spec.burst = 1;
}

int64_t net_throttle_admit(net_throttle *throttle, int64_t now_ns) {
    const net_throttle_spec *spec = &throttle->spec;
    if (spec->concurrency > 0 && throttle->under_way >= spec->concurrency)
        return NET_THROTTLE_FULL;
    if (throttle->held_until_ns > now_ns)
        return throttle->held_until_ns - now_ns;
    if (spec->per_second > 0) {
        int64_t token_ns = NS_PER_S / spec->per_second;
        int64_t due_ns = throttle->due_ns > now_ns ? throttle->due_ns : now_ns;
        int64_t ahead_ns = due_ns - now_ns - (int64_t)(spec->burst - 1) * token_ns;
        if (ahead_ns > 0)
            return ahead_ns;
        throttle->due_ns = due_ns + token_ns;
    }
    throttle->under_way++;
    return 0;
}

void net_throttle_release(net_throttle *throttle) {
    assert(throttle->under_way > 0);
    throttle->under_way--;
}

void net_throttle_hold(net_throttle *throttle, int64_t now_ns, int64_t wait_ms) {
    int64_t until_ns = now_ns + wait_ms * CORE_NS_PER_MS;
    if (until_ns > throttle->held_until_ns)
        throttle->held_until_ns = until_ns;
}
