/* `walcast trigger dry-run` and `redeliver`: a definition held against what is past, and what is
 * past delivered again. */
#include "cli/audit.h"
#include "cli/command_trigger.h"
#include "cli/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define LINE_BYTES_MAX ((size_t)128 << 20)

enum { PROGRESS_EVERY = 256 };

typedef struct {
    trigger_command *command;
    const triggers_definition *definition; /* held */
    triggers_past_spec spec;
    cli_progress progress;
    uint64_t limit; /* events to be looked at, or delivered again */
    bool only_matched;
    triggers_tally tally;
    core_buffer text;
    uint64_t again; /* asked for */
} past_run;

/* ---- The definition ---- */

/* As it would be stored: with what the check saw of its table. Held by the caller. */
static const triggers_definition *definition_checked(const trigger_command *command,
                                                     const core_definition_file *file) {
    const core_config *config = command->base.config;
    const triggers_definition_facts facts = {
        .project = core_slice_text(core_config_text(config, "project")),
        .environment = core_slice_text(core_config_text(config, "environment")),
        .facts = core_buffer_slice(&file->facts)};
    core_problems problems;
    core_problems_init(&problems);
    const triggers_definition *definition =
        triggers_definition_of(file->document, &facts, &problems);
    core_problems_fini(&problems);
    return definition;
}

/* Held by the caller; of a file that holds one, which is held against the live schema first. */
static const triggers_definition *definition_of_file(trigger_command *command, const char *path,
                                                     core_error *error) {
    const triggers_definition *definition = NULL;
    bool offline = cli_flag(command->base.arguments, "--offline");
    core_definition_files files;
    cli_triggers_files_init(&command->base, triggers_kind(), &files);
    bool ok = cli_triggers_files(&command->base, "triggers.dir", &path, 1, &files, error) &&
              (offline || cli_triggers_check(&command->base, &files, error));
    if (ok && files.count == 1 && files.items[0].definition != NULL &&
        core_problems_ok(&files.items[0].problems)) {
        definition = definition_checked(command, &files.items[0]);
    } else if (ok) {
        cli_triggers_print(&command->base, &files);
        (void)core_error_set(error, CORE_ERROR_INPUT, "%s: expected a file with one definition",
                             path);
    }
    core_definition_files_fini(&files);
    return definition;
}

/* What names a trigger is a name; whatever else is a file's path. */
static const triggers_definition *definition_find(trigger_command *command, core_error *error) {
    const char *word = command->base.arguments->second_operand;
    return triggers_name_ok(core_slice_text(word)) && access(word, F_OK) != 0
               ? cli_trigger_stored(command, error)
               : definition_of_file(command, word, error);
}

/* ---- Between two places ---- */

static bool places_read(past_run *run, core_error *error) {
    const cli_arguments *arguments = run->command->base.arguments;
    const char *from = cli_value(arguments, "--from"), *until = cli_value(arguments, "--until");
    const char *limit = cli_value(arguments, "--limit");
    run->limit = UINT64_MAX;
    if (!triggers_past_place_read(from != NULL ? from : "first", &run->spec.from, error))
        return core_error_wrap(error, "--from");
    if (!triggers_past_place_read(until != NULL ? until : "now", &run->spec.until, error))
        return core_error_wrap(error, "--until");
    return limit == NULL ||
           (core_slice_to_u64(core_slice_text(limit), &run->limit) && run->limit > 0) ||
           core_error_set(error, CORE_ERROR_INPUT, "--limit %s: expected 1 or more", limit);
}

static bool past_open(past_run *run, core_error *error) {
    trigger_command *command = run->command;
    core_buffer_init(&run->text, LINE_BYTES_MAX);
    run->progress = cli_progress_make();
    run->only_matched = cli_flag(command->base.arguments, "--matched");
    if (!places_read(run, error) || (run->definition = definition_find(command, error)) == NULL)
        return false;
    run->spec.config = command->base.config;
    run->spec.definition = run->definition;
    run->spec.connection = fanout_definitions_connection(command->base.store, error);
    return run->spec.connection != NULL;
}

static void past_close(past_run *run) {
    cli_progress_end(&run->progress);
    triggers_definition_release(run->definition);
    core_buffer_fini(&run->text);
}

static void progress_draw(past_run *run, const triggers_past_event *event) {
    uint64_t done = run->tally.events;
    if (done % PROGRESS_EVERY == 0)
        cli_progress_draw(&run->progress, done, done + event->behind, "events");
}

/* ---- dry-run ---- */

static void event_json(past_run *run, const triggers_past_event *event,
                       const triggers_explanation *explanation) {
    char time[CORE_CLOCK_TEXT_SIZE];
    core_json_writer json = core_json_writer_make(&run->text);
    core_clock_format(event->facts.time_us, time);
    core_json_object_open(&json);
    core_json_key_text(&json, "event_id");
    core_json_text(&json, event->id);
    core_json_key_text(&json, "op");
    core_json_text(&json, core_op_name(event->change->op));
    core_json_key_text(&json, "time");
    core_json_text(&json, time);
    triggers_explanation_members(explanation, &json);
    core_json_object_close(&json);
}

