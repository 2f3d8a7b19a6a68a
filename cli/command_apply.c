/* `walcast apply`: files of triggers and of indexes into the shared key-value. All are checked
 * before the first is put. A file is told apart by its keys; where they do not tell, by its place.
 */
#include "cli/audit.h"
#include "cli/triggers.h"
#include "search-index/search_index.h"

#include <stdio.h>

static const char *const outcomes[] = {"unchanged", "created", "changed", "removed"};

/* One kind's. */
typedef struct {
    const char *directory; /* the key of the one that is read where no path is given */
    const char *acts[4];   /* in the audit log, by outcome */
    core_definition_files files;
    fanout_definitions *store;
} apply_kind;

enum { APPLY_TRIGGERS, APPLY_INDEXES, APPLY_KINDS };

typedef struct {
    cli_triggers base;
    apply_kind kinds[APPLY_KINDS];
    const apply_kind *at; /* that is being put */
} apply_run;

/* ---- What was done ---- */

static void applied_print_json(const apply_run *run, const fanout_applied *applied) {
    core_buffer text;
    core_buffer_init(&text, 65536);
    core_json_writer json = core_json_writer_make(&text);
    core_json_object_open(&json);
    core_json_key_text(&json, "kind");
    core_json_text(&json, run->at->files.kind->one);
    core_json_key_text(&json, "name");
    core_json_text(&json, applied->name);
    core_json_key_text(&json, "project");
    core_json_text(&json, applied->project);
    core_json_key_text(&json, "file");
    if (applied->file != NULL)
        core_json_text(&json, applied->file);
    else
        core_json_null(&json);
    core_json_key_text(&json, "outcome");
    core_json_text(&json, applied->refusal != NULL ? "refused" : outcomes[applied->outcome]);
    if (applied->refusal != NULL) {
        core_json_key_text(&json, "reason");
        core_json_text(&json, applied->refusal);
    }
    core_json_object_close(&json);
    cli_triggers_line(&text);
    core_buffer_fini(&text);
}

static void applied_print(const apply_run *run, const fanout_applied *applied) {
    bool is_index = run->at == &run->kinds[APPLY_INDEXES];
    (void)printf("%-10s %s%s%s%s%s%s\n",
                 applied->refusal != NULL ? "refused" : outcomes[applied->outcome],
                 is_index ? "index " : "", applied->name, applied->file != NULL ? "  " : "",
                 applied->file != NULL ? applied->file : "", applied->refusal != NULL ? ": " : "",
                 applied->refusal != NULL ? applied->refusal : "");
}

static void applied_record(const apply_run *run, const fanout_applied *applied) {
    if (applied->outcome == FANOUT_UNCHANGED || applied->refusal != NULL ||
        cli_flag(run->base.arguments, "--dry-run"))
        return;
    const auth_act act = {.act = run->at->acts[applied->outcome],
                          .object = applied->name,
                          .detail = applied->file,
                          .project = applied->project};
    core_error error = {.text = ""};
    cli_audit(run->base.config, fanout_definitions_connection(run->at->store, &error), &act);
}

static void applied_take(void *context, const fanout_applied *applied) {
    apply_run *run = context;
    run->base.bad |= applied->refusal != NULL;
    if (run->base.prints_json)
        applied_print_json(run, applied);
    else
        applied_print(run, applied);
    applied_record(run, applied);
}

/* ---- Which files ---- */

static bool is_below(const char *path, const char *directory) {
    size_t length = strlen(directory);
    while (length > 0 && directory[length - 1] == '/')
        length--;
    return strncmp(path, directory, length) == 0 && path[length] == '/';
}

static bool index_takes(const void *context, const char *path, const core_document *document) {
    const core_config *config = context;
    const core_node *root = document != NULL ? core_document_root(document) : NULL;
    if (core_node_find(root, "on") != NULL || core_node_find(root, "do") != NULL)
        return false;
    return (document != NULL && search_kind_is(document)) ||
           is_below(path, core_config_text(config, "search.definitions"));
}

static bool trigger_takes(const void *context, const char *path, const core_document *document) {
    return !index_takes(context, path, document);
}

static bool kind_read(apply_run *run, apply_kind *kind, core_definition_filter takes,
                      core_error *error) {
    const cli_arguments *arguments = run->base.arguments;
    if (arguments->operand_count == 0)
        return cli_triggers_files(&run->base, kind->directory, NULL, 0, &kind->files, error);
    kind->files.takes = takes;
    kind->files.context = run->base.config;
    return cli_triggers_files(&run->base, kind->directory, arguments->operands,
                              arguments->operand_count, &kind->files, error);
}

