/* Waiting between threads: a time limit that is kept, a signal that ends it, an eventfd that wakes.
 */
#include "core/core.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool set;
} shared;

static void *shared_set(void *context) {
    shared *with = context;
    (void)pthread_mutex_lock(&with->mutex);
    with->set = true;
    (void)pthread_cond_broadcast(&with->changed);
    (void)pthread_mutex_unlock(&with->mutex);
    return NULL;
}

static void a_wait_ends_when_its_time_is_over(void **state) {
    (void)state;
    const core_clock *clock = core_clock_system();
    shared with = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    core_condition_init(&with.changed);
    int64_t before_ns = clock->monotonic_ns(clock);
    (void)pthread_mutex_lock(&with.mutex);
    while (core_condition_wait(&with.changed, &with.mutex, 20))
        continue;
    (void)pthread_mutex_unlock(&with.mutex);
    assert_true(clock->monotonic_ns(clock) - before_ns >= 20 * CORE_NS_PER_MS);
    (void)pthread_cond_destroy(&with.changed);
}

static void a_signal_ends_it_before(void **state) {
    (void)state;
    shared with = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    pthread_t thread;
    core_condition_init(&with.changed);
    (void)pthread_mutex_lock(&with.mutex);
    assert_int_equal(pthread_create(&thread, NULL, shared_set, &with), 0);
    while (!with.set)
        assert_true(core_condition_wait(&with.changed, &with.mutex, 60 * CORE_MS_PER_S));
    (void)pthread_mutex_unlock(&with.mutex);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)pthread_cond_destroy(&with.changed);
}

static bool readable(int fd) {
    struct pollfd one = {.fd = fd, .events = POLLIN};
    return poll(&one, 1, 0) == 1;
}

static void a_wake_stands_until_it_is_cleared(void **state) {
    (void)state;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_true(fd >= 0);
    core_wake_clear(fd);
    assert_false(readable(fd));
    core_wake_set(fd);
    core_wake_set(fd);
    assert_true(readable(fd));
    core_wake_clear(fd);
    assert_false(readable(fd));
    (void)close(fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wait_ends_when_its_time_is_over),
        cmocka_unit_test(a_signal_ends_it_before),
        cmocka_unit_test(a_wake_stands_until_it_is_cleared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
