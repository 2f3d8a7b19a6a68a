/* A directory of definitions, followed; see definition.h.
 *
 * Happy path: once a second the thread looks whether names, times or sizes have changed; if so, and
 * at the start, all files are read, held against the live schema, and put by compare-and-set. What
 * came from a file that is gone is removed.
 *
 * A file that is wrong is told, and leaves what it said before in force. Nodes whose files differ
 * put nothing: each says so, with both names, until they are alike. What cannot be asked now is
 * asked again with backoff. */
#include "fanout/fanout.h"
#include "fanout/peers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define DIRECTORY_MAGIC UINT32_C(0x46444952) /* "FDIR" */

enum { LOOK_MS = 1000, BACKOFF_FIRST_MS = 500, BACKOFF_MAX_MS = 10000, REASON_MAX = 1024 };

struct fanout_definition_directory {
    uint32_t magic;
    fanout_definition_directory_spec spec;
    fanout_definitions *store;
    fanout_peers peers;
    pthread_t thread;
    bool started;
    /* The thread's own. */
    uint64_t look; /* of the files that were loaded */
    uint64_t hash; /* the same, by their texts */
    bool loaded;   /* they were, and nothing is left to do */
    bool had_some; /* files, since the process began */
    int64_t told_ms;
    pthread_mutex_t mutex; /* guards the rest */
    pthread_cond_t wake;
    bool stopping;
    bool known; /* looked at once */
    char reason[REASON_MAX];
};

typedef struct fanout_definition_directory definition_directory;

static definition_directory *directory_of(void *context) {
    definition_directory *directory = context;
    CORE_MAGIC_CHECK(directory, DIRECTORY_MAGIC);
    return directory;
}

static const core_definition_kind *kind_of(const definition_directory *directory) {
    return directory->spec.definitions.kind;
}

/* The warning of readiness; "" takes it back. A new one is logged. */
static void reason_set(definition_directory *directory, const char *reason) {
    (void)pthread_mutex_lock(&directory->mutex);
    bool is_new = strcmp(directory->reason, reason) != 0;
    (void)snprintf(directory->reason, sizeof directory->reason, "%s", reason);
    directory->known = true;
    (void)pthread_mutex_unlock(&directory->mutex);
    if (is_new && *reason != '\0')
        CORE_LOG(directory->spec.definitions.log, ERROR, directory->spec.room,
                 "files of definitions", CORE_LOG_TEXT("of", kind_of(directory)->several),
                 CORE_LOG_TEXT("problem", reason));
}

/* ---- Loading ---- */

static void applied_log(const definition_directory *directory, const fanout_applied *applied) {
    static const char *const said[] = {[FANOUT_CREATED] = "made from a file",
                                       [FANOUT_CHANGED] = "changed by its file",
                                       [FANOUT_REMOVED] = "removed with its file"};
    if (applied->refusal == NULL && applied->outcome != FANOUT_UNCHANGED)
        CORE_LOG(directory->spec.definitions.log, INFO, directory->spec.room,
                 said[applied->outcome], CORE_LOG_TEXT(kind_of(directory)->one, applied->name),
                 CORE_LOG_TEXT("project", applied->project),
                 CORE_LOG_TEXT("file", applied->file != NULL ? applied->file : ""));
}

static void refusal_note(void *context, const fanout_applied *applied) {
    definition_directory *directory = directory_of(context);
    char reason[REASON_MAX];
    applied_log(directory, applied);
    if (applied->refusal == NULL && applied->outcome != FANOUT_UNCHANGED)
        directory->spec.applied(directory->spec.context, applied);
    if (applied->refusal == NULL)
        return;
    (void)snprintf(reason, sizeof reason, "%s: %s", applied->file, applied->refusal);
    reason_set(directory, reason);
}

