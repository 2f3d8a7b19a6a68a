/* See generation.h: opened, given changes, committed. What a generation knows of itself (the epoch,
 * how far snapshots have come) stands in side rows of its file, so it is of the same commit. */
#include "search-index/generation.h"

#include "search-index/generation_private.h"

#include <stdlib.h>

#define GENERATION_MAGIC  UINT32_C(0x5347454e) /* "SGEN" */
#define ARENA_CHUNK_BYTES ((size_t)256 << 10)
#define ARENA_MAX_BYTES   ((size_t)256 << 20)
#define ID_MAX_BYTES      ((size_t)64 << 10) /* longer ones are refused all the same */

static bool no_memory(core_error *error) {
    return core_error_set(error, CORE_ERROR_INTERNAL, "no memory for an index");
}

/* ---- Made of its entry ---- */

static bool definition_make(search_generation *generation, core_error *error) {
    const search_entry *entry = generation->entry;
    const search_definition_facts facts = {.project = entry->project,
                                           .environment = entry->environment};
    core_problems problems;
    core_problems_init(&problems);
    generation->definition = search_definition_read(entry->text, &facts, &problems);
    if (generation->definition == NULL)
        (void)core_error_set(error, CORE_ERROR_INPUT, "index %s: %s", (const char *)entry->uid.data,
                             problems.count > 0 ? problems.items[0].text : "cannot be read");
    core_problems_fini(&problems);
    if (generation->definition != NULL)
        generation->plan = search_plan_new(generation->definition, entry->facts, error);
    if (generation->plan != NULL)
        generation->schema = search_plan_schema(generation->plan, error);
    return generation->schema != NULL;
}

static bool rooms_make(search_generation *generation, core_error *error) {
    const search_plan *plan = generation->plan;
    size_t columns = 1;
    for (size_t i = 0; i < plan->table_count; i++)
        columns = plan->tables[i].column_count > columns ? plan->tables[i].column_count : columns;
    generation->bindings = calloc(plan->table_count, sizeof *generation->bindings);
    generation->values = calloc(columns, sizeof *generation->values);
    generation->old_values = calloc(columns, sizeof *generation->old_values);
    generation->kept_values = calloc(columns, sizeof *generation->kept_values);
    if (generation->bindings == NULL || generation->values == NULL ||
        generation->old_values == NULL || generation->kept_values == NULL)
        return no_memory(error);
    for (size_t i = 0; i < plan->table_count; i++)
        search_binding_init(&generation->bindings[i], plan, i);
    return true;
}

