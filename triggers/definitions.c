/* See definitions.h.
 *
 * Happy path: the thread connects, and a watch of the bucket (fanout's, on a thread of its own)
 * writes the book. What comes while a watch tells all of it makes no set; afterwards each change
 * makes one.
 *
 * Failure: no connection is tried again with backoff, for ever; afterwards connection and watch
 * keep themselves up. A definition that this version cannot read is told and left out. */
#include "triggers/definitions.h"
#include "triggers/definition_book.h"
#include "triggers/kind.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define DEFINITIONS_MAGIC UINT32_C(0x54444653) /* "TDFS" */

enum { BACKOFF_FIRST_MS = 100, BACKOFF_MAX_MS = 5000 };

struct triggers_definitions {
    triggers_part part; /* first: the interface points here */
    uint32_t magic;
    const triggers_host *host;
    fanout_connection *connection;
    fanout_bucket *bucket;
    fanout_watch *watch;
    pthread_t thread;
    bool started;
    triggers_book book; /* the watch's */
    bool telling;       /* the watch tells all of it: no sets meanwhile */
    atomic_size_t unreadable;
    atomic_bool known;
    _Atomic uint64_t generation; /* of `set`, for whoever looks without the mutex */
    pthread_mutex_t mutex;       /* guards the rest */
    pthread_cond_t wake;
    bool stopping;
    const triggers_set *set;
};

static triggers_definitions *definitions_of(void *context) {
    triggers_definitions *definitions = context;
    CORE_MAGIC_CHECK(definitions, DEFINITIONS_MAGIC);
    return definitions;
}

/* ---- The set ---- */

bool triggers_definitions_renew(triggers_definitions *definitions, const triggers_set **set) {
    if (*set != NULL && (*set)->generation == atomic_load(&definitions->generation))
        return false;
    triggers_set_release(*set);
    (void)pthread_mutex_lock(&definitions->mutex);
    *set = triggers_set_hold(definitions->set);
    (void)pthread_mutex_unlock(&definitions->mutex);
    return true;
}

/* On the watch's thread. */
static void set_publish(triggers_definitions *definitions) {
    uint64_t generation = atomic_load(&definitions->generation) + 1;
    const triggers_set *set = triggers_book_set(&definitions->book, generation);
    if (set == NULL) {
        CORE_LOG(definitions->host->spec.log, ERROR, "triggers",
                 "no memory for a change of definitions: it counts with the next one");
        return;
    }
    (void)pthread_mutex_lock(&definitions->mutex);
    const triggers_set *before = definitions->set;
    definitions->set = set;
    atomic_store(&definitions->generation, generation);
    (void)pthread_mutex_unlock(&definitions->mutex);
    triggers_set_release(before);
}

/* ---- What the watch tells ---- */

static const triggers_definition *entry_read(const triggers_definitions *definitions,
                                             const fanout_bucket_entry *entry, core_error *error) {
    core_slice environment = core_slice_text(definitions->host->tenants.environment);
    fanout_definition stored;
    core_arena arena;
    core_arena_init(&arena, 2048, FANOUT_DEFINITION_BYTES_MAX);
    const triggers_definition *definition = NULL;
    if (fanout_definition_read(entry->value, &arena, &stored, error))
        definition = triggers_stored_definition(&stored, environment, entry->revision, error);
    core_arena_fini(&arena);
    return definition;
}

static void entry_put(triggers_definitions *definitions, const fanout_bucket_entry *entry) {
    core_error error = {.text = "no room for more definitions, or no memory"};
    const triggers_definition *definition = entry_read(definitions, entry, &error);
    if (definition != NULL && triggers_book_put(&definitions->book, entry->key, definition))
        return;
    triggers_book_remove(&definitions->book, entry->key);
    (void)atomic_fetch_add(&definitions->unreadable, 1);
    CORE_LOG(definitions->host->spec.log, ERROR, "triggers",
             "a stored trigger is left out: it cannot be read", CORE_LOG_TEXT("key", entry->key),
             CORE_LOG_TEXT("reason", error.text));
}

static void watch_begin(void *context) {
    triggers_definitions *definitions = definitions_of(context);
    triggers_book_begin(&definitions->book);
    definitions->telling = true;
    atomic_store(&definitions->unreadable, 0);
}

static void watch_entry(void *context, const fanout_bucket_entry *entry) {
    triggers_definitions *definitions = definitions_of(context);
    if (entry->deleted)
        triggers_book_remove(&definitions->book, entry->key);
    else
        entry_put(definitions, entry);
    triggers_book_note(&definitions->book, entry->revision);
    if (!definitions->telling)
        set_publish(definitions);
}

static void watch_all(void *context) {
    triggers_definitions *definitions = definitions_of(context);
    triggers_book_all(&definitions->book);
    definitions->telling = false;
    set_publish(definitions);
    atomic_store(&definitions->known, true);
    CORE_LOG(definitions->host->spec.log, INFO, "triggers", "definitions read",
             CORE_LOG_NUMBER("count", definitions->book.count));
}

