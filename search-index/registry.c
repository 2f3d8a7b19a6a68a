/* See registry.h. */
#include "search-index/registry.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define OPEN_MAGIC     UINT32_C(0x534f504e) /* "SOPN" */
#define REGISTRY_MAGIC UINT32_C(0x53524547) /* "SREG" */

struct search_open {
    uint32_t magic;
    atomic_uint references;
    _Atomic(const search_entry *) entry;
    const search_entry **former; /* entries that it had: somebody may look at one still */
    size_t former_count;
    search_backend *backend;
    char *path;
    atomic_bool is_discarded;
    pthread_mutex_t mutex; /* guards `reached` */
    core_offset reached;
};

struct search_registry {
    uint32_t magic;
    size_t max;
    pthread_mutex_t mutex;
    pthread_cond_t moved;
    search_open **items;
    size_t count;
    bool is_stopping;
};

/* ---- One ---- */

search_open *search_open_new(const search_entry *entry, search_backend *backend, const char *path) {
    search_open *open = calloc(1, sizeof *open);
    char *copy = strdup(path);
    if (open == NULL || copy == NULL) {
        free(open);
        free(copy);
        search_backend_close(backend);
        return NULL;
    }
    open->magic = OPEN_MAGIC;
    atomic_init(&open->references, 1);
    atomic_init(&open->is_discarded, false);
    atomic_init(&open->entry, search_entry_hold(entry));
    open->backend = backend;
    open->path = copy;
    (void)pthread_mutex_init(&open->mutex, NULL);
    return open;
}

search_open *search_open_hold(search_open *open) {
    (void)atomic_fetch_add_explicit(&open->references, 1, memory_order_relaxed);
    return open;
}

void search_open_release(search_open *open) {
    core_error ignored;
    if (open == NULL)
        return;
    CORE_MAGIC_CHECK(open, OPEN_MAGIC);
    if (atomic_fetch_sub_explicit(&open->references, 1, memory_order_acq_rel) != 1)
        return;
    search_backend_close(open->backend);
    if (atomic_load(&open->is_discarded))
        (void)!search_store_remove(open->path, &ignored); /* tried again at the next start */
    search_entry_release(open->entry);
    for (size_t i = 0; i < open->former_count; i++)
        search_entry_release(open->former[i]);
    free(open->former);
    (void)pthread_mutex_destroy(&open->mutex);
    free(open->path);
    open->magic = 0;
    free(open);
}

const search_entry *search_open_entry(const search_open *open) {
    return open->entry;
}

search_backend *search_open_backend(const search_open *open) {
    return open->backend;
}

void search_open_discard(search_open *open) {
    atomic_store(&open->is_discarded, true);
}

core_offset search_open_reached(const search_open *open) {
    pthread_mutex_t *mutex = &((search_open *)(uintptr_t)open)->mutex;
    (void)pthread_mutex_lock(mutex);
    core_offset reached = open->reached;
    (void)pthread_mutex_unlock(mutex);
    return reached;
}

/* ---- All ---- */

search_registry *search_registry_new(size_t max) {
    search_registry *registry = calloc(1, sizeof *registry);
    search_open **items = calloc(max, sizeof(search_open *));
    if (registry == NULL || items == NULL) {
        free(registry);
        free(items);
        return NULL;
    }
    *registry = (search_registry){.magic = REGISTRY_MAGIC, .max = max, .items = items};
    (void)pthread_mutex_init(&registry->mutex, NULL);
    core_condition_init(&registry->moved);
    return registry;
}

void search_registry_free(search_registry *registry) {
    if (registry == NULL)
        return;
    CORE_MAGIC_CHECK(registry, REGISTRY_MAGIC);
    for (size_t i = 0; i < registry->count; i++)
        search_open_release(registry->items[i]);
    (void)pthread_cond_destroy(&registry->moved);
    (void)pthread_mutex_destroy(&registry->mutex);
    free(registry->items);
    registry->magic = 0;
    free(registry);
}

