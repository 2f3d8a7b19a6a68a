/* See slot.h. */
#include "search-index/slot.h"

#include "search-index/code.h"

#include <stdlib.h>

#define ASSEMBLY_MAX_BYTES ((size_t)256 << 20)

search_slot *search_slot_new(const search_entry *entry) {
    search_slot *slot = calloc(1, sizeof *slot);
    if (slot == NULL)
        return NULL;
    slot->entry = search_entry_hold(entry);
    core_assembly_init(&slot->assembly, ASSEMBLY_MAX_BYTES);
    return slot;
}

static const char *name_of(const search_slot *slot) {
    return (const char *)slot->entry->uid.data;
}

/* ---- Closing ---- */

static void rows_close(search_slot *slot) {
    slot->rows_read = 0;
    search_feed_free(slot->rows);
    slot->rows = NULL;
    core_assembly_reset(&slot->assembly);
}

static void building_close(search_slot *slot) {
    rows_close(slot);
    search_generation_free(slot->building);
    slot->building = NULL;
}

static void live_close(search_slot *slot) {
    search_generation_free(slot->live);
    search_open_release(slot->open);
    slot->live = NULL;
    slot->open = NULL;
}

void search_slot_free(search_slot *slot) {
    if (slot == NULL)
        return;
    building_close(slot);
    live_close(slot);
    core_assembly_fini(&slot->assembly);
    search_entry_release(slot->entry);
    free(slot);
}

static void file_remove(search_host *host, const search_slot *slot, search_file file) {
    char path[SEARCH_PATH_SIZE];
    core_error error;
    if (search_paths_file(slot->directory, slot->entry->uid, file, path) &&
        !search_store_remove(path, &error))
        CORE_LOG(host->spec.log, WARN, "search", "a file of an index could not be removed",
                 CORE_LOG_TEXT("path", path), CORE_LOG_TEXT("error", error.text));
}

/* All but those that are open. */
static void files_tidy(search_host *host, const search_slot *slot) {
    search_file files[SEARCH_BUILDS_MAX];
    size_t count = search_paths_list(slot->directory, slot->entry->uid, 0, files);
    for (size_t i = 0; i < count; i++) {
        bool is_live = slot->live != NULL && slot->live_file.generation == files[i].generation &&
                       slot->live_file.build == files[i].build;
        bool is_building = slot->building != NULL &&
                           slot->building_file.generation == files[i].generation &&
                           slot->building_file.build == files[i].build;
        if (!is_live && !is_building)
            file_remove(host, slot, files[i]);
    }
}

void search_slot_remove(search_host *host, search_slot *slot) {
    search_registry_remove(host->registry, slot->entry->project, slot->entry->uid);
    if (slot->open != NULL)
        search_open_discard(slot->open);
    building_close(slot);
    live_close(slot);
    files_tidy(host, slot);
    search_slot_free(slot);
}

/* ---- Opening ---- */

/* It answers from here on. */
static bool live_put(search_host *host, search_slot *slot, search_generation *generation,
                     search_file file, core_error *error) {
    search_generation_lend(generation);
    search_open *open =
        search_open_new(search_generation_entry(generation), search_generation_backend(generation),
                        search_generation_path(generation));
    if (open == NULL || !search_registry_put(host->registry, open)) {
        search_generation_free(generation);
        search_open_release(open);
        return core_error_set(error, CORE_ERROR_INTERNAL, "no memory for an index");
    }
    search_registry_reach(host->registry, open,
                          search_generation_position(generation).change_sequence,
                          search_generation_epoch(generation));
    if (slot->open != NULL)
        search_open_discard(slot->open);
    live_close(slot);
    slot->live = generation;
    slot->open = open;
    slot->live_file = file;
    slot->is_stale = false;
    return true;
}

/* NULL: it cannot be opened; what is good for nothing is removed. */
static search_generation *file_open(search_host *host, search_slot *slot, const search_entry *entry,
                                    search_file file, core_error *error) {
    char path[SEARCH_PATH_SIZE];
    if (!search_paths_file(slot->directory, entry->uid, file, path))
        return NULL;
    const search_generation_options options = {.spec = &host->spec, .entry = entry, .path = path};
    search_generation *generation = search_generation_open(&options, error);
    if (generation != NULL)
        return generation;
    CORE_LOG(host->spec.log, WARN, "search", "a file of an index cannot be used",
             CORE_LOG_TEXT("path", path), CORE_LOG_TEXT("error", error->text));
    if (error->code == CORE_ERROR_GAP || error->code == CORE_ERROR_CONFLICT)
        file_remove(host, slot, file);
    return NULL;
}

/* The entry that the file was made for, of those that there were; NULL: it is too old. */
static const search_entry *entry_of(const search_slot *slot, search_file file) {
    const search_entry *entry = slot->entry;
    while (entry != NULL && entry->generation != file.generation)
        entry = entry->previous;
    return entry;
}

/* Takes one file: as what answers, or as what is being built. */
static bool file_take(search_host *host, search_slot *slot, search_file file, core_error *error) {
    const search_entry *entry = entry_of(slot, file);
    bool is_wanted = entry == slot->entry;
    if (entry == NULL)
        return true;
    search_generation *generation = file_open(host, slot, entry, file, error);
    if (generation == NULL)
        return error->code != CORE_ERROR_FULL && error->code != CORE_ERROR_TRANSIENT;
    if (!search_generation_is_building(generation))
        return live_put(host, slot, generation, file, error);
    if (is_wanted && slot->building == NULL) {
        slot->building = generation;
        slot->building_file = file;
        return true;
    }
    search_generation_free(generation);
    return true;
}

