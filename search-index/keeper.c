/* See keeper.h.
 *
 * Happy path: a watch of the bucket wakes the thread, which reads all definitions and holds them
 * against the catalog, once the log is folded. What it appended it looks at again soon, until
 * nothing is left to append.
 *
 * What cannot be asked now is asked again with backoff. A definition that this version cannot read
 * is told and left as it is; no index is removed while there is one. */
#include "search-index/keeper.h"
#include "search-index/host.h"
#include "search-index/kind.h"
#include "search-index/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define KEEPER_MAGIC UINT32_C(0x534b4550) /* "SKEP" */

enum {
    SOON_MS = 100,    /* what was appended is in force then, or was overtaken */
    WARNED_MS = 1000, /* what cannot be in force now may be by then */
    LOOK_MS = 30000,  /* without being told */
    BACKOFF_FIRST_MS = 100,
    BACKOFF_MAX_MS = 5000,
    ID_SIZE = 1024,
};

typedef struct {
    search_part part; /* first: the interface points here */
    uint32_t magic;
    search_host *host;
    fanout_definitions *store;
    search_log *log;
    fanout_bucket *bucket; /* of the watch */
    fanout_watch *watch;
    pthread_t thread;
    bool started;
    /* Of one look. */
    core_arena arena;
    core_slice *seen; /* keys: project and name, with a NUL between them */
    size_t seen_count, seen_max;
    size_t appended;
    bool is_unsure; /* there are some that cannot be read, or too many */
    char problem[CORE_ERROR_TEXT_MAX];
    pthread_mutex_t mutex; /* guards the rest */
    pthread_cond_t wake;
    bool stopping, rung;
    bool is_known; /* looked at once */
    char reason[CORE_ERROR_TEXT_MAX];
} search_keeper;

static search_keeper *keeper_of(void *context) {
    search_keeper *keeper = context;
    CORE_MAGIC_CHECK(keeper, KEEPER_MAGIC);
    return keeper;
}

static void reason_set(search_keeper *keeper, const char *reason) {
    (void)pthread_mutex_lock(&keeper->mutex);
    (void)snprintf(keeper->reason, sizeof keeper->reason, "%s", reason);
    (void)pthread_mutex_unlock(&keeper->mutex);
}

/* ---- One definition ---- */

search_keep search_keep_look(const fanout_definition *stored, const search_entry *entry,
                             bool has_room) {
    if (entry == NULL)
        return has_room ? SEARCH_KEEP_APPEND : SEARCH_KEEP_NO_ROOM;
    if (!entry->is_table)
        return SEARCH_KEEP_TAKEN;
    bool is_same = entry->is_held && core_slice_equal(entry->text, stored->definition) &&
                   core_slice_equal(entry->facts, stored->facts) &&
                   core_slice_equal(entry->environment, stored->environment);
    return is_same ? SEARCH_KEEP_NOTHING : SEARCH_KEEP_APPEND;
}

/* The id is of what it says and what it replaces, so that of what several nodes append at once the
 * stream keeps one. */
static bool record_append(search_keeper *keeper, search_record *record, uint64_t revision,
                          core_error *error) {
    uint64_t sequence;
    char id[ID_SIZE];
    (void)snprintf(id, sizeof id, "%s %.*s %.*s %" PRIu64 " %" PRIu64,
                   search_task_kind_name(record->kind), CORE_SLICE_ARGS(record->project),
                   CORE_SLICE_ARGS(record->index), revision, record->replaces);
    record->is_held = true;
    record->id = id;
    record->at_us = core_clock_wall_us(keeper->host->spec.clock);
    if (!search_log_append(keeper->log, record, &sequence, error))
        return false;
    keeper->appended++;
    core_wake_set(keeper->host->wake_fd);
    return true;
}

static void taken_tell(search_keeper *keeper, const fanout_definition *stored, search_keep keep) {
    if (keeper->problem[0] == '\0')
        (void)snprintf(keeper->problem, sizeof keeper->problem,
                       keep == SEARCH_KEEP_TAKEN
                           ? "index %.*s of project %.*s is defined, and one of that name was made "
                             "over HTTP: remove one of both"
                           : "index %.*s of project %.*s is defined, and there are as many as "
                             "search.max_indexes allows",
                       CORE_SLICE_ARGS(stored->name), CORE_SLICE_ARGS(stored->project));
}

static core_slice key_make(core_arena *arena, core_slice project, core_slice name) {
    uint8_t *key = core_arena_alloc(arena, project.length + name.length + 1);
    if (key == NULL)
        return core_slice_make(NULL, 0);
    memcpy(key, project.data, project.length);
    key[project.length] = 0;
    memcpy(key + project.length + 1, name.data, name.length);
    return core_slice_make(key, project.length + name.length + 1);
}

