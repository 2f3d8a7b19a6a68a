/* See worker.h. */
#include "search-index/worker.h"

#include <stdlib.h>

#define WORKER_MAGIC UINT32_C(0x5357524b) /* "SWRK" */
#define DATABASE_MS  5000                 /* to connect, and of each query */

typedef struct {
    search_open *open; /* held */
    search_reader *reader;
    search_tokenizer *tokenizer;         /* NULL: nobody has asked for it yet */
    search_schema *schema;               /* that it was made of; held */
    const search_definition *definition; /* the same */
    uint64_t used;
} worker_reader;

struct search_worker {
    uint32_t magic;
    search_host *host;
    core_arena arena;
    worker_reader readers[SEARCH_READERS_MAX];
    size_t count;
    uint64_t uses;
    search_log *log;
    fanout_definitions *definitions;
    search_check *check;
    pg_connection *database;
};

search_worker *search_worker_new(search_host *host, core_error *error) {
    search_worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for a thread of searches");
        return NULL;
    }
    worker->magic = WORKER_MAGIC;
    worker->host = host;
    core_arena_init(&worker->arena, 65536, SEARCH_WORKER_ARENA);
    return worker;
}

static void reader_drop(search_worker *worker, size_t place) {
    worker_reader *it = &worker->readers[place];
    search_reader_free(it->reader);
    search_tokenizer_free(it->tokenizer);
    search_schema_release(it->schema);
    search_definition_release(it->definition);
    search_open_release(it->open);
    *it = worker->readers[--worker->count];
}

void search_worker_free(search_worker *worker) {
    if (worker == NULL)
        return;
    CORE_MAGIC_CHECK(worker, WORKER_MAGIC);
    while (worker->count > 0)
        reader_drop(worker, worker->count - 1);
    search_log_free(worker->log);
    fanout_definitions_free(worker->definitions);
    search_check_free(worker->check);
    if (worker->database != NULL)
        pg_connection_free(worker->database);
    core_arena_fini(&worker->arena);
    worker->magic = 0;
    free(worker);
}

search_host *search_worker_host(search_worker *worker) {
    CORE_MAGIC_CHECK(worker, WORKER_MAGIC);
    return worker->host;
}

core_arena *search_worker_arena(search_worker *worker) {
    return &worker->arena;
}

/* ---- Readers ---- */

static size_t oldest_find(const search_worker *worker) {
    size_t oldest = 0;
    for (size_t i = 1; i < worker->count; i++)
        if (worker->readers[i].used < worker->readers[oldest].used)
            oldest = i;
    return oldest;
}

search_reader *search_worker_reader(search_worker *worker, search_open *open, core_error *error) {
    CORE_MAGIC_CHECK(worker, WORKER_MAGIC);
    for (size_t i = 0; i < worker->count; i++)
        if (worker->readers[i].open == open) {
            worker->readers[i].used = ++worker->uses;
            return worker->readers[i].reader;
        }
    search_reader *reader = search_backend_reader_new(search_open_backend(open), error);
    if (reader == NULL)
        return NULL;
    if (worker->count == SEARCH_READERS_MAX)
        reader_drop(worker, oldest_find(worker));
    worker->readers[worker->count++] =
        (worker_reader){.open = search_open_hold(open), .reader = reader, .used = ++worker->uses};
    return reader;
}

/* With its reader, which is made anew where it went. */
static worker_reader *reader_of(search_worker *worker, search_open *open, core_error *error) {
    if (search_worker_reader(worker, open, error) == NULL)
        return NULL;
    size_t i = 0;
    while (worker->readers[i].open != open)
        i++;
    return &worker->readers[i];
}

search_tokenizer *search_worker_tokenizer(search_worker *worker, search_open *open,
                                          search_schema *schema, core_error *error) {
    worker_reader *it = reader_of(worker, open, error);
    if (it == NULL)
        return NULL;
    if (it->tokenizer != NULL && it->schema == schema)
        return it->tokenizer;
    search_tokenizer_free(it->tokenizer);
    search_schema_release(it->schema);
    it->schema = search_schema_retain(schema);
    it->tokenizer = search_tokenizer_new(schema, error);
    return it->tokenizer;
}

bool search_worker_definition(search_worker *worker, search_open *open,
                              const search_definition **definition, core_error *error) {
    const search_entry *entry = search_open_entry(open);
    const search_definition_facts facts = {.project = entry->project,
                                           .environment = entry->environment};
    core_problems problems;
    *definition = NULL;
    if (!entry->is_table)
        return true;
    worker_reader *it = reader_of(worker, open, error);
    if (it == NULL)
        return false;
    if (it->definition == NULL) {
        core_problems_init(&problems);
        it->definition = search_definition_read(entry->text, &facts, &problems);
        core_problems_fini(&problems);
    }
    *definition = it->definition;
    return it->definition != NULL ||
           core_error_set(error, CORE_ERROR_INTERNAL, "the definition of index %.*s cannot be read",
                          CORE_SLICE_ARGS(entry->uid));
}

void search_worker_tidy(search_worker *worker) {
    for (size_t i = worker->count; i > 0; i--) {
        const search_entry *entry = search_open_entry(worker->readers[i - 1].open);
        search_open *now = search_registry_find(worker->host->registry, entry->project, entry->uid);
        if (now != worker->readers[i - 1].open)
            reader_drop(worker, i - 1);
        search_open_release(now);
    }
}

/* ---- Connections ---- */

search_log *search_worker_log(search_worker *worker, core_error *error) {
    if (worker->log == NULL)
        worker->log = search_log_new(&worker->host->spec, "walcast-search-api", error);
    return worker->log;
}

pg_connection *search_worker_database(search_worker *worker, core_error *error) {
    const core_config *config = worker->host->spec.config;
    const pg_connection_spec spec = {.url = core_config_text(config, "postgres.url"),
                                     .application_name = "walcast-search",
                                     .timeout_ms = DATABASE_MS,
                                     .cancel_fd = -1};
    if (worker->database != NULL && !pg_connection_alive(worker->database)) {
        pg_connection_free(worker->database);
        worker->database = NULL;
    }
    if (worker->database == NULL)
        worker->database = pg_connection_new(&spec, error);
    return worker->database;
}

fanout_definitions *search_worker_definitions(search_worker *worker, core_error *error) {
    const fanout_definitions_spec spec = search_definitions_spec(&worker->host->spec);
    if (worker->definitions == NULL)
        worker->definitions = fanout_definitions_new(&spec, "walcast-search-definitions", error);
    return worker->definitions;
}

search_check *search_worker_check(search_worker *worker, core_error *error) {
    if (worker->check == NULL)
        worker->check = search_check_new(&worker->host->spec, error);
    return worker->check;
}