/* Logs each, and gives the first as the reason. */
static void problems_tell(definition_directory *directory, const core_definition_files *files,
                          char reason[REASON_MAX]) {
    for (size_t i = 0; i < files->count; i++) {
        const core_definition_file *file = &files->items[i];
        for (size_t j = 0; j < file->problems.count; j++) {
            const core_problem *problem = &file->problems.items[j];
            char place[REASON_MAX];
            (void)snprintf(place, sizeof place, "%s:%zu:%zu: %s", file->path, problem->place.line,
                           problem->place.column, problem->text);
            CORE_LOG(directory->spec.definitions.log, WARN, directory->spec.room,
                     problem->is_warning ? "a definition's file is hardly meant so"
                                         : "a definition's file is not taken",
                     CORE_LOG_TEXT("of", kind_of(directory)->several),
                     CORE_LOG_TEXT("problem", place));
            if (*reason == '\0' && !problem->is_warning)
                (void)snprintf(reason, REASON_MAX, "%s", place);
        }
    }
}

static bool files_put(definition_directory *directory, core_definition_files *files,
                      core_error *error) {
    const fanout_apply_options options = {.origin = FANOUT_ORIGIN_DIRECTORY,
                                          .prune = files->count > 0 || directory->had_some,
                                          .handler = refusal_note,
                                          .context = directory};
    char reason[REASON_MAX] = "";
    size_t refused = 0;
    const fanout_definition_directory_spec *spec = &directory->spec;
    if (!fanout_definitions_check(files, spec->definitions.config, &spec->check, error))
        return false;
    problems_tell(directory, files, reason);
    if (!fanout_definitions_apply(directory->store, files, &options, &refused, error))
        return false;
    directory->had_some |= files->count > 0;
    if (*reason != '\0' || refused == 0)
        reason_set(directory, reason);
    return true;
}

/* Whether another node has other files; then both say so and put nothing. */
static bool peers_agree(definition_directory *directory, uint64_t hash, bool *agree,
                        core_error *error) {
    char other[FANOUT_NODE_MAX], reason[REASON_MAX];
    fanout_connection *connection = fanout_definitions_connection(directory->store, error);
    if (connection == NULL || !fanout_peers_tell(&directory->peers, connection, hash, other, error))
        return false;
    directory->told_ms = core_clock_ms(directory->spec.definitions.clock);
    *agree = *other == '\0';
    if (*agree)
        return true;
    (void)snprintf(reason, sizeof reason,
                   "%s has other files of %s than this node, %s: neither loads them until "
                   "they are alike",
                   other, kind_of(directory)->several, directory->peers.node);
    reason_set(directory, reason);
    return true;
}

/* False: what must be asked is away. */
static bool directory_load(definition_directory *directory, core_error *error) {
    core_definition_files files;
    bool agree = true;
    uint64_t look = core_definition_files_look(directory->spec.path);
    core_definition_files_init(&files, kind_of(directory), directory->spec.project,
                               directory->spec.environment);
    bool ok = core_definition_files_add(&files, directory->spec.path, true, error);
    core_definition_files_end(&files);
    bool has_some = files.count > 0;
    if (ok && has_some)
        ok = peers_agree(directory, files.hash, &agree, error);
    if (ok && !has_some && directory->had_some)
        fanout_peers_leave(&directory->peers);
    if (ok && agree && (has_some || directory->had_some))
        ok = files_put(directory, &files, error);
    else if (ok && agree)
        reason_set(directory, "");
    directory->look = look;
    directory->hash = has_some ? files.hash : 0;
    directory->loaded = ok && agree;
    core_definition_files_fini(&files);
    return ok;
}

/* ---- The thread ---- */

/* False: it is to stop. */
static bool directory_pause(definition_directory *directory, int64_t timeout_ms) {
    (void)pthread_mutex_lock(&directory->mutex);
    if (!directory->stopping)
        (void)core_condition_wait(&directory->wake, &directory->mutex, timeout_ms);
    bool goes_on = !directory->stopping;
    (void)pthread_mutex_unlock(&directory->mutex);
    return goes_on;
}