static bool definition_take(void *context, const fanout_definition *stored, uint64_t revision,
                            const char *key, const char *problem, core_error *error) {
    search_keeper *keeper = keeper_of(context);
    search_catalog *catalog = keeper->host->catalog;
    if (stored == NULL) {
        keeper->is_unsure = true;
        (void)snprintf(keeper->problem, sizeof keeper->problem,
                       "the definition %.200s cannot be read: %.500s", key, problem);
        return true;
    }
    core_slice seen = key_make(&keeper->arena, stored->project, stored->name);
    if (seen.data != NULL && keeper->seen_count < keeper->seen_max)
        keeper->seen[keeper->seen_count++] = seen;
    else
        keeper->is_unsure = true;
    const search_entry *entry = search_catalog_find(catalog, stored->project, stored->name);
    search_record record = {.kind = SEARCH_TASK_DEFINITION,
                            .project = stored->project,
                            .environment = stored->environment,
                            .index = stored->name,
                            .facts = stored->facts,
                            .body = stored->definition,
                            .replaces = entry != NULL ? entry->changed : 0};
    bool has_room = search_catalog_count(catalog) + keeper->appended < keeper->seen_max;
    search_keep keep = search_keep_look(stored, entry, has_room);
    search_entry_release(entry);
    if (keep == SEARCH_KEEP_APPEND)
        return record_append(keeper, &record, revision, error);
    if (keep != SEARCH_KEEP_NOTHING)
        taken_tell(keeper, stored, keep);
    return true;
}

/* ---- All of them ---- */

static bool is_seen(search_keeper *keeper, const search_entry *entry) {
    core_slice key = key_make(&keeper->arena, entry->project, entry->uid);
    for (size_t i = 0; i < keeper->seen_count; i++)
        if (core_slice_equal(keeper->seen[i], key))
            return true;
    return key.data == NULL;
}

static bool gone_remove(search_keeper *keeper, core_error *error) {
    const search_entry *entry;
    bool ok = true;
    for (size_t i = 0; ok && (entry = search_catalog_at(keeper->host->catalog, i)) != NULL; i++) {
        search_record record = {.kind = SEARCH_TASK_INDEX_DELETION,
                                .project = entry->project,
                                .environment = entry->environment,
                                .index = entry->uid,
                                .replaces = entry->changed};
        if (entry->is_table && entry->is_held && !is_seen(keeper, entry))
            ok = record_append(keeper, &record, 0, error);
        search_entry_release(entry);
    }
    return ok;
}

static bool look(search_keeper *keeper, core_error *error) {
    core_arena_reset(&keeper->arena);
    keeper->seen_count = 0;
    keeper->appended = 0;
    keeper->is_unsure = false;
    keeper->problem[0] = '\0';
    keeper->seen = core_arena_array(&keeper->arena, keeper->seen_max, sizeof *keeper->seen);
    if (keeper->seen == NULL)
        return core_error_set(error, CORE_ERROR_INTERNAL, "no memory for definitions of indexes");
    if (!fanout_definitions_each(keeper->store, NULL, definition_take, keeper, error) ||
        (!keeper->is_unsure && !gone_remove(keeper, error)))
        return false;
    (void)pthread_mutex_lock(&keeper->mutex);
    keeper->is_known = true;
    (void)pthread_mutex_unlock(&keeper->mutex);
    reason_set(keeper, keeper->problem);
    return true;
}

/* ---- The thread ---- */

static void ring(void *context) {
    search_keeper *keeper = keeper_of(context);
    (void)pthread_mutex_lock(&keeper->mutex);
    keeper->rung = true;
    (void)pthread_cond_signal(&keeper->wake);
    (void)pthread_mutex_unlock(&keeper->mutex);
}

static void watch_begin(void *context) {
    (void)context; /* whoever looks reads all */
}

static void watch_entry(void *context, const fanout_bucket_entry *entry) {
    (void)entry;
    ring(context);
}

static bool watch_open(search_keeper *keeper, core_error *error) {
    const search_spec *spec = &keeper->host->spec;
    const fanout_watch_spec watch = {.tokens = search_kind()->token,
                                     .on_begin = watch_begin,
                                     .on_entry = watch_entry,
                                     .on_all = ring,
                                     .context = keeper};
    fanout_connection *connection = fanout_definitions_connection(keeper->store, error);
    if (connection != NULL && keeper->bucket == NULL)
        keeper->bucket = fanout_bucket_new(connection, spec->config, "defs", error);
    if (keeper->bucket != NULL && keeper->watch == NULL)
        keeper->watch = fanout_bucket_watch(keeper->bucket, &watch, spec->log, error);
    return keeper->watch != NULL;
}

