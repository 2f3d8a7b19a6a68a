/* /tasks: what was asked, and what became of it. */
#include "search-index/api.h"
#include "search-index/asked.h"
#include "search-index/task_show.h"

#include <stdio.h>
#include <strings.h>

enum { LIMIT_DEFAULT = 20, LIMIT_MAX = 1000, FILTER_MAX = 1000, LIST_NAMES = 3 };

/* ---- One ---- */

static bool is_of_caller(const search_call *call, const search_task *task) {
    return core_slice_is(call->request->caller.project, task->project) &&
           search_call_has(call, core_slice_text(task->index));
}

bool search_api_task(search_call *call) {
    uint64_t uid;
    search_task task;
    core_slice text = call->parts[1];
    if (!core_slice_to_u64(text, &uid))
        return search_refuse(&call->refusal, SEARCH_CODE_INVALID_TASK_UIDS,
                             "Task uid `%.*s` is not a valid integer.",
                             text.length < 100 ? (int)text.length : 100, (const char *)text.data);
    bool found = search_tasks_get(call->host->tasks, uid, &task) ||
                 search_asked_find(call->host->asked, uid, &task);
    if (!found || !is_of_caller(call, &task))
        return search_refuse(&call->refusal, SEARCH_CODE_TASK_NOT_FOUND, "Task `%llu` not found.",
                             (unsigned long long)uid);
    search_task_show(&task, &call->json);
    return true;
}

/* ---- Filters ---- */

typedef struct {
    core_slice *texts;
    size_t count;
} text_list;

typedef struct {
    text_list uids, cancelers, statuses, types, indexes;
    /* after, before of enqueued, started, finished */
    int64_t times_us[6];
    uint64_t limit, from;
    bool is_reverse, has_from;
} task_filter;

static const struct {
    const char *name;
    search_code code;
} time_rows[6] = {
    {"afterEnqueuedAt", SEARCH_CODE_INVALID_TASK_AFTER_ENQUEUED_AT},
    {"beforeEnqueuedAt", SEARCH_CODE_INVALID_TASK_BEFORE_ENQUEUED_AT},
    {"afterStartedAt", SEARCH_CODE_INVALID_TASK_AFTER_STARTED_AT},
    {"beforeStartedAt", SEARCH_CODE_INVALID_TASK_BEFORE_STARTED_AT},
    {"afterFinishedAt", SEARCH_CODE_INVALID_TASK_AFTER_FINISHED_AT},
    {"beforeFinishedAt", SEARCH_CODE_INVALID_TASK_BEFORE_FINISHED_AT},
};

static bool list_read(search_call *call, const search_params *params, const char *name,
                      text_list *list) {
    return search_params_list(params, name, call->arena, &list->texts, &list->count) ||
           search_refuse(&call->refusal, SEARCH_CODE_INTERNAL, "no memory for the filter");
}

static bool value_refuse(search_call *call, search_code code, const char *name, core_slice value,
                         const char *what) {
    return search_refuse(&call->refusal, code, "Invalid value in parameter `%s`: `%.*s` %s", name,
                         value.length < 100 ? (int)value.length : 100, (const char *)value.data,
                         what);
}

static bool is_status(core_slice text) {
    for (unsigned i = SEARCH_TASK_ENQUEUED; i <= SEARCH_TASK_CANCELED; i++) {
        const char *name = search_task_status_name((search_task_status)i);
        if (text.length == strlen(name) &&
            strncasecmp((const char *)text.data, name, text.length) == 0)
            return true;
    }
    return false;
}

static bool is_type(core_slice text) {
    static const char *const others[] = {"documentEdition", "dumpCreation", "snapshotCreation",
                                         "export", "upgradeDatabase"};
    for (unsigned i = 0; i < SEARCH_TASK_KINDS; i++)
        if (core_slice_is(text, search_task_type((search_task_kind)i)))
            return true;
    for (size_t i = 0; i < CORE_COUNT_OF(others); i++)
        if (core_slice_is(text, others[i]))
            return true;
    return false;
}

static bool uids_check(search_call *call, const char *name, search_code code,
                       const text_list *uids) {
    uint64_t uid;
    for (size_t i = 0; i < uids->count; i++)
        if (!core_slice_to_u64(uids->texts[i], &uid))
            return value_refuse(call, code, name, uids->texts[i],
                                "could not be parsed as a positive integer");
    return true;
}

static bool lists_check(search_call *call, const task_filter *filter) {
    if (!uids_check(call, "uids", SEARCH_CODE_INVALID_TASK_UIDS, &filter->uids) ||
        !uids_check(call, "canceledBy", SEARCH_CODE_INVALID_TASK_CANCELED_BY, &filter->cancelers))
        return false;
    for (size_t i = 0; i < filter->statuses.count; i++)
        if (!is_status(filter->statuses.texts[i]))
            return value_refuse(call, SEARCH_CODE_INVALID_TASK_STATUSES, "statuses",
                                filter->statuses.texts[i],
                                "is not a valid task status. Available statuses are `enqueued`, "
                                "`processing`, `succeeded`, `failed`, `canceled`.");
    for (size_t i = 0; i < filter->types.count; i++)
        if (!is_type(filter->types.texts[i]))
            return value_refuse(call, SEARCH_CODE_INVALID_TASK_TYPES, "types",
                                filter->types.texts[i], "is not a valid task type.");
    for (size_t i = 0; i < filter->indexes.count; i++)
        if (!search_uid_ok(filter->indexes.texts[i]))
            return value_refuse(call, SEARCH_CODE_INVALID_INDEX_UID, "indexUids",
                                filter->indexes.texts[i], "is not a valid index uid.");
    return true;
}