static void buffers_init(search_generation *generation) {
    core_arena_init(&generation->arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
    core_buffer_init(&generation->id, ID_MAX_BYTES);
    core_buffer_init(&generation->old_id, ID_MAX_BYTES);
    core_buffer_init(&generation->document, SEARCH_DOCUMENT_BYTES_MAX);
    core_buffer_init(&generation->source, SEARCH_SOURCE_BYTES_MAX);
    core_buffer_init(&generation->scratch, 2 * SEARCH_SOURCE_BYTES_MAX);
}

/* ---- What it knows of itself ---- */

#define EPOCH_KEY "epoch"

static bool meta_put(search_generation *generation, const char *key, core_slice bytes,
                     core_error *error) {
    const search_side row = {
        .space = SEARCH_SPACE_META, .key = core_slice_text(key), .bytes = bytes};
    return search_backend_side_put(generation->backend, &row, error);
}

static void build_key(size_t table, char key[32]) {
    (void)snprintf(key, 32, "snapshot.%zu", table);
}

static bool build_load(search_generation *generation, size_t table, core_error *error) {
    char key[32];
    search_side row;
    search_build *build = &generation->builds[table];
    build_key(table, key);
    if (!search_backend_side_get(generation->backend, SEARCH_SPACE_META, core_slice_text(key), &row,
                                 error))
        return false;
    if (row.key.data != NULL && row.bytes.length == sizeof *build)
        memcpy(build, row.bytes.data, sizeof *build);
    build->id[sizeof build->id - 1] = '\0';
    return true;
}

static bool meta_load(search_generation *generation, core_error *error) {
    search_side row;
    if (!search_backend_side_get(generation->backend, SEARCH_SPACE_META, core_slice_text(EPOCH_KEY),
                                 &row, error))
        return false;
    if (row.key.data != NULL &&
        !core_slice_to_text(row.bytes, generation->epoch, sizeof generation->epoch))
        generation->epoch[0] = '\0';
    memcpy(generation->told_epoch, generation->epoch, sizeof generation->told_epoch);
    for (size_t i = 0; i < generation->plan->table_count; i++)
        if (!build_load(generation, i, error))
            return false;
    return true;
}

/* ---- Life ---- */

static bool file_open(search_generation *generation, const search_generation_options *options,
                      core_error *error) {
    const core_config *config = options->spec->config;
    const search_store_options store = {
        .path = generation->path,
        .schema = generation->schema,
        .columns_max_bytes = (size_t)core_config_integer(config, "search.columns_bytes"),
        .cache_bytes = (size_t)core_config_integer(config, "search.cache_bytes"),
    };
    generation->backend = search_store_open(&store, error);
    if (generation->backend == NULL)
        return false;
    const search_stats stats = search_backend_stats(generation->backend);
    generation->is_building = stats.is_building;
    generation->committed = generation->reached = stats.position;
    generation->has_dirty = true;
    if (!options->is_new)
        return meta_load(generation, error);
    (void)snprintf(generation->epoch, sizeof generation->epoch, "%s", options->epoch);
    generation->reached = options->position;
    generation->is_touched = true;
    return search_generation_commit(generation, error);
}

search_generation *search_generation_open(const search_generation_options *options,
                                          core_error *error) {
    search_generation *generation = calloc(1, sizeof *generation);
    if (generation == NULL) {
        (void)no_memory(error);
        return NULL;
    }
    generation->magic = GENERATION_MAGIC;
    generation->spec = options->spec;
    generation->entry = search_entry_hold(options->entry);
    buffers_init(generation);
    int length = snprintf(generation->path, sizeof generation->path, "%s", options->path);
    if (length < (int)sizeof generation->path && definition_make(generation, error) &&
        rooms_make(generation, error) && file_open(generation, options, error))
        return generation;
    search_generation_free(generation);
    return NULL;
}

void search_generation_free(search_generation *generation) {
    if (generation == NULL)
        return;
    CORE_MAGIC_CHECK(generation, GENERATION_MAGIC);
    if (generation->backend != NULL && generation->is_lent)
        search_backend_rollback(generation->backend);
    else if (generation->backend != NULL)
        search_backend_close(generation->backend);
    for (size_t i = 0; generation->bindings != NULL && i < generation->plan->table_count; i++)
        search_binding_fini(&generation->bindings[i]);
    free(generation->bindings);
    free(generation->values);
    free(generation->old_values);
    free(generation->kept_values);
    core_arena_fini(&generation->arena);
    core_buffer *buffers[] = {&generation->id, &generation->old_id, &generation->document,
                              &generation->source, &generation->scratch};
    for (size_t i = 0; i < CORE_COUNT_OF(buffers); i++)
        core_buffer_fini(buffers[i]);
    if (generation->schema != NULL)
        search_schema_release(generation->schema);
    search_plan_free(generation->plan);
    search_definition_release(generation->definition);
    search_entry_release(generation->entry);
    generation->magic = 0;
    free(generation);
}

void search_generation_lend(search_generation *generation) {
    generation->is_lent = true;
}

/* ---- Looking ---- */

const search_entry *search_generation_entry(const search_generation *generation) {
    return generation->entry;
}

const search_plan *search_generation_plan(const search_generation *generation) {
    return generation->plan;
}

search_backend *search_generation_backend(search_generation *generation) {
    return generation->backend;
}

const char *search_generation_path(const search_generation *generation) {
    return generation->path;
}

search_position search_generation_position(const search_generation *generation) {
    return generation->reached;
}

uint64_t search_generation_committed(const search_generation *generation) {
    return generation->committed.change_sequence;
}

const char *search_generation_epoch(const search_generation *generation) {
    return generation->epoch;
}

const char *search_generation_problem(const search_generation *generation) {
    if (generation->problem[0] != '\0')
        return generation->problem;
    for (size_t i = 0; i < generation->plan->table_count; i++)
        if (generation->bindings[i].problem[0] != '\0')
            return generation->bindings[i].problem;
    return "";
}

int search_generation_table(const search_generation *generation, core_slice schema,
                            core_slice table) {
    const search_plan *plan = generation->plan;
    for (size_t i = 0; i < plan->table_count; i++)
        if (core_slice_equal(plan->tables[i].table, table) &&
            core_slice_equal(plan->tables[i].schema, schema))
            return (int)i;
    return -1;
}

search_build search_generation_build(const search_generation *generation, size_t table) {
    return generation->builds[table];
}

bool search_generation_is_building(search_generation *generation) {
    return generation->is_building;
}

bool search_generation_is_touched(const search_generation *generation) {
    return generation->is_touched || generation->item_count > 0;
}

bool search_generation_is_full(const search_generation *generation) {
    return generation->group_items + generation->item_count >= SEARCH_GROUP_ITEMS_MAX / 2 ||
           generation->group_bytes + generation->batch_bytes >= SEARCH_GROUP_BYTES_MAX / 4;
}

/* ---- Changes ---- */

/* False: this table's rows cannot be taken any more; told, and passed over. */
static bool table_bind(search_generation *generation, size_t table, const core_relation *relation,
                       bool *is_bound, core_error *error) {
    *is_bound = search_binding_bind(&generation->bindings[table], relation, error);
    if (*is_bound)
        return true;
    (void)snprintf(generation->problem, sizeof generation->problem, "%s", error->text);
    return error->code == CORE_ERROR_INPUT;
}

bool search_generation_change(search_generation *generation, size_t table,
                              const core_change *change, uint64_t version, core_error *error) {
    bool is_bound;
    CORE_MAGIC_CHECK(generation, GENERATION_MAGIC);
    if (!table_bind(generation, table, change->relation, &is_bound, error))
        return false;
    if (!is_bound)
        return true;
    if (table >= generation->plan->own_count)
        return search_related_change(generation, table, change, version, error);
    return search_batch_room(generation, error) &&
           search_rows_change(generation, table, change, version, error);
}

bool search_generation_row(search_generation *generation, size_t table, const core_change *change,
                           uint64_t version, core_error *error) {
    bool is_bound;
    CORE_MAGIC_CHECK(generation, GENERATION_MAGIC);
    if (!table_bind(generation, table, change->relation, &is_bound, error))
        return false;
    if (!is_bound)
        return true;
    if (table >= generation->plan->own_count)
        return version <= generation->builds[table].floor ||
               search_related_change(generation, table, change, version, error);
    return search_batch_room(generation, error) &&
           search_rows_snapshot(generation, table, change, version, error);
}

void search_generation_reach(search_generation *generation, search_position position,
                             const char *epoch) {
    generation->reached = position;
    if (epoch[0] != '\0')
        (void)snprintf(generation->epoch, sizeof generation->epoch, "%s", epoch);
}

/* ---- Building ---- */

bool search_generation_build_set(search_generation *generation, size_t table,
                                 const search_build *build, core_error *error) {
    char key[32];
    generation->builds[table] = *build;
    generation->is_touched = true;
    build_key(table, key);
    return meta_put(generation, key, core_slice_make(build, sizeof *build), error);
}

bool search_generation_built(search_generation *generation, core_error *error) {
    if (!search_batch_flush(generation, error) || !search_backend_built(generation->backend, error))
        return false;
    generation->is_building = false;
    generation->is_touched = true;
    return true;
}

/* ---- Groups ---- */

bool search_generation_commit(search_generation *generation, core_error *error) {
    CORE_MAGIC_CHECK(generation, GENERATION_MAGIC);
    if (!search_batch_flush(generation, error))
        return false;
    if (strcmp(generation->epoch, generation->told_epoch) != 0 &&
        !meta_put(generation, EPOCH_KEY, core_slice_text(generation->epoch), error))
        return false;
    if (!search_backend_commit(generation->backend, &generation->reached, error))
        return false;
    memcpy(generation->told_epoch, generation->epoch, sizeof generation->told_epoch);
    generation->committed = generation->reached;
    generation->is_touched = false;
    generation->group_items = generation->group_bytes = 0;
    core_metrics_add(generation->spec->metrics, CORE_METRIC_SEARCH_COMMITS, 1);
    return true;
}

void search_generation_rollback(search_generation *generation) {
    core_error ignored;
    search_backend_rollback(generation->backend);
    generation->item_count = 0;
    generation->batch_bytes = 0;
    core_arena_reset(&generation->arena);
    const search_stats stats = search_backend_stats(generation->backend);
    generation->is_building = stats.is_building;
    generation->committed = generation->reached = stats.position;
    generation->is_touched = false;
    generation->has_dirty = true;
    generation->group_items = generation->group_bytes = 0;
    /* The rest is read again; where it cannot be, so can nothing else. */
    (void)!meta_load(generation, &ignored);
}