/* Waits until it is rung for or the time is over. False: it is to stop. */
static bool keeper_pause(search_keeper *keeper, int64_t timeout_ms) {
    (void)pthread_mutex_lock(&keeper->mutex);
    if (!keeper->stopping && !keeper->rung)
        (void)core_condition_wait(&keeper->wake, &keeper->mutex, timeout_ms);
    bool goes_on = !keeper->stopping;
    keeper->rung = false;
    (void)pthread_mutex_unlock(&keeper->mutex);
    return goes_on;
}

static bool keeper_turn(search_keeper *keeper, int64_t *wait_ms, core_error *error) {
    *wait_ms = SOON_MS;
    if (!watch_open(keeper, error))
        return false;
    if (!atomic_load(&keeper->host->is_folded))
        return true; /* what the log has is not known yet */
    if (!look(keeper, error))
        return false;
    if (keeper->appended == 0)
        *wait_ms = keeper->problem[0] != '\0' ? WARNED_MS : LOOK_MS;
    return true;
}

static void *keeper_run(void *context) {
    search_keeper *keeper = keeper_of(context);
    core_backoff backoff;
    core_error error = {.text = ""};
    int64_t wait_ms = 0;
    (void)pthread_setname_np(pthread_self(), "search-defs");
    core_backoff_init(&backoff, BACKOFF_FIRST_MS, BACKOFF_MAX_MS, (uint64_t)(uintptr_t)context);
    do {
        if (keeper_turn(keeper, &wait_ms, &error)) {
            core_backoff_reset(&backoff);
            continue;
        }
        char reason[CORE_ERROR_TEXT_MAX];
        (void)snprintf(reason, sizeof reason, "definitions of indexes are not followed now: %.900s",
                       error.text);
        reason_set(keeper, reason);
        wait_ms = core_backoff_next_ms(&backoff);
    } while (keeper_pause(keeper, wait_ms));
    return NULL;
}

/* ---- The part ---- */

static bool part_start(search_part *part, core_error *error) {
    search_keeper *keeper = keeper_of(part);
    int failure = pthread_create(&keeper->thread, NULL, keeper_run, keeper);
    keeper->started = failure == 0;
    return keeper->started ||
           core_error_set(error, CORE_ERROR_INTERNAL, "starting the thread of definitions: %s",
                          strerror(failure));
}

static core_readiness part_ready(search_part *part, char *reason, size_t reason_size) {
    search_keeper *keeper = keeper_of(part);
    (void)pthread_mutex_lock(&keeper->mutex);
    bool is_known = keeper->is_known, warns = keeper->reason[0] != '\0';
    (void)snprintf(reason, reason_size, "%s",
                   warns || is_known ? keeper->reason : "definitions are not read yet");
    (void)pthread_mutex_unlock(&keeper->mutex);
    return !is_known ? CORE_READY_NO : warns ? CORE_READY_WARNING : CORE_READY_YES;
}

static void part_stop(search_part *part) {
    search_keeper *keeper = keeper_of(part);
    (void)pthread_mutex_lock(&keeper->mutex);
    keeper->stopping = true;
    (void)pthread_cond_signal(&keeper->wake);
    (void)pthread_mutex_unlock(&keeper->mutex);
    if (keeper->started)
        (void)pthread_join(keeper->thread, NULL);
    if (keeper->watch != NULL)
        fanout_watch_free(keeper->watch);
    if (keeper->bucket != NULL)
        fanout_bucket_free(keeper->bucket);
    search_log_free(keeper->log);
    fanout_definitions_free(keeper->store);
    core_arena_fini(&keeper->arena);
    (void)pthread_cond_destroy(&keeper->wake);
    (void)pthread_mutex_destroy(&keeper->mutex);
    keeper->magic = 0;
    free(keeper);
}

search_part *search_keeper_part(search_host *host, core_error *error) {
    search_keeper *keeper = calloc(1, sizeof *keeper);
    if (keeper == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for definitions of indexes");
        return NULL;
    }
    *keeper = (search_keeper){
        .part = {.name = "definitions",
                 .start = part_start,
                 .ready = part_ready,
                 .stop = part_stop},
        .magic = KEEPER_MAGIC,
        .host = host,
        .seen_max = (size_t)core_config_integer(host->spec.config, "search.max_indexes"),
    };
    const fanout_definitions_spec definitions = search_definitions_spec(&host->spec);
    (void)pthread_mutex_init(&keeper->mutex, NULL);
    core_condition_init(&keeper->wake);
    core_arena_init(&keeper->arena, (size_t)64 << 10, (size_t)64 << 20);
    keeper->store = fanout_definitions_new(&definitions, "walcast-search-defs", error);
    if (keeper->store != NULL)
        keeper->log = search_log_new(&host->spec, "walcast-search-defs", error);
    if (keeper->log != NULL)
        return &keeper->part;
    part_stop(&keeper->part);
    return NULL;
}
