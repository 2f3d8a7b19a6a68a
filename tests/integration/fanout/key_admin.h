/* What the tests of API keys share: an administrator of keys, and a clock that the test moves. */
#ifndef WALCAST_TESTS_INTEGRATION_FANOUT_KEY_ADMIN_H
#define WALCAST_TESTS_INTEGRATION_FANOUT_KEY_ADMIN_H

#include "tests/integration/fanout/house.h"

#include "auth/auth.h"

#include <stdatomic.h>
#include <stdio.h>

/* The system's clock, moved ahead by the test. */
typedef struct {
    core_clock clock;
    atomic_llong ahead_us;
} moved_clock;

static inline int64_t moved_monotonic_ns(const core_clock *clock) {
    const core_clock *system = core_clock_system();
    return system->monotonic_ns(system) +
           atomic_load(&((const moved_clock *)clock)->ahead_us) * 1000;
}

static inline int64_t moved_wall_us(const core_clock *clock) {
    return core_clock_wall_us(core_clock_system()) +
           atomic_load(&((const moved_clock *)clock)->ahead_us);
}

static inline void moved_clock_init(moved_clock *clock) {
    clock->clock = (core_clock){moved_monotonic_ns, moved_wall_us};
    atomic_init(&clock->ahead_us, 0);
}

static inline void moved_clock_pass(moved_clock *clock, int64_t seconds) {
    atomic_fetch_add(&clock->ahead_us, seconds * CORE_US_PER_S);
}

static inline int64_t moved_clock_s(const moved_clock *clock) {
    return core_clock_wall_us(&clock->clock) / CORE_US_PER_S;
}

static inline auth_key_record key_wish(const char *name, unsigned scopes) {
    auth_key_record wished = {.project = "default",
                              .environment = "dev",
                              .role = "authenticated",
                              .subject = "bot",
                              .scopes = scopes};
    (void)snprintf(wished.name, sizeof wished.name, "%s", name);
    return wished;
}

static inline void key_create(auth_key_store *store, const auth_key_record *wished,
                              int64_t expires_s, char key[AUTH_KEY_TEXT_MAX]) {
    auth_key_record made;
    core_error error = {0};
    if (!auth_key_create(store, wished, expires_s, key, &made, &error))
        fail_msg("%s", error.text);
}

static inline void key_create_named(auth_key_store *store, const char *name, unsigned scopes,
                                    char key[AUTH_KEY_TEXT_MAX]) {
    auth_key_record wished = key_wish(name, scopes);
    key_create(store, &wished, AUTH_NEVER_S, key);
}

#endif
