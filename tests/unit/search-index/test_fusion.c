/* Two lists made one by their ranks: ties, documents in both, twice in one, and empty lists. */
#include "search-index/fusion.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define LIST_MAX 6

typedef struct {
    search_docid words[LIST_MAX], near[LIST_MAX]; /* end with 0 */
    double ratio;
    search_docid wanted[LIST_MAX];
    double first; /* the first one's score; 0: not looked at */
} fusion_row;

static size_t length_of(const search_docid *list) {
    size_t count = 0;
    while (count < LIST_MAX && list[count] != 0)
        count++;
    return count;
}

static void test_rows(void **state) {
    static const fusion_row rows[] = {
        {{0}, {0}, 0.5, {0}, 0},
        {{7, 3, 5}, {0}, 0.5, {7, 3, 5}, 0.5},
        {{0}, {9, 2}, 1, {9, 2}, 1},
        {{1, 2}, {2, 3}, 0.5, {2, 1, 3}, 0.5 * 61 / 62 + 0.5}, /* in both */
        {{4, 8}, {6, 5}, 0.5, {4, 6, 8, 5}, 0.5},              /* ties: words first */
        {{4}, {6}, 0.51, {6, 4}, 0.51},
        {{1, 1, 2}, {3, 3, 2}, 0.5, {2, 1, 3}, 61.0 / 63}, /* twice: the first place */
        {{1, 2}, {2, 1}, 0, {1, 2}, 1},                    /* a list without weight */
        {{1, 2, 3}, {3, 2, 1}, 0.5, {1, 3, 2}, 0},
    };
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++) {
        search_fused out[2 * LIST_MAX];
        size_t count = search_fusion_run(rows[i].words, length_of(rows[i].words), rows[i].near,
                                         length_of(rows[i].near), rows[i].ratio, out);
        if (count != length_of(rows[i].wanted))
            fail_msg("row %zu: %zu", i, count);
        for (size_t j = 0; j < count; j++)
            if (out[j].docid != rows[i].wanted[j])
                fail_msg("row %zu, %zu: %u", i, j, out[j].docid);
        if (rows[i].first > 0)
            assert_float_equal(out[0].score, rows[i].first, 1e-9);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
