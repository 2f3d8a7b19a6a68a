/* See task_show.h. */
#include "search-index/task_show.h"
#include "search-index/code.h"

#define SHOWN_MAX 4096

const char *search_task_type(search_task_kind kind) {
    return search_task_kind_name(kind == SEARCH_TASK_DOCUMENTS_UPDATE ? SEARCH_TASK_DOCUMENTS_ADD
                                                                      : kind);
}

static void count_member(core_json_writer *json, const char *name, uint64_t count, bool is_known) {
    core_json_key_text(json, name);
    if (is_known)
        core_json_unsigned(json, count);
    else
        core_json_null(json);
}

static void details_write(const search_task *task, core_json_writer *json) {
    bool is_done = task->finished_us != 0;
    core_json_object_open(json);
    switch (task->kind) {
    case SEARCH_TASK_DEFINITION:
    case SEARCH_TASK_DOCUMENTS_ADD:
    case SEARCH_TASK_DOCUMENTS_UPDATE:
        if (task->kind == SEARCH_TASK_DEFINITION)
            count_member(json, "expectedDocuments", task->expected, task->expected > 0);
        count_member(json, "receivedDocuments", task->received, true);
        count_member(json, "indexedDocuments", task->indexed, is_done);
        break;
    case SEARCH_TASK_DOCUMENTS_DELETE:
        count_member(json, "providedIds", task->received, true);
        count_member(json, "deletedDocuments", task->indexed, is_done);
        break;
    case SEARCH_TASK_INDEX_DELETION: /* they go with their file, uncounted */
        count_member(json, "deletedDocuments", 0, false);
        break;
    case SEARCH_TASK_CANCELATION:
        count_member(json, "matchedTasks", task->received, true);
        count_member(json, "canceledTasks", task->indexed, is_done);
        break;
    case SEARCH_TASK_DELETION:
        count_member(json, "matchedTasks", task->received, true);
        count_member(json, "deletedTasks", task->indexed, is_done);
        break;
    case SEARCH_TASK_INDEX_CREATION:
    case SEARCH_TASK_INDEX_UPDATE:
    case SEARCH_TASK_INDEX_SWAP:
    case SEARCH_TASK_SETTINGS_UPDATE:
        break;
    }
    core_json_object_close(json);
}

static void error_write(const search_task *task, core_json_writer *json) {
    search_refusal refusal;
    search_code code = search_code_find(core_slice_text(task->code));
    (void)search_refuse(&refusal, code == SEARCH_CODE_NONE ? SEARCH_CODE_INTERNAL : code, "%s",
                        task->message);
    search_refusal_write(&refusal, json);
}

void search_task_show(const search_task *task, core_json_writer *json) {
    char details_text[512], error_text[SHOWN_MAX];
    core_buffer details = core_buffer_over(details_text, sizeof details_text);
    core_buffer error = core_buffer_over(error_text, sizeof error_text);
    core_json_writer details_json = core_json_writer_make(&details);
    core_json_writer error_json = core_json_writer_make(&error);
    details_write(task, &details_json);
    if (task->status == SEARCH_TASK_FAILED)
        error_write(task, &error_json);
    const search_task_view view = {.uid = task->uid,
                                   .type = search_task_type(task->kind),
                                   .status = search_task_status_name(task->status),
                                   .index = core_slice_text(task->index),
                                   .details = core_buffer_slice(&details),
                                   .error = core_buffer_ok(&error) ? core_buffer_slice(&error)
                                                                   : core_slice_make(NULL, 0),
                                   .canceled_by = task->canceled_by,
                                   .enqueued_us = task->enqueued_us,
                                   .started_us = task->started_us,
                                   .finished_us = task->finished_us};
    search_task_view_write(&view, json);
}
