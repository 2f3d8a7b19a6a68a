/* Files put into key-value; see definition.h. */
#include "fanout/fanout.h"

#include <stdlib.h>

/* ---- Checking ---- */

/* Whether it is for this source to look at. With several sources, a file that names no project is
 * the first one's. */
static bool file_is_ours(const core_definition_files *files, const core_config *config,
                         const core_definition_file *file) {
    char project[FANOUT_PROJECT_MAX], environment[FANOUT_PROJECT_MAX];
    bool names = core_node_find(core_document_root(file->document), "project") != NULL;
    if (!core_config_one_of_many(config))
        return true;
    if (!names)
        return core_config_source_name(config) == NULL;
    core_tenants tenants = core_tenants_of(config);
    core_definition_head head = files->kind->head(file->definition);
    if (!core_slice_to_text(head.project, project, sizeof project) ||
        !core_slice_to_text(head.environment, environment, sizeof environment))
        return true;
    if (core_tenants_hosts(&tenants, project, environment))
        return true;
    /* The first source tells of what none hosts. */
    return core_config_source_name(config) == NULL &&
           core_tenants_source(config, project, environment) == NULL;
}

bool fanout_definitions_check(core_definition_files *files, const core_config *config,
                              const fanout_definition_check *check, core_error *error) {
    bool ok = true;
    for (size_t i = 0; ok && i < files->count; i++) {
        core_definition_file *file = &files->items[i];
        if (file->definition == NULL || !core_problems_ok(&file->problems))
            continue;
        if (!file_is_ours(files, config, file))
            core_definition_file_leave_out(files, file);
        else
            ok = check->one(check->context, file->definition, file->document, &file->problems,
                            &file->facts, error);
    }
    check->rest(check->context);
    return ok;
}

/* ---- Putting ---- */

typedef struct {
    fanout_definitions *store;
    const core_definition_files *files;
    const fanout_apply_options *options;
    size_t refused;
} apply_run;

static void applied_tell(apply_run *run, const fanout_applied *applied) {
    run->refused += applied->refusal != NULL;
    if (run->options->handler != NULL)
        run->options->handler(run->options->context, applied);
}

static bool file_put(apply_run *run, const core_definition_file *file, core_error *error) {
    char project[FANOUT_PROJECT_MAX] = "", name[FANOUT_DEFINITION_NAME_MAX + 1] = "";
    core_definition_head head = run->files->kind->head(file->definition);
    const fanout_definition_wish wish = {
        .definition = file->definition,
        .document = file->document,
        .facts = core_buffer_slice(&file->facts),
        .origin = run->options->origin,
        .file = run->options->origin == FANOUT_ORIGIN_DIRECTORY ? file->name : file->path,
        .expected = FANOUT_REVISION_ANY,
        .dry = run->options->dry,
    };
    fanout_applied applied = {.file = file->path, .project = project, .name = name};
    uint64_t revision = 0;
    if (!core_slice_to_text(head.project, project, sizeof project) ||
        !core_slice_to_text(head.name, name, sizeof name))
        return core_error_set(error, CORE_ERROR_INPUT, "%s: the project is too long", file->path);
    if (fanout_definitions_put(run->store, &wish, &applied.outcome, &revision, error)) {
        applied_tell(run, &applied);
        return true;
    }
    if (error->code != CORE_ERROR_CONFLICT && error->code != CORE_ERROR_INPUT &&
        error->code != CORE_ERROR_LIMIT)
        return core_error_wrap(error, "%s", file->path);
    applied.refusal = error->text;
    applied_tell(run, &applied);
    return true;
}

/* ---- Removing ---- */

typedef struct {
    char project[FANOUT_PROJECT_MAX], name[FANOUT_DEFINITION_NAME_MAX + 1];
} apply_gone;

typedef struct {
    const apply_run *run;
    apply_gone *items;
    size_t count, room;
} apply_prune;

/* Of a file that cannot be read now its definition stays. */
static bool file_has(const core_definition_files *files, const core_definition_file *file,
                     const fanout_definition *stored) {
    if (file->definition == NULL)
        return core_slice_is(stored->file, file->name) || core_slice_is(stored->file, file->path);
    core_definition_head head = files->kind->head(file->definition);
    return core_slice_equal(head.name, stored->name) &&
           core_slice_equal(head.project, stored->project);
}

static bool files_have(const core_definition_files *files, const fanout_definition *stored) {
    for (size_t i = 0; i < files->count; i++)
        if (file_has(files, &files->items[i], stored))
            return true;
    return false;
}

static bool prune_take(void *context, const fanout_definition *stored, uint64_t revision,
                       const char *key, const char *problem, core_error *error) {
    apply_prune *prune = context;
    (void)revision;
    (void)key;
    (void)problem;
    bool by_directory = prune->run->options->origin == FANOUT_ORIGIN_DIRECTORY;
    if (stored == NULL || stored->origin == FANOUT_ORIGIN_REST ||
        (by_directory && stored->origin != FANOUT_ORIGIN_DIRECTORY) ||
        files_have(prune->run->files, stored))
        return true;
    if (prune->count == prune->room) {
        size_t room = prune->room > 0 ? prune->room * 2 : 16;
        apply_gone *items = realloc(prune->items, room * sizeof *items);
        if (items == NULL)
            return core_error_set(error, CORE_ERROR_INTERNAL, "no memory to prune");
        prune->items = items;
        prune->room = room;
    }
    apply_gone *gone = &prune->items[prune->count];
    prune->count += core_slice_to_text(stored->project, gone->project, sizeof gone->project) &&
                    core_slice_to_text(stored->name, gone->name, sizeof gone->name);
    return true;
}

static bool prune_run(apply_run *run, core_error *error) {
    apply_prune prune = {.run = run};
    bool ok = fanout_definitions_each(run->store, NULL, prune_take, &prune, error);
    for (size_t i = 0; ok && i < prune.count; i++) {
        const apply_gone *gone = &prune.items[i];
        const fanout_applied applied = {
            .project = gone->project, .name = gone->name, .outcome = FANOUT_REMOVED};
        ok = run->options->dry || fanout_definitions_remove(run->store, gone->project, gone->name,
                                                            false, FANOUT_REVISION_ANY, error);
        if (ok)
            applied_tell(run, &applied);
    }
    free(prune.items);
    return ok;
}

bool fanout_definitions_apply(fanout_definitions *store, const core_definition_files *files,
                              const fanout_apply_options *options, size_t *refused,
                              core_error *error) {
    apply_run run = {.store = store, .files = files, .options = options};
    bool ok = true;
    for (size_t i = 0; ok && i < files->count; i++)
        if (files->items[i].definition != NULL && core_problems_ok(&files->items[i].problems))
            ok = file_put(&run, &files->items[i], error);
    ok = ok && (!options->prune || prune_run(&run, error));
    *refused = run.refused;
    return ok;
}
