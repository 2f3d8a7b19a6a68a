/* See failures.h. */
#include "auth/failures.h"

#define MINUTE_NS (60 * CORE_MS_PER_S * CORE_NS_PER_MS)
#define PREFIX_V6 8 /* bytes of an IPv6 address that count */
#define LENGTH_V4 4

void auth_failures_init(auth_failures *failures, int64_t per_minute, uint64_t seed) {
    memset(failures, 0, sizeof *failures);
    failures->interval_ns = per_minute > 0 ? MINUTE_NS / per_minute : 0;
    failures->seed = seed;
}

static uint64_t failure_key(const auth_failures *failures, const core_address *address) {
    uint8_t bytes[sizeof failures->seed + 1 + PREFIX_V6] = {0};
    memcpy(bytes, &failures->seed, sizeof failures->seed);
    bytes[sizeof failures->seed] = address->family;
    memcpy(bytes + sizeof failures->seed + 1, address->bytes,
           address->family == CORE_ADDRESS_V4 ? LENGTH_V4 : PREFIX_V6);
    uint64_t key = core_slice_hash(core_slice_make(bytes, sizeof bytes));
    return key != 0 ? key : 1;
}

/* The bits of a multiplied hash that depend on all of it. */
static size_t failure_set(uint64_t key) {
    return (size_t)(key * UINT64_C(0x9E3779B97F4A7C15) >> 32) % AUTH_FAILURE_SETS;
}

int64_t auth_failures_wait_ns(const auth_failures *failures, const core_address *address,
                              int64_t now_ns) {
    if (failures->interval_ns == 0 || address->family == CORE_ADDRESS_NONE)
        return 0;
    uint64_t key = failure_key(failures, address);
    const auth_failure *set = failures->entries[failure_set(key)];
    for (size_t i = 0; i < AUTH_FAILURE_WAYS; i++) {
        if (atomic_load_explicit(&set[i].key, memory_order_relaxed) != key)
            continue;
        int64_t full_ns = atomic_load_explicit(&set[i].full_ns, memory_order_relaxed);
        int64_t wait_ns = full_ns + failures->interval_ns - now_ns - MINUTE_NS;
        return wait_ns > 0 ? wait_ns : 0;
    }
    return 0;
}

/* The address's entry, or the one that is forgotten for it. */
static auth_failure *failure_entry(auth_failures *failures, uint64_t key) {
    auth_failure *set = failures->entries[failure_set(key)], *least = &set[0];
    for (size_t i = 0; i < AUTH_FAILURE_WAYS; i++) {
        if (atomic_load_explicit(&set[i].key, memory_order_relaxed) == key)
            return &set[i];
        if (atomic_load_explicit(&set[i].full_ns, memory_order_relaxed) <
            atomic_load_explicit(&least->full_ns, memory_order_relaxed))
            least = &set[i];
    }
    atomic_store_explicit(&least->full_ns, 0, memory_order_relaxed);
    atomic_store_explicit(&least->key, key, memory_order_relaxed);
    return least;
}

void auth_failures_add(auth_failures *failures, const core_address *address, int64_t now_ns) {
    if (failures->interval_ns == 0 || address->family == CORE_ADDRESS_NONE)
        return;
    auth_failure *entry = failure_entry(failures, failure_key(failures, address));
    int64_t full_ns = atomic_load_explicit(&entry->full_ns, memory_order_relaxed);
    int64_t after_ns = (full_ns > now_ns ? full_ns : now_ns) + failures->interval_ns;
    if (after_ns > now_ns + MINUTE_NS)
        after_ns = now_ns + MINUTE_NS;
    atomic_store_explicit(&entry->full_ns, after_ns, memory_order_relaxed);
}
