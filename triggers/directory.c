/* See directory.h.
 *
 * Happy path: once a second the thread looks whether names, times or sizes have changed; if so, and
 * at the start, all files are read, held against the live schema, and put by compare-and-set. What
 * came from a file that is gone is removed.
 *
 * A file that is wrong is told, and leaves what it said before in force. Nodes whose files differ
 * put nothing: each says so, with both names, until they are alike. What cannot be asked now is
 * asked again with backoff. */
#include "triggers/directory.h"
#include "triggers/apply.h"
#include "triggers/peers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define DIRECTORY_MAGIC UINT32_C(0x54444952) /* "TDIR" */

enum { LOOK_MS = 1000, BACKOFF_FIRST_MS = 500, BACKOFF_MAX_MS = 10000, REASON_MAX = 1024 };

typedef struct {
    triggers_part part; /* first: the interface points here */
    uint32_t magic;
    const triggers_host *host;
    const char *path;
    triggers_store *store;
    triggers_check *check;
    triggers_peers peers;
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
} triggers_directory;

static triggers_directory *directory_of(void *context) {
    triggers_directory *directory = context;
    CORE_MAGIC_CHECK(directory, DIRECTORY_MAGIC);
    return directory;
}

/* The warning of readiness; "" takes it back. A new one is logged. */
static void reason_set(triggers_directory *directory, const char *reason) {
    (void)pthread_mutex_lock(&directory->mutex);
    bool is_new = strcmp(directory->reason, reason) != 0;
    (void)snprintf(directory->reason, sizeof directory->reason, "%s", reason);
    directory->known = true;
    (void)pthread_mutex_unlock(&directory->mutex);
    if (is_new && *reason != '\0')
        CORE_LOG(directory->host->spec.log, ERROR, "triggers", "files of triggers",
                 CORE_LOG_TEXT("problem", reason));
}

/* ---- Loading ---- */

static void applied_log(void *context, const triggers_applied *applied) {
    static const char *const said[] = {[TRIGGERS_CREATED] = "trigger made from a file",
                                       [TRIGGERS_CHANGED] = "trigger changed by its file",
                                       [TRIGGERS_REMOVED] = "trigger removed with its file"};
    static const char *const acts[] = {[TRIGGERS_CREATED] = "trigger.created",
                                       [TRIGGERS_CHANGED] = "trigger.changed",
                                       [TRIGGERS_REMOVED] = "trigger.removed"};
    triggers_directory *directory = directory_of(context);
    if (applied->refusal != NULL || applied->outcome == TRIGGERS_UNCHANGED)
        return;
    CORE_LOG(directory->host->spec.log, INFO, "triggers", said[applied->outcome],
             CORE_LOG_TEXT("name", applied->name), CORE_LOG_TEXT("project", applied->project),
             CORE_LOG_TEXT("file", applied->file != NULL ? applied->file : ""));
    const auth_act act = {.act = acts[applied->outcome],
                          .object = applied->name,
                          .detail = applied->file,
                          .project = applied->project};
    if (directory->host->spec.audit != NULL)
        auth_audit_act(directory->host->spec.audit, &act);
}

static void refusal_note(void *context, const triggers_applied *applied) {
    triggers_directory *directory = directory_of(context);
    char reason[REASON_MAX];
    applied_log(context, applied);
    if (applied->refusal == NULL)
        return;
    (void)snprintf(reason, sizeof reason, "%s: %s", applied->file, applied->refusal);
    reason_set(directory, reason);
}