static bool times_read(search_call *call, const search_params *params, task_filter *filter) {
    char text[64];
    for (size_t i = 0; i < CORE_COUNT_OF(time_rows); i++) {
        const core_slice *value = search_params_find(params, time_rows[i].name);
        if (value == NULL || core_slice_is(*value, "*"))
            continue;
        if (!core_slice_to_text(*value, text, sizeof text) ||
            !core_clock_parse(text, &filter->times_us[i]))
            return value_refuse(call, time_rows[i].code, time_rows[i].name, *value,
                                "is an invalid date-time. It should follow the YYYY-MM-DD or RFC "
                                "3339 date-time format.");
    }
    return true;
}

/* `is_list`: the first LIST_NAMES are parameters too. */
static bool filter_read(search_call *call, bool is_list, task_filter *filter, size_t *given) {
    static const char *const names[] = {"limit",
                                        "from",
                                        "reverse",
                                        "uids",
                                        "batchUids",
                                        "canceledBy",
                                        "types",
                                        "statuses",
                                        "indexUids",
                                        "afterEnqueuedAt",
                                        "beforeEnqueuedAt",
                                        "afterStartedAt",
                                        "beforeStartedAt",
                                        "afterFinishedAt",
                                        "beforeFinishedAt",
                                        NULL};
    search_params params;
    search_refusal *refusal = &call->refusal;
    *filter = (task_filter){.limit = LIMIT_DEFAULT, .from = UINT64_MAX};
    if (!search_params_read(call->request->query, call->arena, &params, refusal) ||
        !search_params_known(&params, is_list ? names : names + LIST_NAMES, refusal) ||
        !search_params_number(&params, "limit", SEARCH_CODE_INVALID_TASK_LIMIT, &filter->limit,
                              refusal) ||
        !search_params_number(&params, "from", SEARCH_CODE_INVALID_TASK_FROM, &filter->from,
                              refusal) ||
        !search_params_bool(&params, "reverse", SEARCH_CODE_INVALID_TASK_REVERSE,
                            &filter->is_reverse, refusal))
        return false;
    *given = params.count;
    filter->has_from = search_params_find(&params, "from") != NULL;
    const char *uids = search_params_find(&params, "uids") != NULL ? "uids" : "batchUids";
    return list_read(call, &params, uids, &filter->uids) &&
           list_read(call, &params, "canceledBy", &filter->cancelers) &&
           list_read(call, &params, "statuses", &filter->statuses) &&
           list_read(call, &params, "types", &filter->types) &&
           list_read(call, &params, "indexUids", &filter->indexes) && lists_check(call, filter) &&
           times_read(call, &params, filter);
}

static bool list_has(const text_list *list, const char *text) {
    for (size_t i = 0; i < list->count; i++)
        if (list->texts[i].length == strlen(text) &&
            strncasecmp((const char *)list->texts[i].data, text, list->texts[i].length) == 0)
            return true;
    return list->count == 0;
}

static bool time_passes(int64_t at_us, int64_t after_us, int64_t before_us) {
    if (after_us == 0 && before_us == 0)
        return true;
    return at_us != 0 && (after_us == 0 || at_us > after_us) &&
           (before_us == 0 || at_us < before_us);
}

static bool task_passes(const search_call *call, const task_filter *filter,
                        const search_task *task) {
    char uid[24], by[24];
    (void)snprintf(uid, sizeof uid, "%llu", (unsigned long long)task->uid);
    (void)snprintf(by, sizeof by, "%llu", (unsigned long long)task->canceled_by);
    return is_of_caller(call, task) && list_has(&filter->uids, uid) &&
           (filter->cancelers.count == 0 ||
            (task->canceled_by != 0 && list_has(&filter->cancelers, by))) &&
           list_has(&filter->statuses, search_task_status_name(task->status)) &&
           list_has(&filter->types, search_task_type(task->kind)) &&
           (filter->indexes.count == 0 ||
            (task->index[0] != '\0' && list_has(&filter->indexes, task->index))) &&
           time_passes(task->enqueued_us, filter->times_us[0], filter->times_us[1]) &&
           time_passes(task->started_us, filter->times_us[2], filter->times_us[3]) &&
           time_passes(task->finished_us, filter->times_us[4], filter->times_us[5]);
}

/* ---- Several ---- */

typedef struct {
    uint64_t *uids; /* that pass, the newest first */
    size_t count;
} task_page;