/* ---- The thread that connects ---- */

static bool connect_all(triggers_definitions *definitions, core_error *error) {
    const triggers_spec *spec = &definitions->host->spec;
    const fanout_watch_spec watch = {.tokens = TRIGGERS_STORED_TOKEN,
                                     .on_begin = watch_begin,
                                     .on_entry = watch_entry,
                                     .on_all = watch_all,
                                     .context = definitions};
    if (definitions->connection == NULL)
        definitions->connection = fanout_connection_new(spec->config, "walcast-definitions",
                                                        spec->log, spec->metrics, error);
    if (definitions->connection != NULL && definitions->bucket == NULL)
        definitions->bucket =
            fanout_bucket_new(definitions->connection, spec->config, "defs", error);
    if (definitions->bucket != NULL)
        definitions->watch = fanout_bucket_watch(definitions->bucket, &watch, spec->log, error);
    return definitions->watch != NULL;
}

/* False: it is to stop. */
static bool definitions_pause(triggers_definitions *definitions, int64_t timeout_ms) {
    (void)pthread_mutex_lock(&definitions->mutex);
    if (!definitions->stopping)
        (void)core_condition_wait(&definitions->wake, &definitions->mutex, timeout_ms);
    bool goes_on = !definitions->stopping;
    (void)pthread_mutex_unlock(&definitions->mutex);
    return goes_on;
}

static void *definitions_run(void *context) {
    triggers_definitions *definitions = definitions_of(context);
    core_backoff backoff;
    core_error error = {.text = ""};
    (void)pthread_setname_np(pthread_self(), "triggers-defs");
    core_backoff_init(&backoff, BACKOFF_FIRST_MS, BACKOFF_MAX_MS, (uint64_t)(uintptr_t)context);
    while (!connect_all(definitions, &error)) {
        CORE_LOG(definitions->host->spec.log, WARN, "triggers", "definitions cannot be read yet",
                 CORE_LOG_TEXT("reason", error.text));
        if (!definitions_pause(definitions, core_backoff_next_ms(&backoff)))
            break;
    }
    return NULL;
}

/* ---- The part ---- */

static bool part_start(triggers_part *part, core_error *error) {
    triggers_definitions *definitions = definitions_of(part);
    int failure = pthread_create(&definitions->thread, NULL, definitions_run, definitions);
    definitions->started = failure == 0;
    return definitions->started ||
           core_error_set(error, CORE_ERROR_INTERNAL, "starting the definitions' thread: %s",
                          strerror(failure));
}

static core_readiness part_ready(triggers_part *part, char *reason, size_t reason_size) {
    triggers_definitions *definitions = definitions_of(part);
    size_t unreadable = atomic_load(&definitions->unreadable);
    if (!atomic_load(&definitions->known)) {
        (void)snprintf(reason, reason_size, "definitions are not read yet");
        return CORE_READY_NO;
    }
    if (unreadable == 0)
        return CORE_READY_YES;
    (void)snprintf(reason, reason_size, "%zu stored triggers cannot be read; see the log",
                   unreadable);
    return CORE_READY_WARNING;
}

static void part_stop(triggers_part *part) {
    triggers_definitions *definitions = definitions_of(part);
    (void)pthread_mutex_lock(&definitions->mutex);
    definitions->stopping = true;
    (void)pthread_cond_signal(&definitions->wake);
    (void)pthread_mutex_unlock(&definitions->mutex);
    if (definitions->started)
        (void)pthread_join(definitions->thread, NULL);
    if (definitions->watch != NULL)
        fanout_watch_free(definitions->watch);
    if (definitions->bucket != NULL)
        fanout_bucket_free(definitions->bucket);
    if (definitions->connection != NULL)
        fanout_connection_free(definitions->connection);
    triggers_set_release(definitions->set);
    triggers_book_fini(&definitions->book);
    (void)pthread_cond_destroy(&definitions->wake);
    (void)pthread_mutex_destroy(&definitions->mutex);
    definitions->magic = 0;
    free(definitions);
}

triggers_part *triggers_definitions_part(triggers_host *host, core_error *error) {
    triggers_definitions *definitions = calloc(1, sizeof *definitions);
    const triggers_set *empty = triggers_set_new(NULL, 0, 0, 0);
    if (definitions == NULL || empty == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for definitions");
        triggers_set_release(empty);
        free(definitions);
        return NULL;
    }
    *definitions = (triggers_definitions){
        .part = {.name = "definitions",
                 .start = part_start,
                 .ready = part_ready,
                 .stop = part_stop},
        .magic = DEFINITIONS_MAGIC,
        .host = host,
        .set = empty,
    };
    triggers_book_init(&definitions->book, TRIGGERS_DEFINITIONS_MAX);
    (void)pthread_mutex_init(&definitions->mutex, NULL);
    core_condition_init(&definitions->wake);
    host->definitions = definitions;
    return &definitions->part;
}
