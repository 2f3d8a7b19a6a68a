/* See sender_workflow.h; docs/TRIGGERS.md has the record.
 *
 * The stream keeps one record a subject's first: each is published under the condition that its
 * subject, which is the run's id, has no message yet. So an equal run is not started twice, and a
 * second attempt finds its first. */
#include "triggers/sender_workflow.h"

#include "triggers/arguments.h"
#include "triggers/body_read.h"
#include "triggers/message.h"

enum {
    TIMEOUT_MS = 10 * 1000,
    RUN_MAX = TRIGGERS_NAME_MAX + 1 + TRIGGERS_ARGUMENT_KEY_MAX + TRIGGERS_NAME_MAX + 2,
    RECORD_VERSION = 1,
};

/* Between a tenant and its run's id in the subject; in no id. */
#define TENANT_MARK '\x1f'

/* {workflow}:{columns, or the delivery's id} */
static bool run_write(const triggers_delivery *delivery, core_buffer *out, core_error *error) {
    core_cursor cursor = core_cursor_make(delivery->task.arguments);
    triggers_argument argument;
    if (!triggers_argument_read(&cursor, &argument))
        return core_error_set(error, CORE_ERROR_INPUT,
                              "the task was made for another action of the trigger");
    core_buffer_slice_append(out, delivery->definition->workflow.name);
    core_buffer_u8(out, ':');
    core_buffer_slice_append(out, argument.kind == TRIGGERS_ARGUMENT_TEXT
                                      ? argument.text
                                      : core_slice_text(delivery->id));
    return (core_buffer_ok(out) && memchr(out->data, TENANT_MARK, out->length) == NULL) ||
           core_error_set(error, CORE_ERROR_INPUT,
                          "the run's id is too long, or has a control character");
}

static bool subject_write(const core_config *config, const triggers_task *task, core_slice run,
                          char subject[CORE_SUBJECT_MAX]) {
    char last[RUN_MAX + 1];
    core_buffer name = core_buffer_over(last, sizeof last - 1);
    if (!core_slice_is(task->project, core_config_text(config, "project"))) {
        core_buffer_slice_append(&name, task->project);
        core_buffer_u8(&name, (uint8_t)TENANT_MARK);
    }
    core_buffer_slice_append(&name, run);
    if (!core_buffer_ok(&name))
        return false;
    last[name.length] = '\0';
    return strlen(last) == name.length &&
           core_subject_work(config, fanout_work_word(FANOUT_WORK_WORKFLOWS), last, subject);
}

static void text_member(core_json_writer *json, const char *name, core_slice text) {
    core_json_key_text(json, name);
    core_json_string(json, text);
}

static bool record_write(const triggers_delivery *delivery, core_slice run, core_buffer *out,
                         core_error *error) {
    const triggers_task *task = &delivery->task;
    triggers_body_parts parts;
    core_json_writer json = core_json_writer_make(out);
    char time[CORE_CLOCK_TEXT_SIZE];
    if (!triggers_body_read(task->body, &parts, error))
        return false;
    core_clock_format(task->event_time_us, time);
    core_json_object_open(&json);
    core_json_key_text(&json, "version");
    core_json_unsigned(&json, RECORD_VERSION);
    text_member(&json, "workflow", delivery->definition->workflow.name);
    text_member(&json, "run", run);
    text_member(&json, "project", task->project);
    core_json_key_text(&json, "input");
    core_json_raw(&json, parts.data);
    text_member(&json, "trigger", task->trigger);
    text_member(&json, "event_id", task->event_id);
    text_member(&json, "time", core_slice_text(time));
    core_json_key_text(&json, "depth");
    core_json_unsigned(&json, task->depth + 1u);
    core_json_object_close(&json);
    return core_buffer_ok(out) ||
           core_error_set(error, CORE_ERROR_LIMIT, "the run's record is too large");
}

static void workflows_send(void *context, triggers_delivery *delivery,
                           triggers_endpoint *endpoint) {
    const triggers_sender_spec *spec = context;
    char memory[RUN_MAX];
    core_buffer run = core_buffer_over(memory, sizeof memory);
    core_error error = {0};
    (void)endpoint;
    triggers_message *message = triggers_message_new(delivery);
    bool ok = run_write(delivery, &run, &error) &&
              record_write(delivery, core_buffer_slice(&run), &message->payload, &error);
    if (ok &&
        !subject_write(spec->config, &delivery->task, core_buffer_slice(&run), message->subject))
        ok = core_error_set(&error, CORE_ERROR_LIMIT, "the run's subject is too long");
    if (!ok) {
        triggers_delivery_end(delivery, TRIGGERS_END_REFUSED, error.text);
        return;
    }
    message->dispatch.payload = core_buffer_slice(&message->payload);
    message->dispatch.is_fenced = true;
    message->dispatch.until = FANOUT_UNTIL_STORED;
    message->dispatch.timeout_ms = TIMEOUT_MS;
    message->conflict_is_good = true;
    triggers_message_send(message, spec->messenger);
}

bool triggers_workflow_sender(const triggers_sender_spec *spec, triggers_sender *sender,
                              core_error *error) {
    (void)error;
    *sender = triggers_message_sender(spec, workflows_send);
    return true;
}
