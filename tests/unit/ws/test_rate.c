/* Token buckets and patience, over simulated time. */
#include "ws/rate.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define MS    CORE_NS_PER_MS
#define START (1000000 * MS)

/* Takes as many as are there. */
static int take_all(ws_rate_bucket *bucket, ws_rate rate, int64_t now_ns) {
    int taken = 0;
    while (taken < 100000 && ws_rate_wait_ns(bucket, rate, now_ns) == 0) {
        ws_rate_take(bucket, rate, now_ns);
        taken++;
    }
    return taken;
}

static void test_a_burst_then_the_rate(void **state) {
    (void)state;
    ws_rate rate = ws_rate_make(100);
    ws_rate_bucket bucket = {0};
    assert_int_equal(take_all(&bucket, rate, START), 100);
    assert_int_equal(ws_rate_wait_ns(&bucket, rate, START), 10 * MS);
    assert_int_equal(ws_rate_wait_ns(&bucket, rate, START + 4 * MS), 6 * MS);
    assert_int_equal(take_all(&bucket, rate, START + 250 * MS), 25);
    assert_int_equal(take_all(&bucket, rate, START + 60000 * MS), 100); /* no more is saved up */
}

static void test_credit_is_paid_back(void **state) {
    (void)state;
    ws_rate rate = ws_rate_make(10);
    ws_rate_bucket bucket = {0};
    assert_int_equal(take_all(&bucket, rate, START), 10);
    for (int i = 0; i < 3; i++)
        ws_rate_take(&bucket, rate, START);
    assert_int_equal(ws_rate_wait_ns(&bucket, rate, START), 400 * MS);
    assert_int_equal(take_all(&bucket, rate, START + 400 * MS), 1);
}

static void test_one_a_second_and_no_limit(void **state) {
    (void)state;
    ws_rate_bucket bucket = {0};
    assert_int_equal(take_all(&bucket, ws_rate_make(1), START), 1);
    assert_int_equal(ws_rate_wait_ns(&bucket, ws_rate_make(1), START), 1000 * MS);
    assert_int_equal(take_all(&bucket, ws_rate_make(0), START), 100000);
}

#define THREADS 4
#define TAKES   50000

static ws_rate_bucket shared_bucket;

static void *take_many(void *context) {
    for (int i = 0; i < TAKES; i++)
        ws_rate_take(&shared_bucket, *(ws_rate *)context, START);
    return NULL;
}

static void test_threads_lose_no_token(void **state) {
    (void)state;
    ws_rate rate = ws_rate_make(1000000);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_many, &rate), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&shared_bucket.full_ns) - START,
                     (int64_t)THREADS * TAKES * rate.interval_ns);
}

static void test_patience(void **state) {
    (void)state;
    static const struct {
        int64_t at_ms, wait_ms;
        ws_patience_verdict verdict;
    } rows[] = {
        {0, 0, WS_PATIENCE_GO},
        {10, 5, WS_PATIENCE_THROTTLE},
        {260, 5, WS_PATIENCE_THROTTLE},
        {400, 0, WS_PATIENCE_GO},
        {900, 1000, WS_PATIENCE_THROTTLE},
        {950, 1001, WS_PATIENCE_REFUSE},
        {1010, 5, WS_PATIENCE_REFUSE},
        {2000, 0, WS_PATIENCE_GO},
        {3000, 5, WS_PATIENCE_REFUSE},
        {4900, 5, WS_PATIENCE_REFUSE},
        {6800, 5, WS_PATIENCE_REFUSE},
        {8700, 5, WS_PATIENCE_REFUSE},
        {10009, 5, WS_PATIENCE_REFUSE},
        {10010, 0, WS_PATIENCE_GO},
        {10010, 5, WS_PATIENCE_CLOSE},
        {12011, 5, WS_PATIENCE_THROTTLE}, /* it was quiet */
        {13011, 5, WS_PATIENCE_REFUSE},
    };
    ws_patience patience = {0};
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++)
        assert_int_equal(
            ws_patience_judge(&patience, rows[i].wait_ms * MS, START / MS + rows[i].at_ms),
            rows[i].verdict);
}

/* A client that sends three times its rate for a while, read as the gateway reads it: it gets its
 * rate all the time, in pauses first, and is refused what is more only later. */
static void test_a_flood_gets_its_rate(void **state) {
    (void)state;
    ws_rate rate = ws_rate_make(1000);
    ws_rate_bucket bucket = {0};
    ws_patience patience = {0};
    int passed = 0, refused = 0;
    int64_t paused_until_ms = 0;
    for (int64_t ms = START / MS; ms < START / MS + 5000; ms++) {
        for (int i = 0; i < 3 && ms >= paused_until_ms; i++) {
            int64_t wait_ns = ws_rate_wait_ns(&bucket, rate, ms * MS);
            ws_patience_verdict verdict = ws_patience_judge(&patience, wait_ns, ms);
            if (verdict == WS_PATIENCE_REFUSE) {
                refused++;
                continue;
            }
            assert_int_not_equal(verdict, WS_PATIENCE_CLOSE);
            ws_rate_take(&bucket, rate, ms * MS);
            passed++;
            if (verdict == WS_PATIENCE_THROTTLE)
                paused_until_ms = ms + 1 + wait_ns / MS;
        }
    }
    assert_in_range(passed, 5900, 6100); /* the burst and five seconds */
    assert_in_range(refused, 5000, 8000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_burst_then_the_rate),
        cmocka_unit_test(test_credit_is_paid_back),
        cmocka_unit_test(test_one_a_second_and_no_limit),
        cmocka_unit_test(test_threads_lose_no_token),
        cmocka_unit_test(test_patience),
        cmocka_unit_test(test_a_flood_gets_its_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
