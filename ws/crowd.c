/* See crowd.h. Open addressing with linear probing; a row that goes is filled from behind, so there
 * are no tombstones. */
#include "ws/crowd.h"

#include <stdlib.h>

#define CROWD_PREFIX_V6 8 /* bytes that count */

bool ws_crowd_init(ws_crowd *crowd, size_t limit, size_t connections, uint64_t seed) {
    size_t places = 16;
    while (places < 2 * connections)
        places *= 2;
    *crowd = (ws_crowd){.limit = limit, .mask = places - 1, .seed = seed};
    (void)pthread_mutex_init(&crowd->lock, NULL);
    if (limit == 0)
        return true;
    crowd->rows = calloc(places, sizeof *crowd->rows);
    return crowd->rows != NULL;
}

void ws_crowd_fini(ws_crowd *crowd) {
    free(crowd->rows);
    (void)pthread_mutex_destroy(&crowd->lock);
}

static core_address crowd_address(const core_address *address) {
    core_address counted = *address;
    if (counted.family == CORE_ADDRESS_V6)
        memset(counted.bytes + CROWD_PREFIX_V6, 0, sizeof counted.bytes - CROWD_PREFIX_V6);
    return counted;
}

static size_t crowd_place(const ws_crowd *crowd, const core_address *address) {
    uint8_t bytes[sizeof crowd->seed + sizeof address->bytes];
    memcpy(bytes, &crowd->seed, sizeof crowd->seed);
    memcpy(bytes + sizeof crowd->seed, address->bytes, sizeof address->bytes);
    return (size_t)core_slice_hash(core_slice_make(bytes, sizeof bytes)) & crowd->mask;
}

/* The address's row, or the free one where it would be. */
static size_t crowd_find(const ws_crowd *crowd, const core_address *address) {
    size_t at = crowd_place(crowd, address);
    while (crowd->rows[at].count > 0 && !core_address_equal(&crowd->rows[at].address, address))
        at = (at + 1) & crowd->mask;
    return at;
}

bool ws_crowd_enter(ws_crowd *crowd, const core_address *address) {
    if (crowd->limit == 0)
        return true;
    const core_address counted = crowd_address(address);
    (void)pthread_mutex_lock(&crowd->lock);
    ws_crowd_row *row = &crowd->rows[crowd_find(crowd, &counted)];
    bool ok = row->count < crowd->limit;
    if (ok) {
        row->address = counted;
        row->count++;
    }
    (void)pthread_mutex_unlock(&crowd->lock);
    return ok;
}

/* The row is free: what stands behind it because of it moves up. */
static void crowd_close_gap(ws_crowd *crowd, size_t gap) {
    for (size_t at = (gap + 1) & crowd->mask; crowd->rows[at].count > 0;
         at = (at + 1) & crowd->mask) {
        size_t home = crowd_place(crowd, &crowd->rows[at].address);
        if (((at - home) & crowd->mask) < ((at - gap) & crowd->mask))
            continue;
        crowd->rows[gap] = crowd->rows[at];
        crowd->rows[at].count = 0;
        gap = at;
    }
}

void ws_crowd_leave(ws_crowd *crowd, const core_address *address) {
    if (crowd->limit == 0)
        return;
    const core_address counted = crowd_address(address);
    (void)pthread_mutex_lock(&crowd->lock);
    size_t at = crowd_find(crowd, &counted);
    assert(crowd->rows[at].count > 0);
    if (--crowd->rows[at].count == 0)
        crowd_close_gap(crowd, at);
    (void)pthread_mutex_unlock(&crowd->lock);
}
