/* The hashes that `walcast verify` compares: SipHash-2-4 with 128 bits (Aumasson and Bernstein,
 * https://www.aumasson.jp/siphash/siphash.pdf).
 *
 * Keyed with fresh random bits each run, so that no row can be written that hides behind another's
 * hash; small enough to be our own rather than a dependency. A key takes all 128 bits, since keys
 * are told apart by it; of a value 64 are enough, since it is compared with one other only. */
#ifndef WALCAST_CDC_VERIFY_HASH_H
#define WALCAST_CDC_VERIFY_HASH_H

#include "core/core.h"

typedef struct {
    uint64_t k0;
    uint64_t k1;
} cdc_verify_seed;

typedef struct {
    uint64_t high;
    uint64_t low;
} cdc_verify_hash;

/* INTERNAL when the system gives no random bytes. */
CORE_MUST_CHECK bool cdc_verify_seed_make(cdc_verify_seed *seed, core_error *error);
cdc_verify_hash cdc_verify_hash_of(const cdc_verify_seed *seed, core_slice bytes);

static inline bool cdc_verify_hash_equal(cdc_verify_hash a, cdc_verify_hash b) {
    return a.high == b.high && a.low == b.low;
}

#endif
