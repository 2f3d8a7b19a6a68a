/* A lease by compare-and-set in a brief bucket; see fanout.h.
 *
 * Happy path: _keep makes the key when it is not there, or writes it again under the revision that
 * it wrote before, which makes it young again. The value is the owner's id, so an answer that got
 * lost is understood with the next _keep. When the owner stops asking, the server forgets the key
 * after the bucket's age, and whoever asks next makes it anew.
 *
 * Our own end is counted from before the request: the server's is never earlier.
 *
 * While the connection is down nothing is asked: nats.c would wait out each request's time limit,
 * and whoever holds many leases, or is to stop, has no such time. */
#include "fanout/bucket.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define LEASE_MAGIC UINT32_C(0x6c656173)

enum { OWNER_MAX = 128, KEY_MAX = 128 };

struct fanout_lease {
    uint32_t magic;
    fanout_bucket *bucket;
    const core_clock *clock;
    char key[KEY_MAX];
    char owner[OWNER_MAX];
    int64_t ttl_ms;
    uint64_t revision;             /* of what we wrote; 0: not ours */
    atomic_int_least64_t until_ms; /* 0: not ours */
    atomic_uint_least64_t term;
};

fanout_lease *fanout_lease_new(fanout_bucket *bucket, const fanout_lease_spec *spec,
                               const core_clock *clock, core_error *error) {
    fanout_lease *lease = calloc(1, sizeof *lease);
    if (lease == NULL ||
        !core_slice_to_text(core_slice_text(spec->key), lease->key, sizeof lease->key) ||
        !core_slice_to_text(core_slice_text(spec->owner), lease->owner, sizeof lease->owner)) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the lease '%s' of '%s'",
                             spec->key, spec->owner);
        free(lease);
        return NULL;
    }
    lease->magic = LEASE_MAGIC;
    lease->bucket = bucket;
    lease->clock = clock;
    lease->ttl_ms = spec->ttl_ms;
    return lease;
}

void fanout_lease_free(fanout_lease *lease) {
    if (lease == NULL)
        return;
    CORE_MAGIC_CHECK(lease, LEASE_MAGIC);
    lease->magic = 0;
    free(lease);
}

static void lease_lose(fanout_lease *lease) {
    lease->revision = 0;
    atomic_store(&lease->until_ms, 0);
    (void)atomic_fetch_add(&lease->term, 1);
}

static bool lease_write(fanout_lease *lease, uint64_t expected, core_error *error) {
    int64_t before_ms = core_clock_ms(lease->clock);
    if (!fanout_bucket_set(lease->bucket, lease->key, core_slice_text(lease->owner), expected,
                           &lease->revision, error))
        return false;
    atomic_store(&lease->until_ms, before_ms + lease->ttl_ms);
    return true;
}

/* Who holds the key: `*revision` of it if it is ours or nobody's. */
static bool lease_look(fanout_lease *lease, uint64_t *revision, core_error *error) {
    char memory[OWNER_MAX];
    core_buffer owner = core_buffer_over(memory, sizeof memory);
    if (!fanout_bucket_get(lease->bucket, lease->key, &owner, revision, error))
        return false;
    if (*revision == 0 || core_slice_is(core_buffer_slice(&owner), lease->owner))
        return true;
    return core_error_set(error, CORE_ERROR_CONFLICT, "'%.*s' holds the lease '%s'",
                          CORE_SLICE_ARGS(core_buffer_slice(&owner)), lease->key);
}

static bool lease_can_ask(const fanout_lease *lease) {
    return fanout_connection_alive(lease->bucket->connection);
}

bool fanout_lease_keep(fanout_lease *lease, core_error *error) {
    uint64_t revision = 0;
    core_error why = {0};
    CORE_MAGIC_CHECK(lease, LEASE_MAGIC);
    if (!lease_can_ask(lease))
        return core_error_set(error, CORE_ERROR_TRANSIENT, "no NATS to ask for the lease '%s'",
                              lease->key);
    if (lease->revision != 0 && lease_write(lease, lease->revision, &why))
        return true;
    /* Without an answer it stays ours until its end. */
    if (lease->revision != 0 && why.code != CORE_ERROR_CONFLICT) {
        if (error != NULL)
            *error = why;
        return false;
    }
    lease_lose(lease);
    return lease_look(lease, &revision, error) && lease_write(lease, revision, error);
}

bool fanout_lease_held(const fanout_lease *lease) {
    return core_clock_ms(lease->clock) < atomic_load(&lease->until_ms);
}

uint64_t fanout_lease_term(const fanout_lease *lease) {
    return atomic_load(&lease->term);
}

void fanout_lease_release(fanout_lease *lease) {
    uint64_t revision = lease->revision;
    core_error ignored;
    CORE_MAGIC_CHECK(lease, LEASE_MAGIC);
    lease_lose(lease);
    if (revision != 0 && lease_can_ask(lease))
        (void)!fanout_bucket_erase(lease->bucket, lease->key, revision, &ignored);
}