static void event_line(past_run *run, const triggers_past_event *event,
                       const triggers_explanation *explanation) {
    bool matched = explanation->body.length > 0;
    core_buffer_format(&run->text, "%-24s %-8s %-11.*s  ", event->id,
                       core_op_name(event->change->op), CORE_SLICE_ARGS(explanation->outcome));
    core_buffer_slice_append(&run->text, matched ? explanation->body : explanation->reason);
}

static bool dry_take(void *context, const triggers_past_event *event,
                     const triggers_explanation *explanation, core_error *error) {
    past_run *run = context;
    bool matched = explanation->body.length > 0;
    triggers_tally_add(&run->tally, explanation);
    progress_draw(run, event);
    if (matched || !run->only_matched) {
        if (run->command->base.prints_json)
            event_json(run, event, explanation);
        else
            event_line(run, event, explanation);
        if (!core_buffer_ok(&run->text))
            return core_error_set(error, CORE_ERROR_LIMIT, "%s: too large to be printed",
                                  event->id);
        (void)printf("%.*s\n", CORE_SLICE_ARGS(core_buffer_slice(&run->text)));
        core_buffer_reset(&run->text);
    }
    return run->tally.events < run->limit && ferror(stdout) == 0;
}

static void tally_print(past_run *run) {
    core_json_writer json = core_json_writer_make(&run->text);
    if (run->command->base.prints_json) {
        core_json_object_open(&json);
        core_json_key_text(&json, "summary");
        triggers_tally_json(&run->tally, &json);
        core_json_object_close(&json);
        cli_triggers_line(&run->text);
    } else {
        triggers_tally_text(&run->tally, &run->text);
        (void)printf("%.*s", CORE_SLICE_ARGS(core_buffer_slice(&run->text)));
    }
}

bool cli_trigger_dry_run(trigger_command *command, core_error *error) {
    past_run run = {.command = command};
    bool ok = past_open(&run, error) && triggers_rehearse(&run.spec, dry_take, &run, error);
    cli_progress_end(&run.progress);
    if (ok)
        tally_print(&run);
    past_close(&run);
    return ok;
}

/* ---- redeliver ---- */

static triggers_dead_scope scope_of(const past_run *run) {
    return (triggers_dead_scope){.connection = run->spec.connection,
                                 .config = run->spec.config,
                                 .project = run->definition->project};
}

static bool again_ask(past_run *run, core_slice event_id, core_error *error) {
    const triggers_dead_scope scope = scope_of(run);
    if (!triggers_again_event(&scope, run->definition->name, event_id, error))
        return false;
    run->again++;
    return true;
}

static bool redeliver_take(void *context, const triggers_past_event *event,
                           const triggers_explanation *explanation, core_error *error) {
    past_run *run = context;
    triggers_tally_add(&run->tally, explanation);
    progress_draw(run, event);
    if (explanation->body.length > 0 && !again_ask(run, core_slice_text(event->id), error))
        return false;
    return run->again < run->limit;
}

static bool ids_redeliver(past_run *run, core_error *error) {
    const cli_arguments *arguments = run->command->base.arguments;
    triggers_past_place place;
    for (size_t i = 2; i < arguments->operand_count; i++)
        if (!triggers_past_place_read(arguments->operands[i], &place, error) ||
            place.kind != TRIGGERS_PAST_OFFSET)
            return core_error_set(error, CORE_ERROR_INPUT,
                                  "%s: expected an event's id: a change's offset, or the id of an "
                                  "event",
                                  arguments->operands[i]);
    for (size_t i = 2; i < arguments->operand_count; i++)
        if (!again_ask(run, core_slice_text(arguments->operands[i]), error))
            return false;
    return true;
}

static void redelivered_tell(const past_run *run, const trigger_command *command) {
    char detail[64], name[TRIGGERS_NAME_MAX + 1];
    (void)snprintf(detail, sizeof detail, "%" PRIu64 " event%s", run->again,
                   run->again == 1 ? "" : "s");
    if (run->again > 0 && core_slice_to_text(run->definition->name, name, sizeof name)) {
        const auth_act record = {.act = "trigger.redelivered",
                                 .object = name,
                                 .detail = detail,
                                 .project = cli_trigger_project(command)};
        cli_audit(command->base.config, run->spec.connection, &record);
    }
    if (command->base.prints_json)
        (void)printf("{\"events\":%" PRIu64 "}\n", run->again);
    else
        (void)printf("%s %s delivered again\n", detail, run->again == 1 ? "is" : "are");
}

bool cli_trigger_redeliver(trigger_command *command, core_error *error) {
    past_run run = {.command = command};
    bool has_ids = command->base.arguments->operand_count > 2;
    bool has_range = cli_value(command->base.arguments, "--from") != NULL;
    if (has_ids == has_range)
        return core_error_set(error, CORE_ERROR_INPUT,
                              "redeliver what? ids of events, or --from PLACE%s",
                              has_ids ? ", not both" : "");
    bool ok = past_open(&run, error) &&
              (has_ids ? ids_redeliver(&run, error)
                       : triggers_rehearse(&run.spec, redeliver_take, &run, error));
    cli_progress_end(&run.progress);
    if (run.definition != NULL && run.spec.connection != NULL)
        redelivered_tell(&run, command);
    past_close(&run);
    return ok;
}
