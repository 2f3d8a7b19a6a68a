/* A task as people and programs see it. Private to the room, but for cli. */
#ifndef WALCAST_TRIGGERS_TASK_VIEW_H
#define WALCAST_TRIGGERS_TASK_VIEW_H

#include "triggers/task.h"

/* As members of a JSON object: project, trigger, event_id, webhook_id, key and event_time. */
void triggers_task_members(const triggers_task *task, core_json_writer *json);
/* And what it would deliver: revision, depth and body. */
void triggers_task_content(const triggers_task *task, core_json_writer *json);

#endif
