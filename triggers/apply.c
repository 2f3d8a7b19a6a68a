/* See apply.h. */
#include "triggers/apply.h"

#include <stdlib.h>

/* ---- Checking ---- */

static void file_leave_out(triggers_file *file) {
    triggers_definition_release(file->definition);
    file->definition = NULL;
}

/* Whether it is for this source to look at. With several sources, a file that names no project is
 * the first one's. */
static bool file_is_ours(const core_config *config, const triggers_file *file) {
    char project[AUTH_CLAIM_MAX], environment[AUTH_CLAIM_MAX];
    bool names = core_node_find(core_document_root(file->document), "project") != NULL;
    if (!core_config_one_of_many(config))
        return true;
    if (!names)
        return core_config_source_name(config) == NULL;
    core_tenants tenants = core_tenants_of(config);
    if (!core_slice_to_text(file->definition->project, project, sizeof project) ||
        !core_slice_to_text(file->definition->environment, environment, sizeof environment))
        return true;
    if (core_tenants_hosts(&tenants, project, environment))
        return true;
    /* The first source tells of what none hosts. */
    return core_config_source_name(config) == NULL &&
           core_tenants_source(config, project, environment) == NULL;
}

bool triggers_files_check(triggers_check *check, const core_config *config, triggers_files *files,
                          core_error *error) {
    bool ok = true;
    for (size_t i = 0; ok && i < files->count; i++) {
        triggers_file *file = &files->items[i];
        if (file->definition == NULL || !core_problems_ok(&file->problems))
            continue;
        if (!file_is_ours(config, file))
            file_leave_out(file);
        else
            ok = triggers_check_definition(check, file->definition, file->document, &file->problems,
                                           &file->facts, error);
    }
    triggers_check_rest(check);
    return ok;
}

/* ---- Putting ---- */

typedef struct {
    triggers_store *store;
    const triggers_files *files;
    const triggers_apply_options *options;
    size_t refused;
} apply_run;

static void applied_tell(apply_run *run, const triggers_applied *applied) {
    run->refused += applied->refusal != NULL;
    if (run->options->handler != NULL)
        run->options->handler(run->options->context, applied);
}

static bool file_put(apply_run *run, const triggers_file *file, core_error *error) {
    char project[AUTH_CLAIM_MAX] = "", name[TRIGGERS_NAME_MAX + 1] = "";
    const triggers_wish wish = {
        .definition = file->definition,
        .document = file->document,
        .facts = core_buffer_slice(&file->facts),
        .origin = run->options->origin,
        .file = run->options->origin == TRIGGERS_ORIGIN_DIRECTORY ? file->name : file->path,
        .expected = TRIGGERS_REVISION_ANY,
        .dry = run->options->dry,
    };
    triggers_applied applied = {.file = file->path, .project = project, .name = name};
    uint64_t revision = 0;
    if (!core_slice_to_text(file->definition->project, project, sizeof project) ||
        !core_slice_to_text(file->definition->name, name, sizeof name))
        return core_error_set(error, CORE_ERROR_INPUT, "%s: the project is too long", file->path);
    if (triggers_store_put(run->store, &wish, &applied.outcome, &revision, error)) {
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
    char project[AUTH_CLAIM_MAX], name[TRIGGERS_NAME_MAX + 1];
} apply_gone;

typedef struct {
    const apply_run *run;
    apply_gone *items;
    size_t count, room;
} apply_prune;

/* Of a file that cannot be read now its trigger stays. */
static bool file_has(const triggers_files *files, const triggers_stored *stored) {
    for (size_t i = 0; i < files->count; i++) {
        const triggers_file *file = &files->items[i];
        const triggers_definition *definition = file->definition;
        if (definition != NULL ? core_slice_equal(definition->name, stored->name) &&
                                     core_slice_equal(definition->project, stored->project)
                               : core_slice_is(stored->file, file->name) ||
                                     core_slice_is(stored->file, file->path))
            return true;
    }
    return false;
}

static bool prune_take(void *context, const triggers_stored *stored, uint64_t revision,
                       const char *key, const char *problem, core_error *error) {
    apply_prune *prune = context;
    (void)revision;
    (void)key;
    (void)problem;
    bool by_directory = prune->run->options->origin == TRIGGERS_ORIGIN_DIRECTORY;
    if (stored == NULL || stored->origin == TRIGGERS_ORIGIN_REST ||
        (by_directory && stored->origin != TRIGGERS_ORIGIN_DIRECTORY) ||
        file_has(prune->run->files, stored))
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
    bool ok = triggers_store_each(run->store, NULL, prune_take, &prune, error);
    for (size_t i = 0; ok && i < prune.count; i++) {
        const apply_gone *gone = &prune.items[i];
        const triggers_applied applied = {
            .project = gone->project, .name = gone->name, .outcome = TRIGGERS_REMOVED};
        ok = run->options->dry || triggers_store_remove(run->store, gone->project, gone->name,
                                                        false, TRIGGERS_REVISION_ANY, error);
        if (ok)
            applied_tell(run, &applied);
    }
    free(prune.items);
    return ok;
}

bool triggers_apply(triggers_store *store, const triggers_files *files,
                    const triggers_apply_options *options, size_t *refused, core_error *error) {
    apply_run run = {.store = store, .files = files, .options = options};
    bool ok = true;
    for (size_t i = 0; ok && i < files->count; i++)
        if (files->items[i].definition != NULL && core_problems_ok(&files->items[i].problems))
            ok = file_put(&run, &files->items[i], error);
    ok = ok && (!options->prune || prune_run(&run, error));
    *refused = run.refused;
    return ok;
}
