/* `walcast apply`: files of triggers into the shared key-value. All are checked before the first is
 * put. */
#include "cli/audit.h"
#include "cli/triggers.h"

#include <stdio.h>

static const char *const outcomes[] = {"unchanged", "created", "changed", "removed"};

static void applied_print_json(const triggers_applied *applied) {
    core_buffer text;
    core_buffer_init(&text, 65536);
    core_json_writer json = core_json_writer_make(&text);
    core_json_object_open(&json);
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

static void applied_record(const cli_triggers *it, const triggers_applied *applied) {
    static const char *const acts[] = {[TRIGGERS_CREATED] = "trigger.created",
                                       [TRIGGERS_CHANGED] = "trigger.changed",
                                       [TRIGGERS_REMOVED] = "trigger.removed"};
    if (applied->outcome == TRIGGERS_UNCHANGED || applied->refusal != NULL ||
        cli_flag(it->arguments, "--dry-run"))
        return;
    const auth_act act = {.act = acts[applied->outcome],
                          .object = applied->name,
                          .detail = applied->file,
                          .project = applied->project};
    core_error error = {.text = ""};
    cli_audit(it->config, triggers_store_connection(it->store, &error), &act);
}

static void applied_take(void *context, const triggers_applied *applied) {
    cli_triggers *it = context;
    it->bad |= applied->refusal != NULL;
    if (it->prints_json)
        applied_print_json(applied);
    else
        (void)printf(
            "%-10s %s%s%s%s%s\n", applied->refusal != NULL ? "refused" : outcomes[applied->outcome],
            applied->name, applied->file != NULL ? "  " : "",
            applied->file != NULL ? applied->file : "", applied->refusal != NULL ? ": " : "",
            applied->refusal != NULL ? applied->refusal : "");
    applied_record(it, applied);
}

static bool apply_files(cli_triggers *it, triggers_files *files, core_error *error) {
    const triggers_apply_options options = {.dry = cli_flag(it->arguments, "--dry-run"),
                                            .origin = TRIGGERS_ORIGIN_APPLY,
                                            .prune = cli_flag(it->arguments, "--prune"),
                                            .handler = applied_take,
                                            .context = it};
    size_t refused = 0;
    if (!cli_triggers_files(it, it->arguments->operands, it->arguments->operand_count, files,
                            error) ||
        !cli_triggers_check(it, files, error))
        return false;
    cli_triggers_print(it, files);
    if (it->bad) {
        (void)fprintf(stderr, "walcast apply: nothing was changed\n");
        return true;
    }
    it->store = triggers_store_new(&it->spec, "walcast-apply", error);
    return it->store != NULL && triggers_apply(it->store, files, &options, &refused, error);
}

cli_exit cli_command_apply(const cli_arguments *arguments) {
    cli_triggers it;
    cli_exit result;
    core_error error = {.text = ""};
    triggers_files files;
    triggers_files_init(&files);
    if (cli_triggers_open(&it, arguments, &result)) {
        if (!apply_files(&it, &files, &error))
            result = cli_fail(&error);
        else if ((result = cli_output_finish()) == CLI_OK && it.bad)
            result = CLI_BAD;
    }
    triggers_files_fini(&files);
    cli_triggers_close(&it);
    return result;
}