/* Logs each, and gives the first as the reason. */
static void problems_tell(triggers_directory *directory, const triggers_files *files,
                          char reason[REASON_MAX]) {
    for (size_t i = 0; i < files->count; i++) {
        const triggers_file *file = &files->items[i];
        for (size_t j = 0; j < file->problems.count; j++) {
            const core_problem *problem = &file->problems.items[j];
            char place[REASON_MAX];
            (void)snprintf(place, sizeof place, "%s:%zu:%zu: %s", file->path, problem->place.line,
                           problem->place.column, problem->text);
            CORE_LOG(directory->host->spec.log, WARN, "triggers",
                     problem->is_warning ? "a file of triggers is hardly meant so"
                                         : "a file of triggers is not taken",
                     CORE_LOG_TEXT("problem", place));
            if (*reason == '\0' && !problem->is_warning)
                (void)snprintf(reason, REASON_MAX, "%s", place);
        }
    }
}

static bool files_put(triggers_directory *directory, triggers_files *files, core_error *error) {
    const triggers_apply_options options = {.origin = TRIGGERS_ORIGIN_DIRECTORY,
                                            .prune = files->count > 0 || directory->had_some,
                                            .handler = refusal_note,
                                            .context = directory};
    char reason[REASON_MAX] = "";
    size_t refused = 0;
    if (!triggers_files_check(directory->check, directory->host->spec.config, files, error))
        return false;
    problems_tell(directory, files, reason);
    if (!triggers_apply(directory->store, files, &options, &refused, error))
        return false;
    directory->had_some |= files->count > 0;
    if (*reason != '\0' || refused == 0)
        reason_set(directory, reason);
    return true;
}

/* Whether another node has other files; then both say so and put nothing. */
static bool peers_agree(triggers_directory *directory, uint64_t hash, bool *agree,
                        core_error *error) {
    char other[TRIGGERS_NODE_MAX], reason[REASON_MAX];
    fanout_connection *connection = triggers_store_connection(directory->store, error);
    if (connection == NULL ||
        !triggers_peers_tell(&directory->peers, connection, hash, other, error))
        return false;
    directory->told_ms = core_clock_ms(directory->host->spec.clock);
    *agree = *other == '\0';
    if (*agree)
        return true;
    (void)snprintf(reason, sizeof reason,
                   "%s has other files of triggers than this node, %s: neither loads them until "
                   "they are alike",
                   other, directory->peers.node);
    reason_set(directory, reason);
    return true;
}

/* False: what must be asked is away. */
static bool directory_load(triggers_directory *directory, core_error *error) {
    const triggers_definition_facts facts = {
        .project = core_slice_text(directory->host->tenants.project),
        .environment = core_slice_text(directory->host->tenants.environment)};
    triggers_files files;
    bool agree = true;
    uint64_t look = triggers_files_look(directory->path);
    triggers_files_init(&files);
    bool ok = triggers_files_add(&files, directory->path, true, &facts, error);
    triggers_files_end(&files);
    bool has_some = files.count > 0;
    if (ok && has_some)
        ok = peers_agree(directory, files.hash, &agree, error);
    if (ok && !has_some && directory->had_some)
        triggers_peers_leave(&directory->peers);
    if (ok && agree && (has_some || directory->had_some))
        ok = files_put(directory, &files, error);
    else if (ok && agree)
        reason_set(directory, "");
    directory->look = look;
    directory->hash = has_some ? files.hash : 0;
    directory->loaded = ok && agree;
    triggers_files_fini(&files);
    return ok;
}

/* ---- The thread ---- */

/* False: it is to stop. */
static bool directory_pause(triggers_directory *directory, int64_t timeout_ms) {
    (void)pthread_mutex_lock(&directory->mutex);
    if (!directory->stopping)
        (void)core_condition_wait(&directory->wake, &directory->mutex, timeout_ms);
    bool goes_on = !directory->stopping;
    (void)pthread_mutex_unlock(&directory->mutex);
    return goes_on;
}

/* Says again which files there are. What another has put before does not change by that. */
static bool peers_remind(triggers_directory *directory, core_error *error) {
    bool agree = true, was = directory->loaded;
    int64_t now_ms = core_clock_ms(directory->host->spec.clock);
    if (directory->hash == 0 || now_ms - directory->told_ms < TRIGGERS_PEERS_EACH)
        return true;
    if (!peers_agree(directory, directory->hash, &agree, error))
        return false;
    directory->loaded = agree && was;
    return true;
}