static bool indexes_check(apply_run *run, core_definition_files *files, core_error *error) {
    const search_spec spec = {
        .config = run->base.config, .log = run->base.log, .clock = core_clock_system()};
    search_check *check = search_check_new(&spec, error);
    if (check == NULL)
        return false;
    const fanout_definition_check checking = search_check_of(check);
    bool ok = fanout_definitions_check(files, run->base.config, &checking, error);
    search_check_free(check);
    return ok;
}

static bool files_read(apply_run *run, core_error *error) {
    apply_kind *triggers = &run->kinds[APPLY_TRIGGERS], *indexes = &run->kinds[APPLY_INDEXES];
    if (!kind_read(run, triggers, trigger_takes, error) ||
        !kind_read(run, indexes, index_takes, error) ||
        !cli_triggers_check(&run->base, &triggers->files, error) ||
        !indexes_check(run, &indexes->files, error))
        return false;
    cli_triggers_print(&run->base, &triggers->files);
    cli_triggers_print(&run->base, &indexes->files);
    return true;
}

/* ---- Putting ---- */

/* Paths with files of one kind alone say nothing of the other. */
static bool is_pruned(const apply_run *run, const apply_kind *kind) {
    size_t count = 0;
    for (size_t i = 0; i < APPLY_KINDS; i++)
        count += run->kinds[i].files.count;
    return cli_flag(run->base.arguments, "--prune") &&
           (run->base.arguments->operand_count == 0 || count == 0 || kind->files.count > 0);
}

static bool kind_put(apply_run *run, apply_kind *kind, const fanout_definitions_spec *spec,
                     core_error *error) {
    const fanout_apply_options options = {.dry = cli_flag(run->base.arguments, "--dry-run"),
                                          .origin = FANOUT_ORIGIN_APPLY,
                                          .prune = is_pruned(run, kind),
                                          .handler = applied_take,
                                          .context = run};
    size_t refused = 0;
    run->at = kind;
    kind->store = fanout_definitions_new(spec, "walcast-apply", error);
    return kind->store != NULL &&
           fanout_definitions_apply(kind->store, &kind->files, &options, &refused, error);
}

static bool apply_files(apply_run *run, core_error *error) {
    const search_spec search = {
        .config = run->base.config, .log = run->base.log, .clock = core_clock_system()};
    const fanout_definitions_spec triggers = triggers_definitions_spec(&run->base.spec);
    const fanout_definitions_spec indexes = search_definitions_spec(&search);
    if (!files_read(run, error))
        return false;
    if (!run->base.bad)
        return kind_put(run, &run->kinds[APPLY_TRIGGERS], &triggers, error) &&
               kind_put(run, &run->kinds[APPLY_INDEXES], &indexes, error);
    (void)fprintf(stderr, "walcast apply: nothing was changed\n");
    return true;
}

static cli_exit apply_all(apply_run *run) {
    core_error error = {.text = ""};
    cli_triggers_files_init(&run->base, triggers_kind(), &run->kinds[APPLY_TRIGGERS].files);
    cli_triggers_files_init(&run->base, search_kind(), &run->kinds[APPLY_INDEXES].files);
    bool ok = apply_files(run, &error);
    for (size_t i = 0; i < APPLY_KINDS; i++) {
        fanout_definitions_free(run->kinds[i].store);
        core_definition_files_fini(&run->kinds[i].files);
    }
    if (!ok)
        return cli_fail(&error);
    cli_exit result = cli_output_finish();
    return result == CLI_OK && run->base.bad ? CLI_BAD : result;
}

cli_exit cli_command_apply(const cli_arguments *arguments) {
    apply_run run = {.kinds = {[APPLY_TRIGGERS] = {.directory = "triggers.dir",
                                                   .acts = {NULL, "trigger.created",
                                                            "trigger.changed", "trigger.removed"}},
                               [APPLY_INDEXES] = {.directory = "search.definitions",
                                                  .acts = {NULL, "index.defined", "index.defined",
                                                           "index.removed"}}}};
    cli_exit result;
    if (cli_triggers_open(&run.base, arguments, &result))
        result = apply_all(&run);
    cli_triggers_close(&run.base);
    return result;
}
