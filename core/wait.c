/* See wait.h. */
#include "core/wait.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

void core_condition_init(pthread_cond_t *condition) {
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(condition, &attributes);
    (void)pthread_condattr_destroy(&attributes);
}

bool core_condition_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t timeout_ms) {
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t at_ns = until.tv_nsec + timeout_ms % CORE_MS_PER_S * CORE_NS_PER_MS;
    until.tv_sec += timeout_ms / CORE_MS_PER_S + at_ns / (CORE_MS_PER_S * CORE_NS_PER_MS);
    until.tv_nsec = at_ns % (CORE_MS_PER_S * CORE_NS_PER_MS);
    return pthread_cond_timedwait(condition, mutex, &until) != ETIMEDOUT;
}

void core_wake_set(int fd) {
    uint64_t one = 1;
    if (write(fd, &one, sizeof one) != (ssize_t)sizeof one)
        abort(); /* an eventfd refuses only at 2^64 - 1 */
}

void core_wake_clear(int fd) {
    uint64_t count;
    if (read(fd, &count, sizeof count) < 0 && errno != EAGAIN)
        abort();
}
