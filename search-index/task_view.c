/* See task_view.h. */
#include "search-index/task_view.h"

#include <stdio.h>

static void time_write(core_json_writer *json, const char *name, int64_t at_us) {
    char text[CORE_CLOCK_TEXT_SIZE];
    core_json_key_text(json, name);
    if (at_us == 0) {
        core_json_null(json);
        return;
    }
    core_clock_format(at_us, text);
    core_json_text(json, text);
}

static void index_write(const search_task_view *task, core_json_writer *json) {
    core_json_key_text(json, "indexUid");
    if (task->index.length > 0)
        core_json_string(json, task->index);
    else
        core_json_null(json);
}

static void number_write(core_json_writer *json, const char *name, uint64_t value, bool is_null) {
    core_json_key_text(json, name);
    if (is_null)
        core_json_null(json);
    else
        core_json_unsigned(json, value);
}

/* ISO 8601, as "PT0.012345S". */
static void duration_write(const search_task_view *task, core_json_writer *json) {
    int64_t took_us = task->finished_us - task->started_us;
    char text[40];
    core_json_key_text(json, "duration");
    if (task->started_us == 0 || task->finished_us == 0) {
        core_json_null(json);
        return;
    }
    if (took_us < 0)
        took_us = 0; /* the clock was set back */
    (void)snprintf(text, sizeof text, "PT%lld.%06lldS", (long long)(took_us / CORE_US_PER_S),
                   (long long)(took_us % CORE_US_PER_S));
    core_json_text(json, text);
}

static void object_write(core_json_writer *json, const char *name, core_slice object,
                         const char *otherwise) {
    core_json_key_text(json, name);
    core_json_raw(json, object.length > 0 ? object : core_slice_text(otherwise));
}

void search_task_view_write(const search_task_view *task, core_json_writer *json) {
    core_json_object_open(json);
    core_json_key_text(json, "uid");
    core_json_unsigned(json, task->uid);
    number_write(json, "batchUid", task->uid, task->started_us == 0);
    index_write(task, json);
    core_json_key_text(json, "status");
    core_json_text(json, task->status);
    core_json_key_text(json, "type");
    core_json_text(json, task->type);
    number_write(json, "canceledBy", task->canceled_by, task->canceled_by == 0);
    object_write(json, "details", task->details, "{}");
    object_write(json, "error", task->error, "null");
    duration_write(task, json);
    time_write(json, "enqueuedAt", task->enqueued_us);
    time_write(json, "startedAt", task->started_us);
    time_write(json, "finishedAt", task->finished_us);
    core_json_object_close(json);
}

void search_task_view_brief(const search_task_view *task, core_json_writer *json) {
    core_json_object_open(json);
    core_json_key_text(json, "taskUid");
    core_json_unsigned(json, task->uid);
    index_write(task, json);
    core_json_key_text(json, "status");
    core_json_text(json, task->status);
    core_json_key_text(json, "type");
    core_json_text(json, task->type);
    time_write(json, "enqueuedAt", task->enqueued_us);
    core_json_object_close(json);
}
