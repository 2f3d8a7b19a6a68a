/* Definitions from files: `search.definitions`, looked at once a second by a thread of its own.
 *
 * Happy path: once the log is folded all files are read, held against the live schema, and those
 * that differ from what the log has are appended to it. Then again whenever a file has changed.
 *
 * A node appends what its files say when it finds them changed, never again because the log says
 * something else meanwhile: so nodes whose files differ do not answer one another for ever; each
 * says that its file is not what is in force. A file that is gone removes no index: whoever wants
 * that removes it over HTTP. What cannot be asked now is asked again with backoff. */
#include "search-index/check.h"
#include "search-index/files.h"
#include "search-index/host.h"
#include "search-index/log.h"

#include <stdio.h>
#include <stdlib.h>

#define DIRECTORY_MAGIC UINT32_C(0x53444952) /* "SDIR" */

enum { LOOK_MS = 1000, SOON_MS = 50, BACKOFF_FIRST_MS = 500, BACKOFF_MAX_MS = 10000 };

typedef struct {
    search_part part; /* first: the interface points here */
    uint32_t magic;
    search_host *host;
    const char *path;
    search_log *log;
    search_check *check;
    pthread_t thread;
    bool started;
    /* The thread's own. */
    uint64_t look; /* of the files that were loaded */
    bool is_loaded;
    char problem[CORE_ERROR_TEXT_MAX]; /* the first of a file */
    pthread_mutex_t mutex;             /* guards the rest */
    pthread_cond_t wake;
    bool stopping;
    char reason[CORE_ERROR_TEXT_MAX];
} search_directory;

static search_directory *directory_of(void *context) {
    search_directory *directory = context;
    CORE_MAGIC_CHECK(directory, DIRECTORY_MAGIC);
    return directory;
}

static void reason_set(search_directory *directory, const char *reason) {
    (void)pthread_mutex_lock(&directory->mutex);
    (void)snprintf(directory->reason, sizeof directory->reason, "%s", reason);
    (void)pthread_mutex_unlock(&directory->mutex);
}

/* ---- One file ---- */

static void problems_tell(search_directory *directory, const search_definition_file *file) {
    for (size_t i = 0; i < file->problems.count; i++) {
        const core_problem *problem = &file->problems.items[i];
        char text[CORE_ERROR_TEXT_MAX];
        (void)snprintf(text, sizeof text, "%s:%zu:%zu: %s", file->path, problem->place.line,
                       problem->place.column, problem->text);
        CORE_LOG(directory->host->spec.log, WARN, "search",
                 problem->is_warning ? "a file of indexes is hardly meant so"
                                     : "a file of indexes is not taken",
                 CORE_LOG_TEXT("problem", text));
        if (!problem->is_warning && directory->problem[0] == '\0')
            (void)snprintf(directory->problem, sizeof directory->problem, "%s", text);
    }
}

static bool is_in_force(search_directory *directory, const search_record *record) {
    const search_entry *entry =
        search_catalog_find(directory->host->catalog, record->project, record->index);
    bool is_same = entry != NULL && entry->is_table &&
                   core_slice_equal(entry->text, record->body) &&
                   core_slice_equal(entry->facts, record->facts);
    search_entry_release(entry);
    return is_same;
}

static void taken_tell(search_directory *directory, const search_definition *definition,
                       const char *path, uint64_t sequence) {
    char name[SEARCH_NAME_MAX + 1], project[SEARCH_PROJECT_MAX + 1];
    (void)snprintf(name, sizeof name, "%.*s", CORE_SLICE_ARGS(definition->name));
    (void)snprintf(project, sizeof project, "%.*s", CORE_SLICE_ARGS(definition->project));
    CORE_LOG(directory->host->spec.log, INFO, "search", "index defined by a file",
             CORE_LOG_TEXT("index", name), CORE_LOG_TEXT("file", path),
             CORE_LOG_NUMBER("task", sequence));
    const auth_act act = {
        .act = "index.defined", .object = name, .detail = path, .project = project};
    if (directory->host->spec.audit != NULL)
        auth_audit_act(directory->host->spec.audit, &act);
}

static bool file_append(search_directory *directory, const search_definition_file *file,
                        core_slice facts, core_error *error) {
    const search_definition *definition = file->definition;
    uint64_t sequence;
    const search_record record = {
        .kind = SEARCH_TASK_DEFINITION,
        .project = definition->project,
        .environment = definition->environment,
        .index = definition->name,
        .at_us = core_clock_wall_us(directory->host->spec.clock),
        .from_file = true,
        .file = core_slice_text(file->path),
        .facts = facts,
        .body = core_document_text(file->document),
    };
    if (is_in_force(directory, &record))
        return true;
    if (!search_log_append(directory->log, &record, &sequence, error))
        return false;
    taken_tell(directory, definition, file->path, sequence);
    core_wake_set(directory->host->wake_fd);
    return true;
}

