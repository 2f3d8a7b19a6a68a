/* See hub_recent.h. */
#include "ws/hub_recent.h"

#include <stdlib.h>

/* `a` is before `b`, modulo 2^32. */
static bool is_before(uint32_t a, uint32_t b) {
    return (int32_t)(a - b) < 0;
}

bool hub_recent_init(hub_recent *recent, core_error *error) {
    *recent = (hub_recent){.entries = calloc(HUB_RECENT_MAX, sizeof *recent->entries)};
    (void)pthread_mutex_init(&recent->lock, NULL);
    return recent->entries != NULL ||
           core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for the last transactions");
}

void hub_recent_fini(hub_recent *recent) {
    (void)pthread_mutex_destroy(&recent->lock);
    free(recent->entries);
    recent->entries = NULL;
}

void hub_recent_begin(hub_recent *recent, uint64_t position,
                      const char epoch[CORE_EPOCH_TEXT_SIZE]) {
    (void)pthread_mutex_lock(&recent->lock);
    recent->generation++;
    recent->count = 0;
    recent->bounded = recent->forgot = false;
    recent->position = position;
    memcpy(recent->epoch, epoch, sizeof recent->epoch);
    (void)pthread_mutex_unlock(&recent->lock);
}

static hub_recent_entry *entry_at(const hub_recent *recent, uint64_t number) {
    return &recent->entries[number & (HUB_RECENT_MAX - 1)];
}

static void forget(hub_recent *recent, uint32_t xid) {
    if (!recent->forgot || is_before(recent->forgotten, xid + 1))
        recent->forgotten = xid + 1;
    recent->forgot = true;
}

void hub_recent_add(hub_recent *recent, uint32_t xid, uint64_t sequence) {
    if (xid == 0 || (recent->count > 0 && entry_at(recent, recent->count - 1)->xid == xid))
        return; /* only this thread writes */
    (void)pthread_mutex_lock(&recent->lock);
    hub_recent_entry *entry = entry_at(recent, recent->count);
    if (recent->count >= HUB_RECENT_MAX)
        forget(recent, entry->xid);
    *entry = (hub_recent_entry){.sequence = sequence, .xid = xid};
    recent->count++;
    (void)pthread_mutex_unlock(&recent->lock);
}

void hub_recent_pass(hub_recent *recent, uint64_t position,
                     const char epoch[CORE_EPOCH_TEXT_SIZE]) {
    (void)pthread_mutex_lock(&recent->lock);
    recent->position = position;
    memcpy(recent->epoch, epoch, sizeof recent->epoch);
    (void)pthread_mutex_unlock(&recent->lock);
}

uint64_t hub_recent_generation(hub_recent *recent) {
    (void)pthread_mutex_lock(&recent->lock);
    uint64_t generation = recent->generation;
    (void)pthread_mutex_unlock(&recent->lock);
    return generation;
}

/* ---- Asking; with the lock held ---- */

static uint64_t oldest(const hub_recent *recent) {
    return recent->count > HUB_RECENT_MAX ? recent->count - HUB_RECENT_MAX : 0;
}

static bool is_kept(const hub_recent *recent, uint32_t xid) {
    for (uint64_t i = oldest(recent); i < recent->count; i++)
        if (entry_at(recent, i)->xid == xid)
            return true;
    return false;
}

static void place_find(const hub_recent *recent, core_visibility *visibility,
                       hub_recent_answer *answer) {
    answer->position = recent->position;
    memcpy(answer->epoch, recent->epoch, sizeof answer->epoch);
    for (uint64_t i = oldest(recent); i < recent->count; i++) {
        const hub_recent_entry *entry = entry_at(recent, i);
        if (core_visibility_sees(visibility, entry->xid))
            continue;
        if (entry->sequence - 1 < answer->position)
            answer->position = entry->sequence - 1;
        return;
    }
}

static void doubts_find(const hub_recent *recent, const core_visibility *visibility,
                        hub_recent_answer *answer) {
    for (size_t i = 0; i < visibility->running.length; i++) {
        uint32_t xid = visibility->running.xids[i];
        if (!is_before(xid, recent->bound) || is_kept(recent, xid))
            continue;
        answer->verdict = HUB_RECENT_DOUBT;
        if (answer->doubt_count == HUB_RECENT_DOUBTS) {
            answer->verdict = HUB_RECENT_STALE;
            return;
        }
        answer->doubts[answer->doubt_count++] = xid;
    }
}

/* A snapshot of this generation is younger than the beginning: all before that are below its end.
 */
static bool bound_settle(hub_recent *recent, uint32_t end) {
    if (!recent->bounded)
        recent->bound = end;
    recent->bounded = true;
    if (recent->forgot && is_before(recent->bound, recent->forgotten))
        recent->bound = recent->forgotten;
    return !is_before(end, recent->bound);
}

hub_recent_answer hub_recent_ask(hub_recent *recent, uint64_t generation,
                                 core_visibility *visibility) {
    hub_recent_answer answer = {.verdict = HUB_RECENT_SURE};
    (void)pthread_mutex_lock(&recent->lock);
    if (recent->generation != generation || !bound_settle(recent, (uint32_t)visibility->xmax))
        answer.verdict = HUB_RECENT_STALE;
    else
        doubts_find(recent, visibility, &answer);
    if (answer.verdict != HUB_RECENT_STALE)
        place_find(recent, visibility, &answer);
    (void)pthread_mutex_unlock(&recent->lock);
    return answer;
}