/* From the newest on, until one answers. */
static bool files_take(search_host *host, search_slot *slot, core_error *error) {
    search_file files[SEARCH_BUILDS_MAX];
    size_t count = search_paths_list(slot->directory, slot->entry->uid, 0, files);
    bool ok = true;
    for (size_t i = 0; ok && i < count && slot->live == NULL; i++)
        ok = file_take(host, slot, files[i], error);
    /* A build of what answers is one that was to take its place since it missed changes. */
    slot->is_stale = slot->live != NULL && slot->building != NULL &&
                     slot->live_file.generation == slot->building_file.generation;
    return ok;
}

static uint32_t build_next(const search_slot *slot) {
    search_file files[SEARCH_BUILDS_MAX];
    return search_paths_list(slot->directory, slot->entry->uid, slot->entry->generation, files) > 0
               ? files[0].build + 1
               : 1;
}

static void stuck_set(search_host *host, search_slot *slot, const char *reason) {
    slot->is_stuck = true;
    (void)snprintf(slot->problem, sizeof slot->problem, "%s", reason);
    search_tasks_fail(host->tasks, slot->entry->generation, SEARCH_TASK_PROCESSING,
                      core_clock_wall_us(host->spec.clock),
                      search_code_look(SEARCH_CODE_INTERNAL)->name, reason);
}

static bool building_begin(search_host *host, search_slot *slot, search_position position,
                           const char *epoch, core_error *error) {
    search_file file = {.generation = slot->entry->generation, .build = build_next(slot)};
    char path[SEARCH_PATH_SIZE];
    if (!search_paths_file(slot->directory, slot->entry->uid, file, path))
        return core_error_set(error, CORE_ERROR_CONFIG, "search.dir: the path is too long");
    const search_generation_options options = {.spec = &host->spec,
                                               .entry = slot->entry,
                                               .path = path,
                                               .is_new = true,
                                               .position = position,
                                               .epoch = epoch};
    slot->building = search_generation_open(&options, error);
    slot->building_file = file;
    slot->table = 0;
    slot->look_ms = 0;
    if (slot->building != NULL) {
        CORE_LOG(host->spec.log, INFO, "search", "an index is being built",
                 CORE_LOG_TEXT("index", name_of(slot)),
                 CORE_LOG_NUMBER("generation", file.generation),
                 CORE_LOG_NUMBER("from", position.change_sequence));
        return true;
    }
    if (error->code != CORE_ERROR_INPUT)
        return false;
    stuck_set(host, slot, error->text);
    return true;
}

static bool is_served(const search_slot *slot) {
    return slot->live != NULL && !slot->is_stale &&
           slot->live_file.generation == slot->entry->generation;
}

bool search_slot_open(search_host *host, search_slot *slot, search_position position,
                      const char *epoch, core_error *error) {
    if (!search_paths_directory(&host->spec, slot->entry->project, slot->directory, error) ||
        !files_take(host, slot, error))
        return false;
    if (!is_served(slot) && slot->building == NULL &&
        !building_begin(host, slot, position, epoch, error))
        return false;
    files_tidy(host, slot);
    return true;
}

/* ---- Changing ---- */

bool search_slot_change(search_host *host, search_slot *slot, const search_entry *entry,
                        search_position position, const char *epoch, core_error *error) {
    bool is_other = entry->generation != slot->entry->generation;
    const search_entry *was = slot->entry;
    slot->entry = search_entry_hold(entry);
    search_entry_release(was);
    if (!is_other)
        return true;
    building_close(slot);
    slot->is_stuck = false;
    slot->problem[0] = '\0';
    if (!building_begin(host, slot, position, epoch, error))
        return false;
    files_tidy(host, slot);
    return true;
}

bool search_slot_again(search_host *host, search_slot *slot, const search_generation *lost,
                       search_position position, const char *epoch, const char *reason,
                       core_error *error) {
    if (lost == slot->live && (slot->building != NULL || slot->is_stuck)) {
        slot->is_stale = true;
        return true;
    }
    CORE_LOG(host->spec.log, WARN, "search", "an index missed changes and is built anew",
             CORE_LOG_TEXT("index", name_of(slot)), CORE_LOG_TEXT("reason", reason));
    core_metrics_add(host->spec.metrics, CORE_METRIC_SEARCH_GAPS, 1);
    building_close(slot);
    slot->is_stale = slot->live != NULL;
    if (!building_begin(host, slot, position, epoch, error))
        return false;
    files_tidy(host, slot);
    return true;
}

void search_slot_stick(search_host *host, search_slot *slot, const search_generation *generation,
                       const char *reason) {
    stuck_set(host, slot, reason);
    CORE_LOG(host->spec.log, ERROR, "search", "an index cannot go on",
             CORE_LOG_TEXT("index", name_of(slot)), CORE_LOG_TEXT("reason", reason));
    if (generation == slot->live) {
        search_generation_rollback(slot->live);
        slot->is_stale = true;
    } else
        building_close(slot);
}

bool search_slot_swap(search_host *host, search_slot *slot, core_error *error) {
    search_generation *generation = slot->building;
    rows_close(slot);
    slot->building = NULL;
    if (!live_put(host, slot, generation, slot->building_file, error))
        return false;
    slot->problem[0] = '\0';
    core_metrics_add(host->spec.metrics, CORE_METRIC_SEARCH_BUILT, 1);
    CORE_LOG(host->spec.log, INFO, "search", "an index is built and answers",
             CORE_LOG_TEXT("index", name_of(slot)),
             CORE_LOG_NUMBER("generation", slot->live_file.generation));
    return true;
}

size_t search_slot_active(const search_slot *slot, search_generation *active[2]) {
    size_t count = 0;
    if (slot->live != NULL && !slot->is_stale)
        active[count++] = slot->live;
    if (slot->building != NULL)
        active[count++] = slot->building;
    return count;
}
