/* See task_view.h. */
#include "triggers/task_view.h"
#include "triggers/members.h"

void triggers_task_members(const triggers_task *task, core_json_writer *json) {
    char id[TRIGGERS_WEBHOOK_ID_MAX];
    triggers_webhook_id(task, id);
    triggers_member_text(json, "project", task->project);
    triggers_member_text(json, "trigger", task->trigger);
    triggers_member_text(json, "event_id", task->event_id);
    triggers_member_text(json, "webhook_id", core_slice_text(id));
    triggers_member_text(json, "key", task->key);
    triggers_member_time(json, "event_time", task->event_time_us);
}

void triggers_task_content(const triggers_task *task, core_json_writer *json) {
    triggers_member_number(json, "revision", task->revision);
    triggers_member_number(json, "depth", task->depth);
    core_json_key_text(json, "body");
    if (core_json_valid(task->body))
        core_json_raw(json, task->body);
    else
        core_json_string(json, task->body);
}
