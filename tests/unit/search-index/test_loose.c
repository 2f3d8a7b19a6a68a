/* Pieces whose record has not come, or is not in a base: up to where the log may be forgotten. */
#include "search-index/loose.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define SECOND_US INT64_C(1000000)

typedef struct {
    search_loose *loose;
    uint64_t sequence;
} world;

static void piece(world *it, int64_t at_us) {
    const search_record record = {.is_piece = true};
    search_loose_note(it->loose, ++it->sequence, at_us, &record);
}

static void whole(world *it, int64_t at_us, const uint64_t *pieces, size_t count) {
    const search_record record = {.pieces = pieces, .piece_count = count};
    search_loose_note(it->loose, ++it->sequence, at_us, &record);
}

static void test_pieces_stay_for_their_record(void **state) {
    (void)state;
    world it = {.loose = search_loose_new()};
    const uint64_t pieces[] = {2, 4};
    whole(&it, 0, NULL, 0);
    piece(&it, 0); /* 2 */
    whole(&it, 0, NULL, 0);
    piece(&it, 0); /* 4 */
    assert_int_equal(search_loose_spared(it.loose, 1), 1);
    assert_int_equal(search_loose_spared(it.loose, 3), 1);
    assert_int_equal(search_loose_spared(it.loose, 4), 1);
    whole(&it, 0, pieces, 2);                              /* 5 */
    assert_int_equal(search_loose_spared(it.loose, 4), 1); /* it is behind that base */
    assert_int_equal(search_loose_spared(it.loose, 5), 5);
    search_loose_free(it.loose);
}

static void test_marks_are_no_pieces(void **state) {
    (void)state;
    world it = {.loose = search_loose_new()};
    const search_record mark = {.is_piece = true, .taken = 1};
    whole(&it, 0, NULL, 0);
    search_loose_note(it.loose, ++it.sequence, 0, &mark);
    assert_int_equal(search_loose_spared(it.loose, 2), 2);
    search_loose_free(it.loose);
}

static void test_what_never_ends_is_let_go(void **state) {
    (void)state;
    world it = {.loose = search_loose_new()};
    whole(&it, 0, NULL, 0);
    piece(&it, SECOND_US); /* 2 */
    whole(&it, SEARCH_PIECE_AGE_US, NULL, 0);
    assert_int_equal(search_loose_spared(it.loose, 3), 1);
    whole(&it, SEARCH_PIECE_AGE_US + SECOND_US + 1, NULL, 0);
    assert_int_equal(search_loose_spared(it.loose, 3), 3);
    search_loose_free(it.loose);
}

/* A log that is read again tells nothing new. */
static void test_again(void **state) {
    (void)state;
    world it = {.loose = search_loose_new()};
    const uint64_t pieces[] = {1};
    piece(&it, 0);
    whole(&it, 0, pieces, 1);
    it.sequence = 0;
    piece(&it, 0);
    whole(&it, 0, pieces, 1);
    assert_int_equal(search_loose_spared(it.loose, 2), 2);
    search_loose_free(it.loose);
}

static void test_too_many_spare_nothing(void **state) {
    (void)state;
    world it = {.loose = search_loose_new()};
    for (size_t i = 0; i <= SEARCH_LOOSE_MAX; i++)
        piece(&it, 0);
    whole(&it, 2 * SEARCH_PIECE_AGE_US, NULL, 0);
    assert_int_equal(search_loose_spared(it.loose, it.sequence), 0);
    search_loose_free(it.loose);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pieces_stay_for_their_record),
                                       cmocka_unit_test(test_marks_are_no_pieces),
                                       cmocka_unit_test(test_what_never_ends_is_let_go),
                                       cmocka_unit_test(test_again),
                                       cmocka_unit_test(test_too_many_spare_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