/* Says again which files there are. What another has put before does not change by that. */
static bool peers_remind(definition_directory *directory, core_error *error) {
    bool agree = true, was = directory->loaded;
    int64_t now_ms = core_clock_ms(directory->spec.definitions.clock);
    if (directory->hash == 0 || now_ms - directory->told_ms < FANOUT_PEERS_EACH)
        return true;
    if (!peers_agree(directory, directory->hash, &agree, error))
        return false;
    directory->loaded = agree && was;
    return true;
}

static bool directory_turn(definition_directory *directory, core_error *error) {
    bool changed = core_definition_files_look(directory->spec.path) != directory->look;
    return changed || !directory->loaded ? directory_load(directory, error)
                                         : peers_remind(directory, error);
}

static void *directory_run(void *context) {
    definition_directory *directory = directory_of(context);
    core_backoff backoff;
    core_error error = {.text = ""};
    int64_t wait_ms = 0;
    (void)pthread_setname_np(pthread_self(), directory->spec.thread);
    core_backoff_init(&backoff, BACKOFF_FIRST_MS, BACKOFF_MAX_MS, (uint64_t)(uintptr_t)context);
    while (directory_pause(directory, wait_ms)) {
        if (directory_turn(directory, &error)) {
            core_backoff_reset(&backoff);
            wait_ms = LOOK_MS;
            continue;
        }
        char reason[REASON_MAX];
        (void)snprintf(reason, sizeof reason, "%s cannot be loaded yet: %s", directory->spec.path,
                       error.text);
        reason_set(directory, reason);
        directory->loaded = false;
        wait_ms = core_backoff_next_ms(&backoff);
    }
    return NULL;
}

/* ---- Life ---- */

bool fanout_definition_directory_start(fanout_definition_directory *directory, core_error *error) {
    CORE_MAGIC_CHECK(directory, DIRECTORY_MAGIC);
    int failure = pthread_create(&directory->thread, NULL, directory_run, directory);
    directory->started = failure == 0;
    return directory->started ||
           core_error_set(error, CORE_ERROR_INTERNAL, "starting the thread of files: %s",
                          strerror(failure));
}

core_readiness fanout_definition_directory_ready(fanout_definition_directory *directory,
                                                 char *reason, size_t reason_size) {
    (void)pthread_mutex_lock(&directory->mutex);
    bool warns = directory->reason[0] != '\0';
    if (warns)
        (void)snprintf(reason, reason_size, "%s", directory->reason);
    (void)pthread_mutex_unlock(&directory->mutex);
    return warns ? CORE_READY_WARNING : CORE_READY_YES;
}

void fanout_definition_directory_free(fanout_definition_directory *directory) {
    if (directory == NULL)
        return;
    CORE_MAGIC_CHECK(directory, DIRECTORY_MAGIC);
    (void)pthread_mutex_lock(&directory->mutex);
    directory->stopping = true;
    (void)pthread_cond_signal(&directory->wake);
    (void)pthread_mutex_unlock(&directory->mutex);
    if (directory->started)
        (void)pthread_join(directory->thread, NULL);
    if (directory->hash != 0)
        fanout_peers_leave(&directory->peers);
    fanout_peers_fini(&directory->peers);
    fanout_definitions_free(directory->store);
    (void)pthread_cond_destroy(&directory->wake);
    (void)pthread_mutex_destroy(&directory->mutex);
    directory->magic = 0;
    free(directory);
}

fanout_definition_directory *
fanout_definition_directory_new(const fanout_definition_directory_spec *spec, core_error *error) {
    definition_directory *directory = calloc(1, sizeof *directory);
    if (directory == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for files of %s",
                             spec->definitions.kind->several);
        return NULL;
    }
    *directory = (definition_directory){.magic = DIRECTORY_MAGIC, .spec = *spec};
    (void)pthread_mutex_init(&directory->mutex, NULL);
    core_condition_init(&directory->wake);
    fanout_peers_init(&directory->peers, spec->definitions.config, spec->definitions.kind->several);
    directory->store = fanout_definitions_new(&spec->definitions, spec->client, error);
    if (directory->store != NULL)
        return directory;
    fanout_definition_directory_free(directory);
    return NULL;
}
