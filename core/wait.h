/* Waiting between threads: a condition with a time limit on the monotonic clock, and an eventfd
 * that wakes a thread out of poll(2). */
#ifndef WALCAST_CORE_WAIT_H
#define WALCAST_CORE_WAIT_H

#include "core/base.h"

#include <pthread.h>

/* Its time limits do not move with the wall clock. */
void core_condition_init(pthread_cond_t *condition);
/* With the mutex held: until it is signalled, or the time is over (false). May also return early.
 */
bool core_condition_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t timeout_ms);

/* Makes the eventfd readable. Any thread. */
void core_wake_set(int fd);
/* Undoes it; fine when it was not set. */
void core_wake_clear(int fd);

#endif