/* All that pass, as numbers: tasks are bounded by search.tasks_kept. False: out of memory. */
static bool page_fill(search_call *call, const task_filter *filter, task_page *page) {
    search_task task;
    size_t room = (size_t)core_config_integer(call->host->spec.config, "search.tasks_kept");
    page->uids = core_arena_array(call->arena, room, sizeof *page->uids);
    uint64_t up_to = UINT64_MAX;
    while (page->uids != NULL && page->count < room &&
           search_tasks_before(call->host->tasks, up_to, &task)) {
        if (task_passes(call, filter, &task))
            page->uids[page->count++] = task.uid;
        if (task.uid == 0)
            break;
        up_to = task.uid - 1;
    }
    return page->uids != NULL;
}

static void number_or_null(core_json_writer *json, const char *name, uint64_t number,
                           bool is_null) {
    core_json_key_text(json, name);
    if (is_null)
        core_json_null(json);
    else
        core_json_unsigned(json, number);
}

/* The place in the page of the `i`th that is shown. */
static uint64_t page_at(const task_page *page, const task_filter *filter, size_t i) {
    return filter->is_reverse ? page->uids[page->count - 1 - i] : page->uids[i];
}

static bool is_behind(const task_filter *filter, uint64_t uid) {
    if (!filter->has_from)
        return true;
    return filter->is_reverse ? uid >= filter->from : uid <= filter->from;
}

bool search_api_tasks(search_call *call) {
    task_filter filter;
    task_page page = {0};
    size_t given, i = 0;
    search_task task;
    uint64_t shown = 0, first = 0;
    core_json_writer *json = &call->json;
    if (!filter_read(call, true, &filter, &given))
        return false;
    if (filter.limit > LIMIT_MAX)
        filter.limit = LIMIT_MAX;
    if (!page_fill(call, &filter, &page))
        return search_refuse(&call->refusal, SEARCH_CODE_INTERNAL, "no memory for the tasks");
    while (i < page.count && !is_behind(&filter, page_at(&page, &filter, i)))
        i++;
    core_json_object_open(json);
    core_json_key_text(json, "results");
    core_json_array_open(json);
    for (; i < page.count && shown < filter.limit; i++) {
        uint64_t uid = page_at(&page, &filter, i);
        if (!search_tasks_get(call->host->tasks, uid, &task))
            continue; /* forgotten meanwhile */
        first = shown++ == 0 ? uid : first;
        search_task_show(&task, json);
    }
    core_json_array_close(json);
    core_json_key_text(json, "total");
    core_json_unsigned(json, page.count);
    core_json_key_text(json, "limit");
    core_json_unsigned(json, filter.limit);
    number_or_null(json, "from", first, shown == 0);
    number_or_null(json, "next", i < page.count ? page_at(&page, &filter, i) : 0, i >= page.count);
    core_json_object_close(json);
    return true;
}

/* ---- Cancelations and deletions ---- */

static bool has_ended(const search_call *call, uint64_t uid) {
    search_task task;
    return !search_tasks_get(call->host->tasks, uid, &task) || task.finished_us != 0;
}

static bool tasks_ask(search_call *call, search_task_kind kind, const char *verb) {
    task_filter filter;
    task_page page = {0};
    size_t given;
    core_buffer body;
    if (!filter_read(call, false, &filter, &given))
        return false;
    if (given == 0)
        return search_refuse(&call->refusal, SEARCH_CODE_MISSING_TASK_FILTERS,
                             "Query parameters to filter the tasks to %s are missing. Available "
                             "query parameters are: `uids`, `indexUids`, `statuses`, `types`, "
                             "`canceledBy`, `beforeEnqueuedAt`, `afterEnqueuedAt`, "
                             "`beforeStartedAt`, `afterStartedAt`, `beforeFinishedAt`, "
                             "`afterFinishedAt`.",
                             verb);
    if (!page_fill(call, &filter, &page))
        return search_refuse(&call->refusal, SEARCH_CODE_INTERNAL, "no memory for the tasks");
    bool cancels = kind == SEARCH_TASK_CANCELATION;
    core_buffer_init(&body, (size_t)1 << 20);
    core_json_writer json = core_json_writer_make(&body);
    core_json_object_open(&json);
    core_json_key_text(&json, "uids");
    core_json_array_open(&json);
    for (size_t i = 0, named = 0; i < page.count && named < FILTER_MAX; i++) {
        if (cancels && has_ended(call, page.uids[i]))
            continue;
        core_json_unsigned(&json, page.uids[i]);
        named++;
    }
    core_json_array_close(&json);
    core_json_object_close(&json);
    search_record record = {
        .kind = kind, .cancels = cancels, .matched = page.count, .body = core_buffer_slice(&body)};
    bool ok = search_call_append(call, &record);
    core_buffer_fini(&body);
    return ok;
}

bool search_api_tasks_cancel(search_call *call) {
    return tasks_ask(call, SEARCH_TASK_CANCELATION, "cancel");
}

bool search_api_tasks_remove(search_call *call) {
    return tasks_ask(call, SEARCH_TASK_DELETION, "delete");
}
