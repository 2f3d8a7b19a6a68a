/* See verify_hash.h. Words are read little-endian whatever the machine, as the paper's test vectors
 * have it. Cannot fail. */
#include "cdc/verify_hash.h"

#include <sys/random.h>

typedef struct {
    uint64_t v0, v1, v2, v3;
} sip_state;

bool cdc_verify_seed_make(cdc_verify_seed *seed, core_error *error) {
    return getrandom(seed, sizeof *seed, 0) == (ssize_t)sizeof *seed ||
           core_error_set(error, CORE_ERROR_INTERNAL, "the system gives no random bytes");
}

static inline uint64_t rotated(uint64_t word, unsigned bits) {
    return word << bits | word >> (64 - bits);
}

static inline void sip_rounds(sip_state *s, unsigned rounds) {
    for (; rounds > 0; rounds--) {
        s->v0 += s->v1;
        s->v2 += s->v3;
        s->v1 = rotated(s->v1, 13) ^ s->v0;
        s->v3 = rotated(s->v3, 16) ^ s->v2;
        s->v0 = rotated(s->v0, 32);
        s->v2 += s->v1;
        s->v0 += s->v3;
        s->v1 = rotated(s->v1, 17) ^ s->v2;
        s->v3 = rotated(s->v3, 21) ^ s->v0;
        s->v2 = rotated(s->v2, 32);
    }
}

static inline void sip_word(sip_state *s, uint64_t word) {
    s->v3 ^= word;
    sip_rounds(s, 2);
    s->v0 ^= word;
}

static inline uint64_t word_at(const uint8_t *bytes, size_t length) {
    uint64_t word = 0;
    for (size_t i = 0; i < length; i++)
        word |= (uint64_t)bytes[i] << 8 * i;
    return word;
}

cdc_verify_hash cdc_verify_hash_of(const cdc_verify_seed *seed, core_slice bytes) {
    sip_state s = {
        .v0 = seed->k0 ^ UINT64_C(0x736f6d6570736575),
        .v1 = seed->k1 ^ UINT64_C(0x646f72616e646f6d) ^ 0xee,
        .v2 = seed->k0 ^ UINT64_C(0x6c7967656e657261),
        .v3 = seed->k1 ^ UINT64_C(0x7465646279746573),
    };
    size_t whole = bytes.length / 8 * 8;
    for (size_t at = 0; at < whole; at += 8)
        sip_word(&s, word_at(bytes.data + at, 8));
    uint64_t tail = bytes.length > whole ? word_at(bytes.data + whole, bytes.length - whole) : 0;
    sip_word(&s, tail | (uint64_t)bytes.length << 56);
    s.v2 ^= 0xee;
    sip_rounds(&s, 4);
    cdc_verify_hash hash = {.high = s.v0 ^ s.v1 ^ s.v2 ^ s.v3};
    s.v1 ^= 0xdd;
    sip_rounds(&s, 4);
    hash.low = s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
    return hash;
}