static bool file_take(search_directory *directory, search_definition_file *file,
                      core_error *error) {
    core_buffer facts;
    bool ok = true;
    core_buffer_init(&facts, SEARCH_RECORD_LINE / 2);
    if (file->definition != NULL)
        ok = search_check_definition(directory->check, file->definition, file->document,
                                     &file->problems, &facts, error);
    problems_tell(directory, file);
    if (ok && file->definition != NULL && core_problems_ok(&file->problems))
        ok = file_append(directory, file, core_buffer_slice(&facts), error);
    core_buffer_fini(&facts);
    return ok;
}

/* ---- All of them ---- */

static bool directory_load(search_directory *directory, core_error *error) {
    const search_definition_facts facts = {
        .project = core_slice_text(directory->host->tenants.project),
        .environment = core_slice_text(directory->host->tenants.environment)};
    search_files files;
    uint64_t look = search_files_look(directory->path);
    directory->problem[0] = '\0';
    search_files_init(&files);
    bool ok = search_files_read(&files, directory->path, &facts, error);
    for (size_t i = 0; ok && i < files.count; i++)
        ok = file_take(directory, &files.items[i], error);
    search_files_fini(&files);
    if (!ok)
        return false;
    directory->look = look;
    directory->is_loaded = true;
    reason_set(directory, directory->problem);
    return true;
}

static bool directory_turn(search_directory *directory, int64_t *wait_ms, core_error *error) {
    *wait_ms = LOOK_MS;
    if (!atomic_load(&directory->host->is_folded)) {
        *wait_ms = SOON_MS; /* what the log has is not known yet */
        return true;
    }
    bool is_changed = search_files_look(directory->path) != directory->look;
    return (directory->is_loaded && !is_changed) || directory_load(directory, error);
}

/* ---- The thread ---- */

/* False: it is to stop. */
static bool directory_pause(search_directory *directory, int64_t timeout_ms) {
    (void)pthread_mutex_lock(&directory->mutex);
    if (!directory->stopping)
        (void)core_condition_wait(&directory->wake, &directory->mutex, timeout_ms);
    bool goes_on = !directory->stopping;
    (void)pthread_mutex_unlock(&directory->mutex);
    return goes_on;
}

static void *directory_run(void *context) {
    search_directory *directory = directory_of(context);
    core_backoff backoff;
    core_error error = {.text = ""};
    int64_t wait_ms = 0;
    (void)pthread_setname_np(pthread_self(), "search-files");
    core_backoff_init(&backoff, BACKOFF_FIRST_MS, BACKOFF_MAX_MS, (uint64_t)(uintptr_t)context);
    do {
        if (directory_turn(directory, &wait_ms, &error)) {
            core_backoff_reset(&backoff);
            continue;
        }
        char reason[CORE_ERROR_TEXT_MAX];
        (void)snprintf(reason, sizeof reason, "%s cannot be loaded yet: %.900s", directory->path,
                       error.text);
        reason_set(directory, reason);
        directory->is_loaded = false;
        wait_ms = core_backoff_next_ms(&backoff);
    } while (directory_pause(directory, wait_ms));
    return NULL;
}

/* ---- The part ---- */

static bool part_start(search_part *part, core_error *error) {
    search_directory *directory = directory_of(part);
    int failure = pthread_create(&directory->thread, NULL, directory_run, directory);
    directory->started = failure == 0;
    return directory->started ||
           core_error_set(error, CORE_ERROR_INTERNAL, "starting the thread of files: %s",
                          strerror(failure));
}

static core_readiness part_ready(search_part *part, char *reason, size_t reason_size) {
    search_directory *directory = directory_of(part);
    (void)pthread_mutex_lock(&directory->mutex);
    bool warns = directory->reason[0] != '\0';
    if (warns)
        (void)snprintf(reason, reason_size, "%s", directory->reason);
    (void)pthread_mutex_unlock(&directory->mutex);
    return warns ? CORE_READY_WARNING : CORE_READY_YES;
}

static void part_stop(search_part *part) {
    search_directory *directory = directory_of(part);
    (void)pthread_mutex_lock(&directory->mutex);
    directory->stopping = true;
    (void)pthread_cond_signal(&directory->wake);
    (void)pthread_mutex_unlock(&directory->mutex);
    if (directory->started)
        (void)pthread_join(directory->thread, NULL);
    search_log_free(directory->log);
    search_check_free(directory->check);
    (void)pthread_cond_destroy(&directory->wake);
    (void)pthread_mutex_destroy(&directory->mutex);
    directory->magic = 0;
    free(directory);
}

search_part *search_directory_part(search_host *host, core_error *error) {
    search_directory *directory = calloc(1, sizeof *directory);
    if (directory == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for files of indexes");
        return NULL;
    }
    *directory = (search_directory){
        .part = {.name = "files", .start = part_start, .ready = part_ready, .stop = part_stop},
        .magic = DIRECTORY_MAGIC,
        .host = host,
        .path = core_config_text(host->spec.config, "search.definitions"),
    };
    (void)pthread_mutex_init(&directory->mutex, NULL);
    core_condition_init(&directory->wake);
    directory->log = search_log_new(&host->spec, "walcast-search-files", error);
    if (directory->log != NULL)
        directory->check = search_check_new(&host->spec, error);
    if (directory->check != NULL)
        return &directory->part;
    part_stop(&directory->part);
    return NULL;
}
