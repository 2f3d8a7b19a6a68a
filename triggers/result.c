/* See result.h. */
#include "triggers/result.h"

#include <stdlib.h>

/* ---- the event ---- */

static void number_or_null(core_json_writer *json, const char *name, uint64_t number) {
    core_json_key_text(json, name);
    if (number > 0)
        core_json_unsigned(json, number);
    else
        core_json_null(json);
}

void triggers_result_write(const triggers_task *task, const triggers_result *result,
                           core_buffer *out) {
    char time[CORE_CLOCK_TEXT_SIZE];
    core_json_writer json = core_json_writer_make(out);
    core_clock_format(result->time_us, time);
    core_json_object_open(&json);
    core_json_key_text(&json, "trigger");
    core_json_string(&json, task->trigger);
    core_json_key_text(&json, "event_id");
    core_json_string(&json, task->event_id);
    core_json_key_text(&json, "status");
    core_json_text(&json, result->outcome == TRIGGERS_RESULT_DEAD ? "dead" : "delivered");
    core_json_key_text(&json, "reason");
    if (result->reason.length > 0)
        core_json_string(&json, result->reason);
    else
        core_json_null(&json);
    number_or_null(&json, "http_status", result->http_status);
    core_json_key_text(&json, "attempts");
    core_json_unsigned(&json, result->attempts);
    core_json_key_text(&json, "time");
    core_json_text(&json, time);
    core_json_object_close(&json);
}

/* ---- who waits ---- */

static int compare(core_slice project, core_slice trigger, const triggers_definition *waiting) {
    int order = core_slice_compare(project, waiting->project);
    return order != 0 ? order : core_slice_compare(trigger, waiting->result_of);
}

static int compare_two(const void *a, const void *b) {
    const triggers_definition *one = *(const triggers_definition *const *)a;
    const triggers_definition *other = *(const triggers_definition *const *)b;
    return compare(one->project, one->result_of, other);
}

bool triggers_result_book_fill(triggers_result_book *book, const triggers_set *set) {
    triggers_result_book_fini(book);
    size_t count = 0;
    for (size_t i = 0; i < set->count; i++)
        count += set->definitions[i]->on == TRIGGERS_ON_RESULT;
    if (count == 0)
        return true;
    book->waiting = calloc(count, sizeof *book->waiting);
    if (book->waiting == NULL)
        return false;
    for (size_t i = 0; i < set->count; i++)
        if (set->definitions[i]->on == TRIGGERS_ON_RESULT)
            book->waiting[book->count++] = set->definitions[i];
    qsort(book->waiting, count, sizeof *book->waiting, compare_two);
    return true;
}

void triggers_result_book_fini(triggers_result_book *book) {
    free(book->waiting);
    *book = (triggers_result_book){.waiting = NULL};
}

bool triggers_result_wanted(const triggers_result_book *book, core_slice project,
                            core_slice trigger, unsigned outcome) {
    size_t low = 0, high = book->count;
    while (low < high) { /* the first that is not below */
        size_t middle = low + (high - low) / 2;
        if (compare(project, trigger, book->waiting[middle]) > 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < book->count && compare(project, trigger, book->waiting[low]) == 0; low++)
        if (!book->waiting[low]->disabled && (book->waiting[low]->results & outcome) != 0)
            return true;
    return false;
}