static bool directory_turn(triggers_directory *directory, core_error *error) {
    bool changed = triggers_files_look(directory->path) != directory->look;
    return changed || !directory->loaded ? directory_load(directory, error)
                                         : peers_remind(directory, error);
}

static void *directory_run(void *context) {
    triggers_directory *directory = directory_of(context);
    core_backoff backoff;
    core_error error = {.text = ""};
    int64_t wait_ms = 0;
    (void)pthread_setname_np(pthread_self(), "triggers-files");
    core_backoff_init(&backoff, BACKOFF_FIRST_MS, BACKOFF_MAX_MS, (uint64_t)(uintptr_t)context);
    while (directory_pause(directory, wait_ms)) {
        if (directory_turn(directory, &error)) {
            core_backoff_reset(&backoff);
            wait_ms = LOOK_MS;
            continue;
        }
        char reason[REASON_MAX];
        (void)snprintf(reason, sizeof reason, "%s cannot be loaded yet: %s", directory->path,
                       error.text);
        reason_set(directory, reason);
        directory->loaded = false;
        wait_ms = core_backoff_next_ms(&backoff);
    }
    return NULL;
}

/* ---- The part ---- */

static bool part_start(triggers_part *part, core_error *error) {
    triggers_directory *directory = directory_of(part);
    int failure = pthread_create(&directory->thread, NULL, directory_run, directory);
    directory->started = failure == 0;
    return directory->started ||
           core_error_set(error, CORE_ERROR_INTERNAL, "starting the thread of files: %s",
                          strerror(failure));
}

static core_readiness part_ready(triggers_part *part, char *reason, size_t reason_size) {
    triggers_directory *directory = directory_of(part);
    (void)pthread_mutex_lock(&directory->mutex);
    bool warns = directory->reason[0] != '\0';
    if (warns)
        (void)snprintf(reason, reason_size, "%s", directory->reason);
    (void)pthread_mutex_unlock(&directory->mutex);
    return warns ? CORE_READY_WARNING : CORE_READY_YES;
}

static void part_stop(triggers_part *part) {
    triggers_directory *directory = directory_of(part);
    (void)pthread_mutex_lock(&directory->mutex);
    directory->stopping = true;
    (void)pthread_cond_signal(&directory->wake);
    (void)pthread_mutex_unlock(&directory->mutex);
    if (directory->started)
        (void)pthread_join(directory->thread, NULL);
    if (directory->hash != 0)
        triggers_peers_leave(&directory->peers);
    triggers_peers_fini(&directory->peers);
    triggers_store_free(directory->store);
    triggers_check_free(directory->check);
    (void)pthread_cond_destroy(&directory->wake);
    (void)pthread_mutex_destroy(&directory->mutex);
    directory->magic = 0;
    free(directory);
}

triggers_part *triggers_directory_part(triggers_host *host, core_error *error) {
    triggers_directory *directory = calloc(1, sizeof *directory);
    if (directory == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for files of triggers");
        return NULL;
    }
    *directory = (triggers_directory){
        .part = {.name = "files", .start = part_start, .ready = part_ready, .stop = part_stop},
        .magic = DIRECTORY_MAGIC,
        .host = host,
        .path = core_config_text(host->spec.config, "triggers.dir"),
    };
    (void)pthread_mutex_init(&directory->mutex, NULL);
    core_condition_init(&directory->wake);
    triggers_peers_init(&directory->peers, &host->spec);
    directory->store = triggers_store_new(&host->spec, "walcast-triggers-files", error);
    if (directory->store != NULL)
        directory->check = triggers_check_new(&host->spec, error);
    if (directory->check != NULL)
        return &directory->part;
    part_stop(&directory->part);
    return NULL;
}
