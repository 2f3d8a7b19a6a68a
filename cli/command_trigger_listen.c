/* `walcast trigger listen`: what a trigger makes of events, as it is made: the stream of tasks,
 * read beside those who deliver them. Nothing is taken from them. */
#include "cli/command_trigger.h"
#include "cli/follow.h"
#include "cli/forward.h"

#include <stdio.h>

#define LINE_BYTES_MAX ((size_t)128 << 20)

typedef struct {
    trigger_command *command;
    cli_follow follow;
    cli_forward *forward; /* NULL: shown only */
    core_slice project, trigger;
    core_buffer text;
} listener;

/* ---- A task ---- */

static void task_json(listener *it, const triggers_task *task, const cli_forwarded *forwarded) {
    core_json_writer json = core_json_writer_make(&it->text);
    core_json_object_open(&json);
    triggers_task_members(task, &json);
    triggers_task_content(task, &json);
    if (it->forward != NULL) {
        core_json_key_text(&json, "forwarded");
        core_json_object_open(&json);
        core_json_key_text(&json, "status");
        core_json_unsigned(&json, forwarded->status);
        core_json_key_text(&json, "took_ms");
        core_json_signed(&json, forwarded->took_ms);
        if (forwarded->status == 0) {
            core_json_key_text(&json, "reason");
            core_json_text(&json, forwarded->reason);
        }
        core_json_object_close(&json);
    }
    core_json_object_close(&json);
}

static void task_lines(listener *it, const triggers_task *task, const cli_forwarded *forwarded) {
    char time[CORE_CLOCK_TEXT_SIZE], id[TRIGGERS_WEBHOOK_ID_MAX];
    core_clock_format(task->event_time_us, time);
    triggers_webhook_id(task, id);
    core_buffer_format(&it->text, "%s  %s  event %.*s  key %.*s\n  ", time, id,
                       CORE_SLICE_ARGS(task->event_id), CORE_SLICE_ARGS(task->key));
    core_buffer_slice_append(&it->text, task->body);
    if (it->forward == NULL)
        return;
    if (forwarded->status != 0)
        core_buffer_format(&it->text, "\n  forwarded: %u in %lld ms", forwarded->status,
                           (long long)forwarded->took_ms);
    else
        core_buffer_format(&it->text, "\n  forwarded: no answer: %s", forwarded->reason);
}

static bool task_show(listener *it, const triggers_task *task, core_error *error) {
    cli_forwarded forwarded = {.status = 0};
    if (it->forward != NULL)
        cli_forward_send(it->forward, task, &forwarded);
    core_buffer_reset(&it->text);
    if (it->command->base.prints_json)
        task_json(it, task, &forwarded);
    else
        task_lines(it, task, &forwarded);
    if (!core_buffer_ok(&it->text))
        return core_error_set(error, CORE_ERROR_LIMIT, "event %.*s: too large to be printed",
                              CORE_SLICE_ARGS(task->event_id));
    (void)printf("%.*s\n", CORE_SLICE_ARGS(core_buffer_slice(&it->text)));
    (void)fflush(stdout);
    return true;
}

/* Where nobody reads any more it ends; cli_output_finish tells that from a full disk. */
static cli_follow_verdict task_take(void *context, const fanout_message *message,
                                    core_error *error) {
    listener *it = context;
    triggers_task task;
    if (!triggers_task_read(message->payload, &task, error))
        return CLI_FOLLOW_FAILED;
    if (core_slice_equal(task.project, it->project) &&
        core_slice_equal(task.trigger, it->trigger) && !task_show(it, &task, error))
        return CLI_FOLLOW_FAILED;
    return ferror(stdout) != 0 ? CLI_FOLLOW_END : CLI_FOLLOW_ON;
}

/* ---- The command ---- */

/* One that is not there is refused; one that hears nothing is told. */
static bool trigger_check(const listener *it, core_error *error) {
    trigger_command *command = it->command;
    fanout_definition stored;
    uint64_t revision;
    command->base.store = triggers_store_new(&command->base.spec, "walcast-trigger", error);
    if (command->base.store == NULL || !cli_trigger_get(command, &stored, &revision, error))
        return false;
    if (stored.disabled)
        (void)fprintf(stderr, "walcast: %s is disabled: nothing is matched until it is enabled\n",
                      command->base.arguments->second_operand);
    return true;
}

static bool listener_open(listener *it, core_error *error) {
    const char *url = cli_value(it->command->base.arguments, "--forward");
    if (!cli_follow_open(&it->follow, it->command->base.config, "walcast trigger listen", error) ||
        !trigger_check(it, error))
        return false;
    if (url != NULL && (it->forward = cli_forward_new(url, error)) == NULL)
        return core_error_wrap(error, "--forward");
    if (url != NULL)
        (void)fprintf(stderr, "walcast: what is forwarded is signed with %s\n",
                      cli_forward_secret(it->forward));
    return true;
}

static bool listener_run(listener *it, core_error *error) {
    char name[FANOUT_NAME_MAX], subjects[CORE_SUBJECT_MAX];
    const fanout_stream_spec stream =
        fanout_stream_work_spec(it->command->base.config, FANOUT_WORK_TASKS, name, subjects);
    fanout_stream_info info;
    if (!fanout_stream_inspect(it->follow.connection, stream.name, &info, error))
        return false;
    fanout_ordered_spec spec = {.stream = stream.name,
                                .filter = stream.subjects,
                                .from = FANOUT_FROM_SEQUENCE,
                                .sequence = info.last_sequence + 1};
    (void)fprintf(stderr, "walcast: listening to %s; Ctrl-C ends it\n",
                  it->command->base.arguments->second_operand);
    return cli_follow_run(&it->follow, &spec, task_take, it, error);
}

bool cli_trigger_listen(trigger_command *command, core_error *error) {
    listener it = {.command = command,
                   .follow = cli_follow_make(),
                   .project = core_slice_text(cli_trigger_project(command)),
                   .trigger = core_slice_text(command->base.arguments->second_operand)};
    core_buffer_init(&it.text, LINE_BYTES_MAX);
    bool ok = listener_open(&it, error) && listener_run(&it, error);
    cli_follow_close(&it.follow);
    cli_forward_free(it.forward);
    core_buffer_fini(&it.text);
    return ok;
}