/* Its place, or where it would stand; the mutex is held. */
static size_t place_of(const search_registry *registry, core_slice project, core_slice uid,
                       bool *found) {
    size_t low = 0, high = registry->count;
    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const search_entry *entry = registry->items[middle]->entry;
        int order = core_slice_compare(entry->project, project);
        order = order != 0 ? order : core_slice_compare(entry->uid, uid);
        *found |= order == 0;
        if (order >= 0)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

search_open *search_registry_find(search_registry *registry, core_slice project, core_slice uid) {
    bool found;
    CORE_MAGIC_CHECK(registry, REGISTRY_MAGIC);
    (void)pthread_mutex_lock(&registry->mutex);
    size_t place = place_of(registry, project, uid, &found);
    search_open *open = found ? search_open_hold(registry->items[place]) : NULL;
    (void)pthread_mutex_unlock(&registry->mutex);
    return open;
}

bool search_registry_put(search_registry *registry, search_open *open) {
    bool found;
    search_open *was = NULL;
    (void)pthread_mutex_lock(&registry->mutex);
    size_t place = place_of(registry, open->entry->project, open->entry->uid, &found);
    bool fits = found || registry->count < registry->max;
    if (found)
        was = registry->items[place];
    else if (fits) {
        memmove(&registry->items[place + 1], &registry->items[place],
                (registry->count - place) * sizeof(search_open *));
        registry->count++;
    }
    if (fits)
        registry->items[place] = search_open_hold(open);
    (void)pthread_cond_broadcast(&registry->moved);
    (void)pthread_mutex_unlock(&registry->mutex);
    search_open_release(was);
    return fits;
}

void search_registry_remove(search_registry *registry, core_slice project, core_slice uid) {
    bool found;
    search_open *was = NULL;
    (void)pthread_mutex_lock(&registry->mutex);
    size_t place = place_of(registry, project, uid, &found);
    if (found) {
        was = registry->items[place];
        registry->count--;
        memmove(&registry->items[place], &registry->items[place + 1],
                (registry->count - place) * sizeof(search_open *));
    }
    (void)pthread_cond_broadcast(&registry->moved);
    (void)pthread_mutex_unlock(&registry->mutex);
    search_open_release(was);
}

/* Takes it out of its place; the mutex is held. */
static bool place_leave(search_registry *registry, const search_open *open) {
    for (size_t i = 0; i < registry->count; i++) {
        if (registry->items[i] != open)
            continue;
        registry->count--;
        memmove(&registry->items[i], &registry->items[i + 1],
                (registry->count - i) * sizeof(search_open *));
        return true;
    }
    return false;
}

/* Without memory the old entry is not let go: it is small, and somebody may look at it. */
static void entry_change(search_open *open, const search_entry *entry) {
    const search_entry **former =
        realloc(open->former, (open->former_count + 1) * sizeof(search_entry *));
    if (former != NULL) {
        open->former = former;
        open->former[open->former_count++] = open->entry;
    }
    atomic_store(&open->entry, search_entry_hold(entry));
}

void search_registry_rename(search_registry *registry, search_open *open,
                            const search_entry *entry) {
    bool found;
    search_open *was = NULL;
    (void)pthread_mutex_lock(&registry->mutex);
    bool is_there = place_leave(registry, open);
    entry_change(open, entry);
    size_t place = place_of(registry, entry->project, entry->uid, &found);
    if (is_there && found) {
        was = registry->items[place];
    } else if (is_there) {
        memmove(&registry->items[place + 1], &registry->items[place],
                (registry->count - place) * sizeof(search_open *));
        registry->count++;
    }
    if (is_there)
        registry->items[place] = open;
    (void)pthread_mutex_unlock(&registry->mutex);
    search_open_release(was);
}

/* ---- How far ---- */

void search_registry_reach(search_registry *registry, search_open *open, uint64_t sequence,
                           const char *epoch) {
    (void)pthread_mutex_lock(&open->mutex);
    open->reached.sequence = sequence;
    (void)snprintf(open->reached.epoch, sizeof open->reached.epoch, "%s", epoch);
    (void)pthread_mutex_unlock(&open->mutex);
    (void)pthread_mutex_lock(&registry->mutex);
    (void)pthread_cond_broadcast(&registry->moved);
    (void)pthread_mutex_unlock(&registry->mutex);
}

void search_registry_stop(search_registry *registry) {
    (void)pthread_mutex_lock(&registry->mutex);
    registry->is_stopping = true;
    (void)pthread_cond_broadcast(&registry->moved);
    (void)pthread_mutex_unlock(&registry->mutex);
}

/* 1: it is there; 0: not yet; -1: it will not be. The mutex is held. */
static int reached_look(const search_registry *registry, core_slice project, core_slice uid,
                        const core_offset *offset) {
    bool found;
    size_t place = place_of(registry, project, uid, &found);
    if (!found || registry->is_stopping)
        return -1;
    core_offset reached = search_open_reached(registry->items[place]);
    if (reached.epoch[0] != '\0' && strcmp(reached.epoch, offset->epoch) != 0)
        return -1;
    return reached.epoch[0] != '\0' && reached.sequence >= offset->sequence ? 1 : 0;
}

bool search_registry_await(search_registry *registry, core_slice project, core_slice uid,
                           const core_offset *offset, int64_t timeout_ms) {
    const core_clock *clock = core_clock_system();
    int64_t deadline_ms = core_clock_ms(clock) + timeout_ms, left_ms = timeout_ms;
    CORE_MAGIC_CHECK(registry, REGISTRY_MAGIC);
    (void)pthread_mutex_lock(&registry->mutex);
    int reached = reached_look(registry, project, uid, offset);
    while (reached == 0 && left_ms > 0) {
        (void)core_condition_wait(&registry->moved, &registry->mutex, left_ms);
        reached = reached_look(registry, project, uid, offset);
        left_ms = deadline_ms - core_clock_ms(clock);
    }
    (void)pthread_mutex_unlock(&registry->mutex);
    return reached > 0;
}
