/* Exponential backoff with jitter; see backoff.h. The generator is splitmix64. */
#include "core/backoff.h"

void core_backoff_init(core_backoff *backoff, int64_t first_ms, int64_t max_ms, uint64_t seed) {
    assert(first_ms > 0 && max_ms >= first_ms);
    *backoff =
        (core_backoff){.first_ms = first_ms, .max_ms = max_ms, .next_ms = first_ms, .random = seed};
}

static uint64_t backoff_random(core_backoff *backoff) {
    uint64_t z = backoff->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

int64_t core_backoff_next_ms(core_backoff *backoff) {
    int64_t step = backoff->next_ms;
    backoff->next_ms = step > backoff->max_ms / 2 ? backoff->max_ms : step * 2;
    int64_t half = step / 2;
    return step - half + (int64_t)(backoff_random(backoff) % (uint64_t)(half + 1));
}

void core_backoff_reset(core_backoff *backoff) {
    backoff->next_ms = backoff->first_ms;
}
