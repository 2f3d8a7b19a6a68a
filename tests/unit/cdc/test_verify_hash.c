/* The hash against the vectors of its reference implementation, and that a seed matters. */
#include "cdc/verify_hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* vectors.h of https://github.com/veorq/SipHash: key 00..0f, input 00 01 02 ..., 128 bits. */
static void the_reference_vectors_hold(void **state) {
    static const struct {
        size_t length;
        cdc_verify_hash expected;
    } vectors[] = {
        {0, {UINT64_C(0xe6a825ba047f81a3), UINT64_C(0x930255c71472f66d)}},
        {1, {UINT64_C(0x44af996bd8c187da), UINT64_C(0x45fc229b11597634)}},
    };
    const cdc_verify_seed seed = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
    const uint8_t input[] = {0};
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(vectors); i++) {
        cdc_verify_hash hash = cdc_verify_hash_of(&seed, core_slice_make(input, vectors[i].length));
        assert_true(cdc_verify_hash_equal(hash, vectors[i].expected));
    }
}

static void every_byte_and_the_length_count(void **state) {
    const cdc_verify_seed seed = {1, 2};
    uint8_t bytes[40] = {0};
    (void)state;
    for (size_t length = 1; length <= sizeof bytes; length++) {
        cdc_verify_hash plain = cdc_verify_hash_of(&seed, core_slice_make(bytes, length));
        assert_false(cdc_verify_hash_equal(
            plain, cdc_verify_hash_of(&seed, core_slice_make(bytes, length - 1))));
        for (size_t i = 0; i < length; i++) {
            bytes[i] = 1;
            cdc_verify_hash other = cdc_verify_hash_of(&seed, core_slice_make(bytes, length));
            bytes[i] = 0;
            assert_false(cdc_verify_hash_equal(plain, other));
        }
    }
}

static void another_seed_gives_another_hash(void **state) {
    cdc_verify_seed a;
    cdc_verify_seed b;
    core_error error;
    (void)state;
    assert_true(cdc_verify_seed_make(&a, &error) && cdc_verify_seed_make(&b, &error));
    assert_false(cdc_verify_hash_equal(cdc_verify_hash_of(&a, core_slice_text("x")),
                                       cdc_verify_hash_of(&b, core_slice_text("x"))));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reference_vectors_hold),
        cmocka_unit_test(every_byte_and_the_length_count),
        cmocka_unit_test(another_seed_gives_another_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
