/* See tasks_meant.h. */
#include "search-index/tasks_meant.h"

/* One that is deleted has no project any more. */
static bool task_delete(search_tasks *tasks, const search_record *record, uint64_t uid) {
    search_task meant;
    if (!search_tasks_get(tasks, uid, &meant) || meant.finished_us == 0 ||
        !core_slice_is(record->project, meant.project))
        return false;
    meant.project[0] = '\0';
    search_tasks_put(tasks, &meant);
    return true;
}

void search_tasks_meant_take(search_tasks *tasks, const search_record *record, search_task *task) {
    core_json_reader reader = core_json_reader_make(record->body);
    core_json_token token = core_json_next(&reader);
    for (; token.kind != CORE_JSON_END && token.kind != CORE_JSON_INVALID;
         token = core_json_next(&reader)) {
        uint64_t uid;
        if (token.kind != CORE_JSON_NUMBER || !core_slice_to_u64(token.raw, &uid))
            continue;
        task->received++;
        task->indexed += record->kind == SEARCH_TASK_DELETION && task_delete(tasks, record, uid);
    }
}
