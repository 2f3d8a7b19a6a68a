/* AES-256-GCM against the specification's own vectors (McGrew and Viega, "The Galois/Counter Mode
 * of Operation", test cases 13 to 16, which NIST SP 800-38D takes over). */
#include "auth/gcm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

typedef struct {
    const char *key, *nonce, *associated, *plain, *sealed; /* hexadecimal */
} gcm_case;

#define ZERO_16 "00000000000000000000000000000000"
#define KEY     "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"
#define NONCE   "cafebabefacedbaddecaf888"
#define PLAIN_60                                                                                   \
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"                             \
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
#define SEALED_60                                                                                  \
    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"                             \
    "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"

static const gcm_case cases[] = {
    {ZERO_16 ZERO_16, "000000000000000000000000", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
    {ZERO_16 ZERO_16, "000000000000000000000000", "", ZERO_16,
     "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"},
    {KEY, NONCE, "", PLAIN_60 "1aafd255", SEALED_60 "898015adb094dac5d93471bdec1a502270e3cc6c"},
    {KEY, NONCE, "feedfacedeadbeeffeedfacedeadbeefabaddad2", PLAIN_60,
     SEALED_60 "76fc6ece0f4e1768cddf8853bb2d551b"},
};

static size_t from_hex(const char *hex, uint8_t *bytes) {
    size_t length = strlen(hex) / 2;
    for (size_t i = 0; i < length; i++) {
        unsigned value = 0;
        for (size_t k = 0; k < 2; k++) {
            char c = hex[2 * i + k];
            value = value * 16 + (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
        }
        bytes[i] = (uint8_t)value;
    }
    return length;
}

static void the_vectors(void **state) {
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(cases); i++) {
        uint8_t key[32], nonce[12], associated[64], plain[64], sealed[80], made[80], opened[64];
        (void)from_hex(cases[i].key, key);
        (void)from_hex(cases[i].nonce, nonce);
        core_slice with = core_slice_make(associated, from_hex(cases[i].associated, associated));
        core_slice text = core_slice_make(plain, from_hex(cases[i].plain, plain));
        core_slice whole = core_slice_make(sealed, from_hex(cases[i].sealed, sealed));
        assert_int_equal(whole.length, text.length + AUTH_GCM_TAG_SIZE);
        assert_true(auth_gcm_seal(key, nonce, with, text, made));
        assert_memory_equal(made, sealed, whole.length);
        assert_true(auth_gcm_open(key, nonce, with, whole, opened));
        assert_memory_equal(opened, plain, text.length);
    }
}

static void nothing_opens_that_was_changed(void **state) {
    (void)state;
    const gcm_case *it = &cases[3];
    uint8_t key[32], nonce[12], associated[64], sealed[80], opened[64];
    (void)from_hex(it->key, key);
    (void)from_hex(it->nonce, nonce);
    core_slice with = core_slice_make(associated, from_hex(it->associated, associated));
    core_slice whole = core_slice_make(sealed, from_hex(it->sealed, sealed));
    for (size_t i = 0; i < whole.length; i++) {
        sealed[i] ^= 1;
        memset(opened, 0xAA, sizeof opened);
        assert_false(auth_gcm_open(key, nonce, with, whole, opened));
        for (size_t k = 0; k < whole.length - AUTH_GCM_TAG_SIZE; k++)
            assert_int_equal(opened[k], 0); /* no text that nobody vouches for */
        sealed[i] ^= 1;
    }
    associated[0] ^= 1;
    assert_false(auth_gcm_open(key, nonce, with, whole, opened));
    associated[0] ^= 1;
    assert_false(auth_gcm_open(key, nonce, core_slice_make(NULL, 0), whole, opened));
    assert_false(auth_gcm_open(key, nonce, with, core_slice_make(sealed, 15), opened));
    nonce[0] ^= 1;
    assert_false(auth_gcm_open(key, nonce, with, whole, opened));
}

static void random_bytes_differ(void **state) {
    (void)state;
    uint8_t a[32], b[32];
    assert_true(auth_random(a, sizeof a) && auth_random(b, sizeof b));
    assert_memory_not_equal(a, b, sizeof a);
    auth_wipe(a, sizeof a);
    memset(b, 0, sizeof b);
    assert_memory_equal(a, b, sizeof a);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_vectors),
                                       cmocka_unit_test(nothing_opens_that_was_changed),
                                       cmocka_unit_test(random_bytes_differ)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
